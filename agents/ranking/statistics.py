"""How well one score orders what another orders: correlations, partial ones, intervals, picks.

Scores are arrays over networks, higher is better; NaN where a network has none. Pure functions.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Measure = Callable[[Floats, Floats], float]
"""Of two scores without gaps, such as a correlation; NaN where it is not defined."""

RESAMPLES = 2000
FEWEST = 4
"""Networks; a figure of fewer says nothing."""


@dataclass(frozen=True)
class Figure:
    """A figure and its 95% interval; NaN where there is none."""

    value: float
    low: float = np.nan
    high: float = np.nan

    def __str__(self) -> str:
        """As in ``.71 (.48 to .85)``."""
        if np.isnan(self.value):
            return "-"
        words = [f"{x:.2f}".replace("0.", ".") for x in (self.value, self.low, self.high)]
        return words[0] if np.isnan(self.low) else f"{words[0]} ({words[1]} to {words[2]})"


def pearson(x: Floats, y: Floats) -> float:
    """Correlation of the values."""
    x, y = x - x.mean(), y - y.mean()
    return _ratio(float(x @ y), float(x @ x) * float(y @ y))


def spearman(x: Floats, y: Floats) -> float:
    """Correlation of the ranks."""
    return pearson(ranks(x), ranks(y))


def kendall(x: Floats, y: Floats) -> float:
    """Kendall's tau-b: concordant less discordant pairs, corrected for ties."""
    signs_x, signs_y = (np.sign(v[:, None] - v) for v in (x, y))  # (n, n)
    return _ratio(float((signs_x * signs_y).sum()), float((signs_x**2).sum() * (signs_y**2).sum()))


def ranks(x: Floats) -> Floats:
    """1 for the smallest; equal values share the mean of their ranks."""
    _, inverse, counts = np.unique(x, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    mean: Floats = (last - (counts - 1) / 2)[inverse]
    return mean


def partial(x: Floats, y: Floats, given: Floats) -> float:
    """Correlation of what ``given`` leaves of x and y: (r_xy - r_xg r_yg) / root of the rest."""
    xy, xg, yg = pearson(x, y), pearson(x, given), pearson(y, given)
    return _ratio(xy - xg * yg, (1 - xg**2) * (1 - yg**2))


def partial_of_ranks(x: Floats, y: Floats, given: Floats) -> float:
    """``partial`` of the ranks."""
    return partial(ranks(x), ranks(y), ranks(given))


def mean_over_repeats(measure: Measure, short: Floats, long: Floats) -> float:
    """Mean of ``measure`` over the repeats of the short score: what one training is worth.

    Args:
        measure: of two scores.
        short: (networks, repeats), NaN where a training is missing.
        long: (networks,), likewise.
    """
    values = []
    for column in short.T:
        both = np.isfinite(column) & np.isfinite(long)
        if both.sum() >= FEWEST:
            values.append(measure(column[both], long[both]))
    return float(np.mean(values)) if values else np.nan


def between_repeats(short: Floats) -> float:
    """Mean correlation between two repeats of one score, over all pairs of repeats."""
    count = short.shape[1]
    pairs = [
        mean_over_repeats(pearson, short[:, [a]], short[:, b])
        for a in range(count)
        for b in range(a + 1, count)
    ]
    return float(np.mean(pairs)) if pairs else np.nan


def bootstrap(measure: Callable[[NDArray[np.int64]], float], count: int, seed: int = 0) -> Figure:
    """A figure of ``count`` networks with its 95% percentile interval over resampled networks.

    Args:
        measure: of the networks with these indices.
        count: of networks.
        seed: of the resampling; with the same one, figures of two recipes are paired.
    """
    value = measure(np.arange(count))
    if np.isnan(value):
        return Figure(value)
    rng = np.random.default_rng(seed)
    drawn = [measure(rng.integers(0, count, count)) for _ in range(RESAMPLES)]
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return Figure(value, float(low), float(high))


def hit_rate(short: Floats, long: Floats, best_of: int = 50, top: int = 5, seed: int = 0) -> float:
    """How often the best of ``best_of`` by the short score is among the ``top`` by the long one.

    Args:
        short: (networks,) without gaps.
        long: (networks,) likewise.
        best_of: networks drawn at a time: without replacement where there are so many.
        top: places that count.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    count, hits = len(short), 0
    for _ in range(RESAMPLES):
        drawn = rng.choice(count, best_of, replace=count < best_of)
        best = drawn[np.argmax(short[drawn])]
        hits += int((long[drawn] > long[best]).sum() < top)
    return hits / RESAMPLES


def _ratio(above: float, below_squared: float) -> float:
    return above / below_squared**0.5 if below_squared > 1e-30 else np.nan
