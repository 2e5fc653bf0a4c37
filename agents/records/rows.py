"""Arrays to which rows are only ever added: a checkpoint appends what is new to a file of its own.

A process begins such a file anew with its first checkpoint, and appends from then on. The index of
the checkpoint says how many bytes of the file belong to it, and their digest: what comes after them
is of an update that did not end.
"""

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_env.system.files import write_durably

SUFFIX = ".rows"


@dataclass
class RowFile:
    """What this process has written of one array.

    Attributes:
        name: of the file.
        rows: written so far.
        size: bytes of them.
        digest: running, of these bytes.
    """

    name: str
    rows: int = 0
    size: int = 0
    digest: Any = field(default_factory=hashlib.sha256)


class RowFiles:
    """The files of one search that is running."""

    def __init__(self) -> None:
        self._files: dict[str, RowFile] = {}

    def write(self, folder: Path, name: str, array: NDArray[Any], update: int) -> dict[str, Any]:
        """Write the rows that are not in the file yet; returns its entry in the index.

        Raises:
            OSError: it cannot be written; what the last index counted is still there.
        """
        file = self._files.get(name)
        if file is None or file.rows > len(array) or not (folder / file.name).exists():
            file = RowFile(f"{name}-{update:08d}{SUFFIX}")
            write_durably(folder / file.name, b"")
        content = np.ascontiguousarray(array[file.rows :]).tobytes()
        with (folder / file.name).open("r+b") as handle:
            handle.seek(file.size)
            handle.write(content)
            handle.truncate()
            handle.flush()
            os.fsync(handle.fileno())
        file.digest.update(content)
        file.rows, file.size = len(array), file.size + len(content)
        self._files[name] = file
        return {
            "file": file.name,
            "dtype": array.dtype.str,
            "shape": list(array.shape),
            "size": file.size,
            "sha256": file.digest.hexdigest(),
        }


def read_rows_of(folder: Path, entry: dict[str, Any]) -> NDArray[Any]:
    """The array of an entry of the index.

    Raises:
        OSError, ValueError, KeyError, TypeError: the file is not what was written.
    """
    name, size = str(entry["file"]), int(entry["size"])
    if Path(name).name != name:
        raise ValueError(f"{name} is no name of a file")
    with (folder / name).open("rb") as file:
        content = file.read(size)
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise ValueError(f"{name} is not what was written")
    array = np.frombuffer(content, np.dtype(entry["dtype"]))
    return array.reshape([int(length) for length in entry["shape"]]).copy()
