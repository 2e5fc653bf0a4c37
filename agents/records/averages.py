"""Means over runs of one agent with several seeds, and how sure they are.

A run counts as one observation: children of one run are not independent.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

import numpy as np

from agents.records.trace import Floats

CONFIDENCE = 0.95


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


def half_width(curves: Floats) -> Floats:
    """Half of the 95% interval of the mean over seeds: Student's t with seeds - 1 degrees.

    Over 3 seeds it holds the true mean 95 times in 100, where the percentile bootstrap holds it 74
    times.

    Args:
        curves: (seeds, checkpoints)

    Returns:
        (checkpoints,); infinite for a single seed.
    """
    seeds = len(curves)
    if seeds < 2:
        return np.full(curves.shape[1], np.inf)
    from scipy.special import stdtrit  # not scipy.stats, which takes half a second to import

    quantile = float(stdtrit(seeds - 1, 0.5 + CONFIDENCE / 2))
    half: Floats = quantile * curves.std(axis=0, ddof=1) / math.sqrt(seeds)
    return half


@dataclass(frozen=True)
class Band:
    """A mean over seeds, and an interval around it that holds the true one with 95% confidence.

    Attributes:
        checkpoints: numbers of children at which all seeds have a value.
        mean: (checkpoints,) mean over seeds.
        half: (checkpoints,) half of the interval; infinite for a single seed.
    """

    checkpoints: tuple[int, ...]
    mean: Floats
    half: Floats

    @property
    def edges(self) -> tuple[list[float], list[float]] | None:
        """Lower and upper edge; None for a single seed, which tells nothing of the others."""
        if not np.isfinite(self.half).all():
            return None
        return (self.mean - self.half).tolist(), (self.mean + self.half).tolist()


def across_seeds(curves: Sequence[Floats] | Floats, checkpoints: Sequence[int]) -> Band:
    """Mean of curves over seeds, where every seed has a value.

    Args:
        curves: (seeds, checkpoints); NaN: no value yet. Shorter ones end early.
        checkpoints: numbers of children.
    """
    values = np.full((len(curves), len(checkpoints)), np.nan)
    for row, curve in zip(values, curves, strict=True):
        row[: len(curve)] = curve
    known = ~np.isnan(values).any(axis=0)
    values = values[:, known]
    kept = tuple(int(n) for n in np.asarray(checkpoints, np.int64)[known])
    return Band(kept, values.mean(axis=0), half_width(values))
