"""The run folder: what a search leaves on disk, and what a resumed one starts from.

``config.json``, ``episodes.csv``, ``updates.csv``, ``checkpoint/`` and ``best_architecture.json``;
what is drawn of them lies beside them (``agents.reports.observers``). Per update the logs are
appended first, then the checkpoint is replaced, which records how many bytes of the logs belong to
it; a resume cuts the logs back to that. So at any instant the folder is that of the last update,
plus perhaps a tail that a resume removes.
"""

import contextlib
import csv
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from agents.records.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from agents.records.episode import COLUMNS, Episode, best_of
from nas_env.errors import CheckpointError, RunFolderError
from nas_env.system.files import append_durably, check_writable, write_durably
from nas_env.system.folders import user_path

CONFIG, EPISODES, UPDATES = "config.json", "episodes.csv", "updates.csv"
FREE_TO_CHANGE = (
    *("children", "hours", "created", "versions", "resources", "command", "repeat"),
    *("command_line", "hardware"),
    "positions",  # "layout" is their digest
)
"""Entries of the configuration that cannot change what a search does, only how far it goes."""


class RunFolder:
    """One folder of one search.

    Args:
        path: the folder; ``create`` makes it.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = user_path(path)

    def exists(self) -> bool:
        """Whether the folder holds a run."""
        return (self.path / CONFIG).exists()

    def check_free(self) -> None:
        """Check that a run can be started here, without writing anything.

        Raises:
            RunFolderError: the folder holds a run already, or cannot be written.
        """
        with self._writing():
            taken = self.exists()
        if taken:
            raise RunFolderError(
                f"{self.path} holds a run already: resume it (--resume, resume=True), or name "
                "another folder."
            )
        with self._writing():
            check_writable(self.path)

    def create(self, config: Mapping[str, Any]) -> None:
        """Start a new run.

        Raises:
            RunFolderError: the folder holds a run already, or cannot be written.
        """
        self.check_free()
        with self._writing():
            self.path.mkdir(parents=True, exist_ok=True)
            write_durably(self.path / CONFIG, _pretty(config))

    def discard(self) -> None:
        """Take back ``create``, for a search that never got as far as training: no half a run."""
        with contextlib.suppress(OSError):
            (self.path / CONFIG).unlink()
            self.path.rmdir()

    def read_config(self) -> dict[str, Any]:
        """The configuration of the run.

        Raises:
            RunFolderError: there is none, or it cannot be read.
        """
        try:
            config = json.loads((self.path / CONFIG).read_text())
        except FileNotFoundError:
            raise RunFolderError(
                f"{self.path} holds no run ({CONFIG} is missing): check the name, or start a new "
                "run without --resume."
            ) from None
        except (OSError, ValueError) as error:
            raise RunFolderError(f"{self.path / CONFIG} cannot be read: {error}.") from error
        if not isinstance(config, dict):
            raise RunFolderError(f"{self.path / CONFIG} does not hold a JSON object.")
        return config

    def resume(self, config: Mapping[str, Any]) -> tuple[Checkpoint | None, list[Episode]]:
        """Go back to the last checkpoint; None if the run did not get that far.

        Raises:
            RunFolderError: no run, one with other settings, or logs shorter than the checkpoint.
            CheckpointError: the checkpoint is damaged.
        """
        stored = self.read_config()
        _compare(self.path, stored, config)
        checkpoint = load_checkpoint(self.path / "checkpoint")
        sizes = checkpoint.sizes if checkpoint else {}
        if checkpoint is None and self._rows() > int(stored.get("children_per_update", 0)):
            raise CheckpointError(
                f"{self.path} has episodes but no checkpoint: it was deleted. Start the search "
                "again in a new folder: with the same seed and store, no child is trained twice."
            )
        with self._writing():
            for name in (EPISODES, UPDATES):
                self._cut(name, sizes.get(name, 0))
            write_durably(self.path / CONFIG, _pretty(config))
        return checkpoint, self.episodes()

    def episodes(self) -> list[Episode]:
        """All rows of ``episodes.csv``.

        Raises:
            RunFolderError: it cannot be read.
        """
        path = self.path / EPISODES
        if not path.exists():
            return []
        try:
            with path.open(newline="") as file:
                return [Episode.from_row(row) for row in csv.DictReader(file)]
        except (OSError, KeyError, ValueError, AttributeError) as error:
            raise RunFolderError(f"{path} cannot be read: {error!r}.") from error

    def record(self, episodes: Sequence[Episode], update: Mapping[str, Any]) -> dict[str, int]:
        """Append one update to the logs; return their sizes for the checkpoint.

        Raises:
            RunFolderError: they cannot be written.
        """
        with self._writing():
            rows = [episode.to_row() for episode in episodes]
            return {
                EPISODES: self._append(EPISODES, COLUMNS, rows),
                UPDATES: self._append(UPDATES, list(update), [update]),
            }

    def save(self, checkpoint: Checkpoint) -> None:
        """Replace the checkpoint.

        Raises:
            RunFolderError: it cannot be written.
        """
        with self._writing():
            save_checkpoint(self.path / "checkpoint", checkpoint)

    def write_best(self, episodes: Sequence[Episode]) -> None:
        """Write the best architecture as JSON.

        Raises:
            RunFolderError: it cannot be written.
        """
        best = best_of(episodes)
        if best is None:
            return
        architecture = best.architecture or json.dumps({"tokens": list(best.tokens)})
        with self._writing():
            write_durably(self.path / "best_architecture.json", _pretty(json.loads(architecture)))

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Turn an error of the disk into one clear message.

        Raises:
            RunFolderError: in place of an ``OSError``.
        """
        try:
            yield
        except OSError as error:
            step = "Free space or mend the permissions, or name another folder (--run-dir)."
            if os.access(self.path / CONFIG, os.F_OK):
                step = (
                    "Nothing finished is lost: free space or mend the permissions, then resume "
                    f"with --resume --run-dir {self.path} (resume=True)."
                )
            reason = error.strerror or str(error)
            raise RunFolderError(
                f"The run folder {self.path} cannot be written: {reason}. {step}"
            ) from error

    def _append(self, name: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> int:
        """Append rows to a log: in the columns that it has, or else with those given as its head.

        A log that another version, or another first update, began keeps its columns.
        """
        path, text = self.path / name, io.StringIO()
        known = _head(path)
        names = known or columns
        writer = csv.DictWriter(text, names, extrasaction="ignore", lineterminator="\n")
        if not known:
            writer.writeheader()
        writer.writerows(rows)
        return append_durably(path, text.getvalue())

    def _cut(self, name: str, size: int) -> None:
        path = self.path / name
        found = path.stat().st_size if path.exists() else 0
        if found < size:
            raise RunFolderError(
                f"{path} has {found} bytes, but the checkpoint was made when it had {size}: it was "
                "changed. Restore it, or start the search again in a new folder."
            )
        if found > size:
            os.truncate(path, size)

    def _rows(self) -> int:
        path = self.path / EPISODES
        return len(path.read_bytes().splitlines()) - 1 if path.exists() else 0


def _head(path: Path) -> list[str]:
    """The columns of a log; none of one that is not there or empty."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return next(csv.reader(file), [])


def _pretty(value: Any) -> bytes:
    return (json.dumps(value, indent=1) + "\n").encode()


def _compare(path: Path, stored: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Refuse to resume a run with other settings, naming each that differs."""
    given = json.loads(json.dumps(given))
    before, now = _flat(stored), _flat(given)
    changed = [
        f"{key}: {before.get(key, '(not set)')!r} in the run, {now.get(key, '(not set)')!r} now"
        for key in sorted({*before, *now})
        if before.get(key) != now.get(key)
    ]
    if changed:
        raise RunFolderError(
            f"{path} was started with other settings; give the same, or start a new run:\n  "
            + "\n  ".join(changed)
        )


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as ``outer.inner`` keys, without those that are free to change."""
    flat: dict[str, Any] = {}
    for key, inner in value.items():
        if not prefix and key in FREE_TO_CHANGE:
            continue
        if isinstance(inner, Mapping):
            flat |= _flat(inner, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = inner
    return flat
