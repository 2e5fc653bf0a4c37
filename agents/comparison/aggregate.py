"""Figures over several tables, as rliable defines them: few seeds, honest intervals.

Source: Agarwal et al. 2021, "Deep Reinforcement Learning at the Edge of the Statistical Precipice"
(the package rliable). Scores are a matrix (tables, seeds) for each agent.

* interquartile mean: the mean of the middle half of all scores, whatever their table;
* probability of improvement of X over Y: the mean over tables of P(X better than Y) for a seed of
  each, an equal pair counting half (Mann and Whitney's U over the number of pairs);
* performance profile: the share of all scores that are at least as good as a threshold;
* stratified bootstrap: seeds are drawn with replacement within each table, 2,000 times, and the
  middle 95% of the figure is its interval.
"""

from collections.abc import Callable, Sequence

import numpy as np

from agents.records.averages import CONFIDENCE
from agents.records.trace import Floats

DRAWS = 2000
SEED = 0


def interquartile_mean(scores: Floats) -> Floats:
    """(...,) of scores (tables, seeds, ...): a quarter, rounded down, is cut at each end."""
    flat = np.sort(scores.reshape(-1, *scores.shape[2:]), axis=0)
    cut = len(flat) // 4
    result: Floats = flat[cut : len(flat) - cut].mean(axis=0)
    return result


def probability_of_improvement(ours: Floats, theirs: Floats) -> float:
    """That a seed of ours has a lower score (a regret) than one of theirs, over tables.

    Args:
        ours: (tables, seeds)
        theirs: (tables, their seeds)
    """
    a, b = ours[:, :, None], theirs[:, None, :]
    return float(((a < b) + 0.5 * (a == b)).mean(axis=(1, 2)).mean())


def profile(scores: Floats, thresholds: Sequence[float] | Floats) -> Floats:
    """(thresholds,) share of scores (tables, seeds) that are no higher than each."""
    result: Floats = (scores.reshape(-1, 1) <= np.asarray(thresholds)).mean(axis=0)
    return result


def interval(
    figure: Callable[..., Floats | float], *scores: Floats, draws: int = DRAWS
) -> tuple[Floats, Floats]:
    """Lower and upper end of a figure's 95% interval by the stratified bootstrap.

    Args:
        figure: of the score matrices.
        *scores: each (tables, seeds, ...).
        draws: bootstrap samples.
    """
    rng = np.random.default_rng(SEED)
    values = [figure(*(_resampled(one, rng) for one in scores)) for _ in range(draws)]
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(np.array(values), [tail, 100 - tail], axis=0)
    return low, high


def _resampled(scores: Floats, rng: np.random.Generator) -> Floats:
    """Seeds drawn with replacement, within each table for itself."""
    tables, seeds = scores.shape[:2]
    drawn = rng.integers(seeds, size=(tables, seeds))
    return scores[np.arange(tables)[:, None], drawn]
