"""The run folder: what a search leaves on disk, and what a resumed one starts from.

``config.json``, ``episodes.csv``, ``updates.csv``, ``checkpoint/`` and ``best_architecture.json``;
what is drawn of them lies beside them (``agents.reports.observers``). Per update the logs are
appended first, then the checkpoint is replaced, which records how many bytes of the logs belong to
it and their digest; a resume checks them and cuts the logs back to that. So at any instant the
folder is that of the last update, plus perhaps a tail that a resume removes. One search at a time
may use it: see ``agents.records.lock``.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from agents.records.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from agents.records.episode import COLUMNS, STATES, Episode, best_of
from agents.records.lock import FolderLock
from agents.records.log import FURTHER, START_AGAIN, Log, Mark, read_rows, unreadable
from agents.records.rows import RowFiles
from nas_env.errors import CheckpointError, RunFolderError
from nas_env.system.files import check_writable, write_durably
from nas_env.system.folders import user_path

CONFIG, EPISODES, UPDATES = "config.json", "episodes.csv", "updates.csv"
FREE_TO_CHANGE = (
    *("children", "hours", "created", "versions", "resources", "command", "repeat"),
    *("command_line", "hardware"),
    "positions",  # "layout" is their digest
)
"""Entries of the configuration that cannot change what a search does, only how far it goes."""
SEAL = "sha256"
"""Entry of the configuration: digest of the others; older runs have none."""


class RunFolder:
    """One folder of one search.

    Args:
        path: the folder; ``create`` makes it.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = user_path(path)
        self._logs = {name: Log(self.path / name) for name in (EPISODES, UPDATES)}
        self._discarded = False
        self._settings = ""
        self._rows_written = RowFiles()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other search out of the folder meanwhile; makes the folder.

        Raises:
            RunFolderError: another search is in it, or it cannot be written.
        """
        lock = FolderLock(self.path)
        with self._writing():
            lock.take()
        try:
            yield
        finally:
            lock.release(remove_folder=self._discarded)

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
            write_durably(self.path / CONFIG, _sealed(config))
        self._settings = _settings_digest(config)

    def discard(self) -> None:
        """Take back ``create``, for a search that never got as far as training: no half a run."""
        with contextlib.suppress(OSError):
            (self.path / CONFIG).unlink()
        self._discarded = True  # the folder itself goes with its lock

    def read_config(self, resume: bool = False) -> dict[str, Any]:
        """The configuration of the run.

        Args:
            resume: it decides how a search goes on, so it must be what that search wrote.

        Raises:
            RunFolderError: there is none, or it cannot be read.
        """
        try:
            config = json.loads((self.path / CONFIG).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise RunFolderError(
                f"{self.path} holds no run ({CONFIG} is missing): check the name"
                f"{', or start a new run without --resume' * resume}."
            ) from None
        except (OSError, ValueError, RecursionError) as error:
            raise RunFolderError(
                f"{self.path / CONFIG} cannot be read: {error}. {START_AGAIN}"
            ) from error
        if not isinstance(config, dict):
            raise RunFolderError(f"{self.path / CONFIG} does not hold a JSON object. {START_AGAIN}")
        if config.pop(SEAL, None) not in (None, _digest(config)) and resume:
            raise RunFolderError(
                f"{self.path / CONFIG} is damaged: it is not what the search wrote. {START_AGAIN} "
                "(What may change is given with --resume, not written into that file.)"
            )
        return config

    def resume(self, config: Mapping[str, Any]) -> tuple[Checkpoint | None, list[Episode]]:
        """Go back to the last checkpoint; None if the run did not get that far.

        Raises:
            RunFolderError: no run, one with other settings, or logs that are not as they were.
            CheckpointError: the checkpoint is damaged.
        """
        stored = self.read_config(resume=True)
        _compare(self.path, stored, config)
        checkpoint = load_checkpoint(self.path / "checkpoint")
        if checkpoint is None and self._rows() > int(stored.get("children_per_update", 0)):
            raise CheckpointError(
                f"{self.path} has episodes but no checkpoint: it was deleted. Start the search "
                "again in a new folder: with the same seed and store, no child is trained twice."
            )
        self._settings = _settings_digest(config)
        if checkpoint is not None and checkpoint.settings not in ("", self._settings):
            raise RunFolderError(
                f"{self.path / CONFIG} is not that of the checkpoint: it belongs to another run. "
                f"{START_AGAIN}"
            )
        with self._writing():
            self._check_logs(checkpoint)
            for log in self._logs.values():
                log.cut()
            episodes = self.episodes()
            _agree(self.path, checkpoint, episodes, len(read_rows(self.path / UPDATES)))
            write_durably(self.path / CONFIG, _sealed(config))
        return checkpoint, episodes

    def episodes(self) -> list[Episode]:
        """All rows of ``episodes.csv``.

        Raises:
            RunFolderError: it cannot be read.
        """
        path, episodes = self.path / EPISODES, []
        for number, row in enumerate(read_rows(path), 1):
            try:
                episode = Episode.from_row(row)
            except (KeyError, ValueError) as error:
                raise unreadable(path, ValueError(f"episode {number}: {error!r}")) from error
            if episode.state not in STATES:
                found = f"the state of episode {number} is {episode.state!r}"
                raise unreadable(path, ValueError(found))
            episodes.append(episode)
        return episodes

    def check_logs(self) -> None:
        """Check that the logs begin as the last checkpoint says, for who reads them.

        A damaged checkpoint says nothing: it is needed to resume, not to read.

        Raises:
            RunFolderError: a log is damaged.
        """
        try:
            checkpoint = load_checkpoint(self.path / "checkpoint")
            self._check_logs(checkpoint)
        except (CheckpointError, OSError):
            return

    def _check_logs(self, checkpoint: Checkpoint | None) -> None:
        for name, log in self._logs.items():
            log.check(checkpoint.logs.get(name, Mark()) if checkpoint else Mark())

    def record(self, episodes: Sequence[Episode], update: Mapping[str, Any]) -> dict[str, Mark]:
        """Append one update to the logs; return how far they go, for the checkpoint.

        Raises:
            RunFolderError: they cannot be written.
        """
        with self._writing():
            rows = [episode.to_row() for episode in episodes]
            return {
                EPISODES: self._logs[EPISODES].append(COLUMNS, rows),
                UPDATES: self._logs[UPDATES].append([*update, FURTHER], [update]),
            }

    def save(self, checkpoint: Checkpoint) -> None:
        """Replace the checkpoint.

        Raises:
            RunFolderError: it cannot be written.
        """
        with self._writing():
            folder, settings = self.path / "checkpoint", self._settings
            save_checkpoint(folder, replace(checkpoint, settings=settings), self._rows_written)

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

    def _rows(self) -> int:
        path = self.path / EPISODES
        return len(path.read_bytes().splitlines()) - 1 if path.exists() else 0


def _pretty(value: Any) -> bytes:
    return (json.dumps(value, indent=1) + "\n").encode()


def _digest(config: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()


def _settings_digest(config: Mapping[str, Any]) -> str:
    """Of what cannot change in a run."""
    return _digest(_flat(json.loads(json.dumps(config))))


def _sealed(config: Mapping[str, Any]) -> bytes:
    """``config.json``, which a resume takes its settings from: with a digest of itself, last."""
    plain = json.loads(json.dumps(config))
    return _pretty({**plain, SEAL: _digest(plain)})


def _agree(
    path: Path, checkpoint: Checkpoint | None, episodes: Sequence[Episode], updates: int
) -> None:
    """Check that logs and checkpoint tell of the same children and updates."""
    children, done = (checkpoint.children, checkpoint.update) if checkpoint else (0, 0)
    for number, episode in enumerate(episodes, 1):
        if episode.number != number:
            raise RunFolderError(
                f"{path / EPISODES} has episode {episode.number} in row {number}: two searches "
                f"wrote it, or rows were changed. {START_AGAIN}"
            )
    if (len(episodes), updates) != (children, done):
        raise RunFolderError(
            f"{path} does not agree with itself: {EPISODES} has {len(episodes)} children and "
            f"{UPDATES} {updates} updates, the checkpoint {children} and {done}. {START_AGAIN}"
        )


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
