"""What tracking logs for each update of a search, whoever records it."""

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import psutil

from agents.records.episode import Episode, best_of, recent_metrics
from agents.records.run_folder import UPDATES
from agents.records.run_record import read_updates


@dataclass
class Figures:
    """The figures of one search, update by update.

    Attributes:
        best: best episode so far.
        failures: failed children so far, by kind.
    """

    best: Episode | None = None
    failures: Counter[str] = field(default_factory=Counter)
    _metrics: list[float | None] = field(default_factory=list)

    def add(self, fresh: Sequence[Episode]) -> bool:
        """Count episodes; returns whether one is the best so far."""
        before = self.best
        self.best = best_of([*([before] if before else []), *fresh])
        self.failures.update(e.failure or "error" for e in fresh if e.state == "failed")
        self._metrics += [episode.metric for episode in fresh]
        return self.best is not before

    def row(
        self, row: Mapping[str, Any], fresh: Sequence[Episode], seconds: float
    ) -> dict[str, float]:
        """What is logged for one update whose episodes were added: ``updates.csv`` and more.

        Args:
            row: the columns of ``updates.csv``; what is no number is left out.
            fresh: the episodes of the update.
            seconds: how long it took.
        """
        logged = {key: value for key, value in row.items() if isinstance(value, int | float)}
        logged["children_per_minute"] = 60.0 * len(fresh) / max(seconds, 1e-9)
        logged |= {f"failures/{kind}": count for kind, count in self.failures.items()}
        if self.best is not None and self.best.metric is not None:
            logged |= {"best_metric": self.best.metric, "best_parameters": self.best.parameters}
        if recent := recent_metrics(self._metrics):
            logged["recent_metric"] = fmean(recent)
        return logged


def earlier_rows(
    figures: Figures, folder: Path, episodes: Sequence[Episode]
) -> Iterator[tuple[int, dict[str, float]]]:
    """What was logged before a resume, by number of the update, from the run folder.

    Args:
        figures: fresh; they have counted all of ``episodes`` afterwards.
        folder: the run folder, cut back to its checkpoint.
        episodes: all of its episodes.
    """
    columns = read_updates(folder / UPDATES)
    done, elapsed_s = 0, 0.0
    for number in columns.get("update", {}):
        row = {name: values[number] for name, values in columns.items() if number in values}
        fresh = episodes[done : int(row["children"])]
        figures.add(fresh)
        yield int(row["update"]), figures.row(row, fresh, row["elapsed_s"] - elapsed_s)
        done, elapsed_s = int(row["children"]), row["elapsed_s"]
    figures.add(episodes[done:])


def memory_gb() -> float:
    """Resident memory of this process and its workers, in GB."""
    total = 0
    own = psutil.Process()
    for process in [own, *own.children(recursive=True)]:
        with contextlib.suppress(psutil.Error):  # a worker that ended meanwhile
            total += process.memory_info().rss
    return total / 1e9
