"""Where data and caches live on a user's machine, and how a file is written whole or not at all."""

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

OFFLINE_ALTERNATIVES = (
    "Without a network use the data that ships with a dependency: "
    "`--env NAS-Digits-v0` (dataset='digits'), or give the path of an image folder as the dataset."
)


def cache_dir() -> Path:
    """Folder for what can be computed again: ``NAS_ENV_CACHE``, else ``~/.cache/nas_env``."""
    named = os.environ.get("NAS_ENV_CACHE")
    if named:
        return Path(named).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path("~/.cache").expanduser()) / "nas_env"


def default_data_dir() -> Path:
    """Folder of downloaded data sets: ``NAS_ENV_DATA``, else ``data`` inside the cache folder."""
    named = os.environ.get("NAS_ENV_DATA")
    return Path(named).expanduser() if named else cache_dir() / "data"


def write_atomically(path: Path, content: bytes | Callable[[BinaryIO], None]) -> None:
    """Write a file under a temporary name, then rename: readers see the old file or the new.

    Args:
        path: the file; its folder is made where missing.
        content: the bytes, or a function that writes them to an open binary file.

    Raises:
        OSError: the folder cannot be made or written; nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            if isinstance(content, bytes):
                file.write(content)
            else:
                content(file)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
