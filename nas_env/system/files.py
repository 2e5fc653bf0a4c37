"""Writing files so that a kill or a power cut at any instant leaves the old or the new content."""

import contextlib
import errno
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

TEMPORARY = ".tmp"
"""How the names of unfinished files end."""


def write_durably(path: Path, content: bytes | Callable[[BinaryIO], object]) -> None:
    """Write to a temporary name, flush to disk, rename, flush the folder.

    Temporary names are unique: of several writers of one file the last one wins, whole.

    Args:
        path: the file; its folder is made where missing.
        content: the bytes, or a function that writes them to an open binary file.

    Raises:
        OSError: the folder cannot be made or written, the disk is full; nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(4)}{TEMPORARY}")
    try:
        with temporary.open("xb") as file:
            if isinstance(content, bytes):
                file.write(content)
            else:
                content(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    flush_folder(path.parent)


def append_durably(path: Path, text: str) -> int:
    """Append and flush to disk; return the file's size in bytes."""
    with path.open("ab") as file:
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())
        return file.tell()


def flush_folder(folder: Path) -> None:
    """Make renames in a folder durable, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def check_writable(folder: Path) -> None:
    """Check that a folder can be written, or made if it is not there; writes nothing.

    Raises:
        OSError: it cannot.
    """
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not nearest.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, f"{nearest} is not a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, f"{nearest} cannot be written")
