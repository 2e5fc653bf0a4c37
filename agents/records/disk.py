"""An error of the disk under a run folder, as one clear message."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from nas_env.errors import RunFolderError


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
