"""What a report is made of: run folders, read once, and the architectures in them, each once."""

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agents.records.episode import Episode
from agents.records.run_folder import UPDATES, RunFolder
from agents.reports.summary import Run, read_run
from nas_env.errors import RunFolderError


@dataclass(frozen=True)
class RunRecord:
    """One run folder.

    Attributes:
        run: agent, seed, metrics.
        config: ``config.json``.
        episodes: ``episodes.csv``.
        updates: ``updates.csv``: column -> number of an update -> value; see ``read_updates``.
    """

    run: Run
    config: dict[str, Any]
    episodes: tuple[Episode, ...]
    updates: dict[str, dict[int, float]]

    @property
    def elapsed_s(self) -> float | None:
        """Seconds of the whole search, all resumes together."""
        return next(reversed(self.updates.get("elapsed_s", {}).values()), None)

    @property
    def metric_name(self) -> str:
        """``accuracy``, ``perplexity``, or ``metric``."""
        return str(self.config.get("metric_name", "metric"))

    @property
    def name(self) -> str:
        """Agent and seed."""
        return f"{self.run.agent}, seed {self.run.seed}"


@dataclass(frozen=True)
class Found:
    """An architecture that a run trained: the first child that had it.

    Attributes:
        episode: that child.
        record: its run.
        metric: mean of the metric over the times it was trained.
        times: how many children of all runs had it.
    """

    episode: Episode
    record: RunRecord
    metric: float
    times: int


def read_record(folder: Path) -> RunRecord:
    """Read a run folder.

    Raises:
        RunFolderError: it is none, cannot be read, or has no episodes yet.
    """
    opened = RunFolder(folder)
    config = opened.read_config()
    if not (episodes := opened.episodes()):
        raise RunFolderError(
            f"{folder} has no episodes yet: nothing to report. Wait for the first update of the "
            "search, or continue it with --resume."
        )
    return RunRecord(read_run(folder), config, tuple(episodes), read_updates(folder / UPDATES))


def read_updates(path: Path) -> dict[str, dict[int, float]]:
    """Columns of ``updates.csv``: name -> number of the row, from 1 -> value.

    Empty cells and NaN (PPO's explained variance where all rewards are equal) are left out.

    Raises:
        RunFolderError: it cannot be read.
    """
    try:
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        columns: dict[str, dict[int, float]] = {}
        for number, row in enumerate(rows, 1):
            for name, text in row.items():
                if text and math.isfinite(value := float(text)):
                    columns.setdefault(name, {})[number] = value
        return columns
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError) as error:
        raise RunFolderError(f"{path} cannot be read: {error!r}.") from error


def different_architectures(records: Sequence[RunRecord]) -> list[Found]:
    """Every architecture that was trained to its end, best first; equals in order of training."""
    first: dict[str, Found] = {}
    metrics: dict[str, list[float]] = {}
    for record in records:
        for episode in record.episodes:
            if episode.metric is not None:
                key = episode.architecture or json.dumps(episode.tokens)
                first.setdefault(key, Found(episode, record, episode.metric, 1))
                metrics.setdefault(key, []).append(episode.metric)
    found = [
        replace(
            one,
            metric=sum(metrics[key]) / len(metrics[key]),
            times=len(metrics[key]),
        )
        for key, one in first.items()
    ]
    sign = 1.0 if records[0].run.lower_is_better else -1.0
    return sorted(found, key=lambda one: sign * one.metric)


def pareto_front(costs: Sequence[float], metrics: Sequence[float], lower: bool) -> list[int]:
    """Indices of what nothing beats in both, cheapest first.

    Args:
        costs: less is better.
        metrics: of the same things.
        lower: whether a lower metric is better.
    """
    sign = 1.0 if lower else -1.0
    order = sorted(range(len(costs)), key=lambda i: (costs[i], sign * metrics[i]))
    front: list[int] = []
    for index in order:
        if not front or sign * metrics[index] < sign * metrics[front[-1]]:
            front.append(index)
    return front
