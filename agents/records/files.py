"""Writing files so that a kill or a power cut at any instant leaves the old or the new content."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from nas_env.errors import RunFolderError

TEMPORARY = ".tmp"


def write_durably(path: Path, content: bytes) -> None:
    """Write to a temporary name, flush to disk, rename, flush the folder.

    Raises:
        OSError: the folder cannot be written, the disk is full.
    """
    temporary = path.with_name(path.name + TEMPORARY)
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
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


@contextlib.contextmanager
def writing(folder: Path, proof: str) -> Iterator[None]:
    """Turn an error of the disk into one clear message.

    Args:
        folder: the run folder.
        proof: name of the file in it without which there is nothing to resume.

    Raises:
        RunFolderError: in place of an ``OSError``.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise RunFolderError(
            f"The run folder {folder} cannot be written: {reason}. {_next_step(folder, proof)}"
        ) from error


def _next_step(folder: Path, proof: str) -> str:
    if os.access(folder / proof, os.F_OK):
        return (
            "Nothing finished is lost: free space or mend the permissions, then resume with "
            f"--resume --run-dir {folder} (resume=True)."
        )
    return "Free space or mend the permissions, or name another folder (--run-dir)."
