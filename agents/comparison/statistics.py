"""Comparing agents over paired seeds: Figure 6 of the paper, and when a difference is certain.

Figure 6 (Zoph & Le 2017): the mean of the top 1, 5 and 15 unique models that an agent has found,
less that of random search, as the number of models sampled grows. Seeds are paired: the same seed
gives every agent the same noise of the children, so differences are taken seed by seed.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nas_env.errors import ConfigurationError

CONFIDENCE = 0.95
RESAMPLES = 2000
RECENT = 100
"""Children in the mean of the last ones."""
STUDENT_T = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)
"""97.5% quantiles of Student's t with 1, 2, ..., 30 degrees of freedom."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Trace:
    """What one agent found with one seed, child by child.

    Attributes:
        agent: label of the agent.
        seed: run seed.
        models: (children,) number of each child's architecture; equal for equal architectures.
        metrics: (children,) as measured; NaN for a failed child.
        rewards: (children,) what the agent learned from.
        seconds: (children,) training time of each child, whoever paid for it.
        metric_name: what was measured; a low perplexity is a good one.
    """

    agent: str
    seed: int
    models: NDArray[np.int64]
    metrics: Floats
    rewards: Floats
    seconds: Floats
    metric_name: str = "metric"

    @property
    def lower_is_better(self) -> bool:
        """Whether a low metric is a good one."""
        return self.metric_name == "perplexity"

    def __len__(self) -> int:
        return len(self.models)

    @cached_property
    def gains(self) -> Floats:
        """Metrics turned so that more is better; failed children are -inf."""
        signed = -self.metrics if self.lower_is_better else self.metrics
        return np.where(np.isnan(signed), -np.inf, signed)

    def top_mean(self, count: int, checkpoints: Sequence[int]) -> Floats:
        """Mean metric of the best ``count`` unique models after each checkpoint.

        A model counts with the metric of its first training. NaN while there are fewer.
        """
        _, first = np.unique(self.models, return_index=True)
        first.sort()
        gains = self.gains[first]
        sign = -1.0 if self.lower_is_better else 1.0
        means = np.full(len(checkpoints), np.nan)
        for at, children in enumerate(checkpoints):
            found = gains[: np.searchsorted(first, children)]
            found = found[np.isfinite(found)]
            if len(found) >= count:
                means[at] = sign * np.partition(found, len(found) - count)[-count:].mean()
        return means

    def best_so_far(self, checkpoints: Sequence[int]) -> Floats:
        """Best metric after each checkpoint; NaN before the first complete child."""
        best = np.maximum.accumulate(self.gains)[np.asarray(checkpoints) - 1]
        return np.where(np.isfinite(best), -best if self.lower_is_better else best, np.nan)

    def recent_mean(self, checkpoints: Sequence[int], window: int = RECENT) -> Floats:
        """Mean metric of the last ``window`` children at each checkpoint; NaN before so many."""
        return np.array(
            [
                _mean(self.metrics[children - window : children]) if children >= window else np.nan
                for children in checkpoints
            ]
        )

    def best_children(self, checkpoints: Sequence[int]) -> NDArray[np.int64]:
        """Index of the child with the highest reward so far, the earliest of equals."""
        rewards = np.where(np.isnan(self.metrics), -np.inf, self.rewards)
        return np.array([int(np.argmax(rewards[:n])) for n in checkpoints], np.int64)


def _mean(values: Floats) -> float:
    kept = values[~np.isnan(values)]
    return float(kept.mean()) if len(kept) else math.nan


@dataclass(frozen=True)
class Band:
    """A curve over checkpoints with an interval that holds the mean with 95% confidence.

    Attributes:
        checkpoints: numbers of children at which all seeds have a value.
        mean: (checkpoints,) mean over seeds.
        low, high: (checkpoints,) edges; equal to the mean for a single seed.
    """

    checkpoints: tuple[int, ...]
    mean: Floats
    low: Floats
    high: Floats


def checkpoints_of(children: int, every: int) -> tuple[int, ...]:
    """``every``, 2 ``every``, ... up to ``children``, which is always the last."""
    return tuple(dict.fromkeys((*range(every, children + 1, every), children)))


def bootstrap(curves: Floats, checkpoints: Sequence[int], seed: int = 0) -> Band:
    """Mean of curves over seeds with the percentile bootstrap over seeds (Efron 1979).

    Args:
        curves: (seeds, checkpoints); checkpoints where any seed has NaN are left out.
        checkpoints: numbers of children.
        seed: of the resampling.
    """
    known = ~np.isnan(curves).any(axis=0)
    curves = curves[:, known]
    rng = np.random.default_rng(seed)
    chosen = rng.integers(len(curves), size=(RESAMPLES, len(curves)))
    weights = np.stack([np.bincount(row, minlength=len(curves)) for row in chosen])
    means = weights @ curves / len(curves)  # (resamples, checkpoints)
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(means, [tail, 100 - tail], axis=0)
    kept = tuple(int(n) for n in np.asarray(checkpoints)[known])
    return Band(kept, curves.mean(axis=0), low, high)


