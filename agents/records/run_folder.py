"""The run folder: what a search leaves on disk, and what a resumed one starts from.

``config.json``, ``episodes.csv``, ``updates.csv``, ``checkpoint/``, ``best_architecture.json``,
``.txt`` and ``.svg``, and when the budget is spent ``report.html`` (``agents.reports``). Per update
the logs are appended first, then the checkpoint is replaced, which records how many bytes of the
logs belong to it; a resume cuts the logs back to that. So at any instant the folder is that of the
last update, plus perhaps a tail that a resume removes.
"""

import contextlib
import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agents.records.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from agents.records.disk import writing
from agents.records.episode import COLUMNS, Episode, best_of
from nas_env.errors import CheckpointError, NasEnvError, RunFolderError
from nas_env.rendering.picture import Picture
from nas_env.space.architecture_json import architecture_from_json
from nas_env.system.files import append_durably, check_writable, write_durably
from nas_env.tasks.drawing import draw_figure, draw_text

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
        self.path = Path(path)
        self._update_columns: list[str] = []

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
            sizes = {EPISODES: self._append(EPISODES, COLUMNS, rows)}
            columns = self._columns(update)
            row = [str(update.get(column, "")) for column in columns]
            sizes[UPDATES] = self._append(UPDATES, columns, [row])
        return sizes

    def save(self, checkpoint: Checkpoint) -> None:
        """Replace the checkpoint.

        Raises:
            RunFolderError: it cannot be written.
        """
        with self._writing():
            save_checkpoint(self.path / "checkpoint", checkpoint)

    def write_best(self, episodes: Sequence[Episode]) -> None:
        """Write the best architecture as JSON, as a drawing in text, and as a picture.

        Raises:
            RunFolderError: they cannot be written.
        """
        best = best_of(episodes)
        if best is None:
            return
        architecture = best.architecture or json.dumps({"tokens": list(best.tokens)})
        with self._writing():
            write_durably(self.path / "best_architecture.json", _pretty(json.loads(architecture)))
            drawing = describe(best) + "\n"
            write_durably(self.path / "best_architecture.txt", drawing.encode())
            if (picture := picture_of(best)) is not None:
                write_durably(self.path / "best_architecture.svg", picture.svg().encode())

    def _writing(self) -> contextlib.AbstractContextManager[None]:
        return writing(self.path, CONFIG)

    def _append(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
        path, text = self.path / name, io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if not path.exists() or path.stat().st_size == 0:
            writer.writerow(columns)
        writer.writerows(rows)
        return append_durably(path, text.getvalue())

    def _columns(self, update: Mapping[str, Any]) -> list[str]:
        """The columns of ``updates.csv``: those it has, or those of its first row."""
        if not self._update_columns:
            path = self.path / UPDATES
            head = path.read_text().partition("\n")[0] if path.exists() else ""
            self._update_columns = next(csv.reader([head]), []) if head else list(update)
        return self._update_columns

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


def describe(episode: Episode) -> str:
    """An episode's architecture as text: a drawing, or its tokens where nobody can draw it."""
    try:
        return draw_text(architecture_from_json(json.loads(episode.architecture)))
    except (NasEnvError, ValueError):
        return "tokens " + " ".join(map(str, episode.tokens))


def picture_of(episode: Episode) -> Picture | None:
    """An episode's architecture as a picture; None where nobody can draw it."""
    try:
        return draw_figure(architecture_from_json(json.loads(episode.architecture)))
    except (NasEnvError, ValueError):
        return None


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
