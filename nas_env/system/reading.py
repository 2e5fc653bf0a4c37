"""Reading files that somebody else made: what is no regular file, or is too large, is not opened.

A pipe would block, a device may never end, and a file of many gigabytes takes the memory of the
machine before anybody has looked at it.
"""

import errno
import json
import os
import stat
from collections import Counter
from typing import Any, NoReturn

_SORTS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def check_regular(path: str | os.PathLike[str], most_bytes: int | None = None) -> os.stat_result:
    """Look at a file without opening it; links are followed.

    Args:
        path: the file.
        most_bytes: how large it may be.

    Raises:
        OSError: it is not there, is no regular file, is larger, or its name cannot be one.
    """
    try:
        found = os.stat(path)
    except ValueError as error:  # a zero byte, or what no file system can spell
        raise OSError(errno.EINVAL, f"no file can have this name: {error}") from error
    _check(found, most_bytes)
    return found


def read_regular(path: str | os.PathLike[str], most_bytes: int) -> bytes:
    """The bytes of a regular file.

    Raises:
        OSError: as ``check_regular``, or it cannot be read.
    """
    check_regular(path, most_bytes)
    # Not to wait: in the meantime a pipe may have taken the file's place.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb") as file:
        _check(os.fstat(handle), most_bytes)
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise _too_large(len(content), most_bytes)
    return content


def is_file(path: str | os.PathLike[str]) -> bool:
    """Whether there is a regular file; False also for a name that no file can have."""
    return os.path.isfile(path)


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Whether there is a folder; False also for a name that no folder can have."""
    return os.path.isdir(path)


def strict_json(text: str | bytes) -> Any:
    """JSON as its standard has it: UTF-8, no NaN or infinity, and no name twice in one object.

    Raises:
        ValueError: it is not; also for nesting that is too deep and numbers that are too long.
    """
    if isinstance(text, bytes):
        text = text.decode()
    try:
        return json.loads(text, object_pairs_hook=_different_names, parse_constant=_no_number)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def reason(error: Exception) -> str:
    """What an exception says, in a line that does not flood a message."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error) or repr(error)
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]}..."


_LONGEST_REASON = 300


def _check(found: os.stat_result, most_bytes: int | None) -> None:
    sort = stat.S_IFMT(found.st_mode)
    if sort != stat.S_IFREG:
        raise OSError(errno.EINVAL, f"it is {_SORTS.get(sort, 'something else')}, not a file")
    if most_bytes is not None and found.st_size > most_bytes:
        raise _too_large(found.st_size, most_bytes)


def _too_large(size: int, most_bytes: int) -> OSError:
    return OSError(errno.EFBIG, f"it has {size:,} bytes; at most {most_bytes:,} are read")


def _different_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counted = Counter(name for name, _ in pairs)
        twice = counted.most_common(1)[0][0]
        raise ValueError(f"the name {twice[:80]!r} stands twice in one object")
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