@dataclass(frozen=True)
class Verdict:
    """What paired seeds say of one agent against random search.

    Attributes:
        mean: mean difference at the end of the budget, turned so that more is better.
        half_width: half of its 95% interval (Student's t over seeds); inf for a single seed.
        since: fewest children from which on the agent is better with 95% confidence at every
            checkpoint to the end; None = not so at the end.
        seeds: number of pairs.
        children: the budget.
    """

    mean: float
    half_width: float
    since: int | None
    seeds: int
    children: int

    @property
    def text(self) -> str:
        """In words."""
        if self.seeds < 2:
            return "one seed cannot tell: run more"
        error = self.half_width
        known = 0.0 < error < math.inf
        places = max(0, 1 - math.floor(math.log10(error))) if known else 4
        size = f"{self.mean:+.{places}f} ± {error:.{places}f}"  # two digits of the error
        if self.since is not None:
            return f"better from {self.since:,} children on (at the end {size})"
        if self.mean < -self.half_width:
            return f"worse after {self.children:,} children ({size})"
        return f"{self.children:,} children and {self.seeds} seeds are too few to tell ({size})"


def verdict(differences: Floats, checkpoints: Sequence[int], lower_is_better: bool) -> Verdict:
    """Judge (seeds, checkpoints) differences from random search, seed by seed."""
    gains = -differences if lower_is_better else differences
    seeds = len(gains)
    known = ~np.isnan(gains).any(axis=0)
    if not known.any():
        return Verdict(math.nan, math.inf, None, seeds, checkpoints[-1])
    means = gains[:, known].mean(axis=0)
    if seeds > 1:
        half = t_quantile(seeds - 1) * gains[:, known].std(axis=0, ddof=1) / math.sqrt(seeds)
    else:
        half = np.full(len(means), np.inf)
    certain = means > half
    uncertain = np.flatnonzero(~certain)
    start = int(uncertain[-1]) + 1 if len(uncertain) else 0
    numbers = np.asarray(checkpoints)[known]
    since = int(numbers[start]) if start < len(numbers) else None
    return Verdict(float(means[-1]), float(half[-1]), since, seeds, int(checkpoints[-1]))


def t_quantile(degrees: int) -> float:
    """97.5% quantile of Student's t; beyond 30 degrees of freedom within .003, above."""
    return STUDENT_T[degrees - 1] if degrees <= len(STUDENT_T) else 1.96 + 2.5 / degrees


class Comparison:
    """Traces of several agents over the same seeds.

    Args:
        traces: one for each agent and seed.
        every: children between checkpoints.

    Raises:
        ConfigurationError: agents with different seeds, or traces of different lengths.
    """

    def __init__(self, traces: Sequence[Trace], every: int) -> None:
        self.agents: dict[str, list[Trace]] = {}
        for trace in traces:
            self.agents.setdefault(trace.agent, []).append(trace)
        for runs in self.agents.values():
            runs.sort(key=lambda trace: trace.seed)
        seeds = {agent: [trace.seed for trace in runs] for agent, runs in self.agents.items()}
        lengths = {len(trace) for trace in traces}
        if len({tuple(one) for one in seeds.values()}) != 1 or len(lengths) != 1:
            raise ConfigurationError(
                f"Agents are compared over the same seeds and as many children each; got seeds "
                f"{seeds} and {sorted(lengths)} children."
            )
        self.seeds = seeds[traces[0].agent]
        self.children = lengths.pop()
        self.checkpoints = checkpoints_of(self.children, every)
        self.metric_name = traces[0].metric_name
        self.lower_is_better = traces[0].lower_is_better

    def curves(self, agent: str, figure: Callable[[Trace], Floats]) -> Floats:
        """(seeds, checkpoints) of a figure."""
        return np.stack([figure(trace) for trace in self.agents[agent]])

    def top_means(self, agent: str, count: int) -> Floats:
        """(seeds, checkpoints) mean of the top ``count`` unique models."""
        return self.curves(agent, lambda trace: trace.top_mean(count, self.checkpoints))

    def recent(self, agent: str) -> Floats:
        """(seeds, checkpoints) mean of the last 100 children, of all if there are fewer."""
        window = min(RECENT, self.children)
        return self.curves(agent, lambda trace: trace.recent_mean(self.checkpoints, window))

    def best(self, agent: str) -> Floats:
        """(seeds, checkpoints) best so far."""
        return self.curves(agent, lambda trace: trace.best_so_far(self.checkpoints))
