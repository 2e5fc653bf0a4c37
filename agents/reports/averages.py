"""How a run went, child by child: running mean and best so far, of one run and over seeds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from agents.reports.summary import Estimate, Run, estimate

Curve = Mapping[int, float]
"""Number of a child, from 1 -> value."""


def window_of(runs: Sequence[Run]) -> int:
    """Children in a running mean: a tenth of the longest run, from 8 to 100."""
    return min(100, max(8, max(len(run.metrics) for run in runs) // 10))


def running_mean(values: Sequence[float | None], window: int) -> Curve:
    """Mean of the last ``window`` values (None: a failed child), once half a window is there."""
    curve: dict[int, float] = {}
    for number in range(min((window + 1) // 2, len(values)), len(values) + 1):
        recent = [v for v in values[max(0, number - window) : number] if v is not None]
        if recent:
            curve[number] = fmean(recent)
    return curve


def best_so_far(values: Sequence[float | None], lower_is_better: bool = False) -> Curve:
    """Best of the values up to each child."""
    better: Callable[[float, float], float] = min if lower_is_better else max
    curve: dict[int, float] = {}
    best: float | None = None
    for number, value in enumerate(values, 1):
        if value is not None:
            best = value if best is None else better(best, value)
        if best is not None:
            curve[number] = best
    return curve


@dataclass(frozen=True)
class Band:
    """A mean over seeds with one standard error to each side.

    Attributes:
        numbers: children that every seed has.
        estimates: mean and standard error at each.
    """

    numbers: tuple[int, ...]
    estimates: tuple[Estimate, ...]

    @property
    def mean(self) -> list[float]:
        """Mean over seeds."""
        return [found.mean for found in self.estimates]

    @property
    def edges(self) -> tuple[list[float], list[float]] | None:
        """Mean less and plus one standard error; None for a single seed."""
        if any(found.count < 2 for found in self.estimates):
            return None
        low = [found.mean - found.standard_error for found in self.estimates]
        return low, [found.mean + found.standard_error for found in self.estimates]


def across_seeds(curves: Sequence[Curve]) -> Band:
    """Mean and standard error over runs of one agent, where all have a value."""
    shared = set(curves[0]).intersection(*curves[1:])
    numbers = tuple(sorted(shared))
    return Band(numbers, tuple(estimate([curve[n] for curve in curves]) for n in numbers))
