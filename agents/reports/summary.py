"""What a set of finished runs shows: metric per block of children, and agent against agent.

The standard error of a mean over k seeds treats each run's block mean as one observation when k > 1
(children of one run are not independent); the pooled figure over all children is beside it.
"""

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

from nas_env.errors import RunFolderError


@dataclass(frozen=True)
class Run:
    """One run folder's outcome: which agent and seed, and the metric of each child in order."""

    folder: Path
    env: str
    agent: str
    seed: int
    metrics: tuple[float | None, ...]  # None: a failed child
    lower_is_better: bool

    def block(self, start: int, stop: int) -> list[float]:
        """Metrics of the complete children number ``start`` to ``stop`` - 1."""
        return [metric for metric in self.metrics[start:stop] if metric is not None]

    def best(self, stop: int) -> float | None:
        """Best metric of the first ``stop`` children."""
        block = self.block(0, stop)
        return (min if self.lower_is_better else max)(block) if block else None


@dataclass(frozen=True)
class Estimate:
    """A mean with its standard error (nan for a single observation)."""

    mean: float
    standard_error: float
    count: int

    def __str__(self) -> str:
        error = "" if math.isnan(self.standard_error) else f" ± {self.standard_error:.4f}"
        return f"{self.mean:.4f}{error}"


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and standard error: s / sqrt(n)."""
    if not values:
        return Estimate(math.nan, math.nan, 0)
    error = stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return Estimate(fmean(values), error, len(values))


def read_run(folder: Path) -> Run:
    """Read ``config.json`` and ``episodes.csv`` of a run folder.

    Raises:
        RunFolderError: a file is missing or cannot be read.
    """
    try:
        config = json.loads((folder / "config.json").read_text())
        with (folder / "episodes.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        metrics = tuple(
            float(row["metric"]) if row["state"] == "complete" else None for row in rows
        )
        return Run(
            folder=folder,
            env=config["env"],
            agent=config["agent"],
            seed=config["seed"],
            metrics=metrics,
            lower_is_better=config.get("metric_name") == "perplexity",
        )
    except (OSError, KeyError, ValueError) as error:
        raise RunFolderError(
            f"{folder} is not a readable run folder ({error!r}). It must hold config.json and "
            "episodes.csv as written by scripts/train_agent.py."
        ) from error


def by_agent(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Runs grouped by agent, in order of appearance."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.agent, []).append(run)
    return groups


def block_table(runs: Sequence[Run], block: int) -> str:
    """Markdown: mean metric and best so far of each agent, over seeds, per block of children."""
    groups = by_agent(runs)
    longest = max(len(run.metrics) for run in runs)
    head = "| children |" + "".join(f" {agent}: mean | {agent}: best so far |" for agent in groups)
    lines = [head, "|---" * (1 + 2 * len(groups)) + "|"]
    for start in range(0, longest, block):
        stop = min(start + block, longest)
        cells = [f"{start + 1}-{stop}"]
        for group in groups.values():
            means = [fmean(values) for run in group if (values := run.block(start, stop))]
            bests = [best for run in group if (best := run.best(stop)) is not None]
            cells += [str(estimate(means)), str(estimate(bests))]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def difference(first: Sequence[Run], second: Sequence[Run], last: int) -> str:
    """One line: mean of the last children of one agent less that of another, in standard errors."""
    pooled = [
        [m for run in runs for m in run.block(-last, len(run.metrics))] for runs in (first, second)
    ]
    a, b = (estimate(values) for values in pooled)
    gap = a.mean - b.mean
    error = math.hypot(a.standard_error, b.standard_error)
    paired = seed_differences(first, second, last)
    return (
        f"last {last} children, {first[0].agent} less {second[0].agent}: {gap:+.4f} "
        f"= {gap / error:+.1f} standard errors over {a.count} + {b.count} children; "
        f"by paired seed: {estimate(paired)} over {len(paired)} seeds"
    )


def seed_differences(first: Sequence[Run], second: Sequence[Run], last: int) -> list[float]:
    """Difference of the mean of the last children, seed by seed, for the seeds that both have."""
    means = [
        {run.seed: fmean(values) for run in runs if (values := run.block(-last, len(run.metrics)))}
        for runs in (first, second)
    ]
    return [means[0][seed] - means[1][seed] for seed in sorted(means[0].keys() & means[1].keys())]
