"""The CSV logs of a run: appended to only, with a running digest of every byte.

A checkpoint holds how many bytes of each log belong to it, and their digest: a resume reads them
once and refuses a log in which one of them changed. From there on the digest goes along with what
is appended, so an update costs what it appends and not the whole log.
"""

import csv
import hashlib
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas_env.errors import RunFolderError
from nas_env.system.files import append_durably

START_AGAIN = (
    "Restore it from a copy, or start the search again in a new folder: with the same seed and "
    "store, finished children are not trained again."
)
"""What to do with a log that cannot be used."""


FURTHER = "further"
"""Last column of ``updates.csv``: figures that its head does not name, as a JSON object."""


@dataclass(frozen=True)
class Mark:
    """How far a log went when a checkpoint was made.

    Attributes:
        size: bytes.
        sha256: digest of these bytes; ``""`` in checkpoints of versions that kept none.
    """

    size: int = 0
    sha256: str = ""


class Log:
    """One log of a search.

    Args:
        path: the file; the first row makes it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._columns: list[str] = []
        self._size = 0
        self._digest = hashlib.sha256()
        self._read = False

    def check(self, mark: Mark) -> None:
        """Check that what a checkpoint counted is still there, unchanged.

        Raises:
            RunFolderError: it is not, or cannot be read.
        """
        try:
            content = self.path.read_bytes() if self.path.exists() else b""
        except OSError as error:
            raise unreadable(self.path, error) from error
        if len(content) < mark.size:
            raise RunFolderError(
                f"{self.path} has {len(content)} bytes, but the checkpoint was made when it had "
                f"{mark.size}: it was changed. {START_AGAIN}"
            )
        kept = content[: mark.size]
        if mark.sha256 and hashlib.sha256(kept).hexdigest() != mark.sha256:
            raise RunFolderError(
                f"{self.path} is damaged: its first {mark.size} bytes are not those that the "
                f"search wrote. {START_AGAIN}"
            )
        self._take(kept)

    def cut(self) -> None:
        """Take off what comes after the bytes that were checked: of an update that did not end."""
        if self.path.exists() and self.path.stat().st_size > self._size:
            os.truncate(self.path, self._size)

    def append(self, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Mark:
        """Append rows: in the columns that the log has, or else with those given as its head.

        A log that another version, or another first update, began keeps its columns. What has none
        goes into ``FURTHER``, where that is a column.

        Raises:
            RunFolderError: somebody else has changed the log since.
            OSError: it cannot be written.
        """
        if not self._read:
            self._take(self.path.read_bytes() if self.path.exists() else b"")
        self._check_own()
        text = io.StringIO()
        names = self._columns or list(columns)
        writer = csv.DictWriter(text, names, extrasaction="ignore", lineterminator="\n")
        if not self._columns:
            writer.writeheader()
        writer.writerows(_further(row, names) for row in rows)
        self._size = append_durably(self.path, text.getvalue())
        self._digest.update(text.getvalue().encode())
        self._columns = names
        return Mark(self._size, self._digest.hexdigest())

    def _take(self, content: bytes) -> None:
        self._size, self._digest, self._read = len(content), hashlib.sha256(content), True
        head = content.partition(b"\n")[0].decode(errors="replace")
        try:
            self._columns = next(csv.reader([head]), [])
        except csv.Error as error:
            raise unreadable(self.path, error) from error

    def _check_own(self) -> None:
        found = self.path.stat().st_size if self.path.exists() else 0
        if found != self._size:
            raise RunFolderError(
                f"{self.path} has {found} bytes, but this search left it with {self._size}: "
                f"another program changed it. Stop that program. {START_AGAIN}"
            )


def _further(row: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """A row with what has no column of its own in ``FURTHER``."""
    late = {name: value for name, value in row.items() if name not in names}
    return {**row, FURTHER: json.dumps(late)} if late and FURTHER in names else dict(row)


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a log; none where it is not there.

    A last line without its end is still being written, or belongs to a search that was killed: it
    is left out.

    Raises:
        RunFolderError: it cannot be read, or is no such log.
    """
    try:
        content = path.read_bytes()
        text = content[: content.rfind(b"\n") + 1].decode()
        # Python's limit of 131,072 characters a field is less than a large architecture takes.
        csv.field_size_limit(max(csv.field_size_limit(), len(text)))
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        rows = []
        for row in reader:
            if None in row or None in row.values():
                raise ValueError(f"line {reader.line_num} has not as many fields as the first")
            rows.append(row)
        return rows
    except FileNotFoundError:
        return []
    except (OSError, ValueError, csv.Error) as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: Exception) -> RunFolderError:
    """The one message for a log that does not hold what a search writes."""
    reason = error.strerror if isinstance(error, OSError) else None
    return RunFolderError(f"{path} cannot be read: {reason or error}. {START_AGAIN}")
