"""A run as arrays: what an agent had found after so many children."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from agents.records.direction import direction_of
from agents.records.episode import SMALLEST_WINDOW, Episode, recent_window

Floats = NDArray[np.float64]
ARRAYS = ("models", "metrics", "rewards", "seconds", "tokens")
"""Fields of a trace that hold a row a child."""


@dataclass(frozen=True)
class Trace:
    """What one agent found with one seed, child by child.

    Attributes:
        agent: label of the agent.
        seed: run seed.
        models: (children,) number of each child's architecture; equal for equal architectures.
        metrics: (children,) as measured; NaN for a failed child.
        rewards: (children,) what the agent learned from; the lowest of all where there was none.
        seconds: (children,) training time of each child, whoever paid for it.
        tokens: (children, positions) padded with -1.
        metric_name: what was measured.
        direction: which way it is good (``direction_of``), also of the traces that this one is
            compared with; None = found out from its own children.
    """

    agent: str
    seed: int
    models: NDArray[np.int64]
    metrics: Floats
    rewards: Floats
    seconds: Floats
    tokens: NDArray[np.int16]
    metric_name: str = "metric"
    direction: int | None = None

    @classmethod
    def of(cls, agent: str, seed: int, episodes: Sequence[Episode], metric_name: str) -> "Trace":
        """The trace of a search's episodes."""
        numbers: dict[object, int] = {}
        names = [episode.architecture or episode.tokens for episode in episodes]
        longest = max(len(episode.tokens) for episode in episodes)
        tokens = np.full((len(episodes), longest), -1, np.int16)
        for row, episode in enumerate(episodes):
            tokens[row, : len(episode.tokens)] = episode.tokens
        metrics = [math.nan if e.metric is None else e.metric for e in episodes]
        lowest = min((e.reward for e in episodes if not e.reward_missing), default=0.0)
        return cls(
            agent,
            seed,
            np.array([numbers.setdefault(name, len(numbers)) for name in names], np.int64),
            np.array(metrics, np.float64),
            np.array([lowest if e.reward_missing else e.reward for e in episodes], np.float64),
            np.array([episode.train_seconds for episode in episodes], np.float64),
            tokens,
            metric_name,
        )

    @cached_property
    def sign(self) -> int:
        """1: a high metric is good; -1: a low one; 0: rewards rank."""
        if self.direction is not None:
            return self.direction
        return direction_of(self.metric_name, self.metrics, self.rewards)

    @cached_property
    def values(self) -> Floats:
        """(children,) what ranks: the metric, or the reward; NaN for a failed child."""
        return self.metrics if self.sign else np.where(np.isnan(self.metrics), np.nan, self.rewards)

    def __len__(self) -> int:
        return len(self.models)

    @cached_property
    def gains(self) -> Floats:
        """What ranks, turned so that more is better; failed children are -inf."""
        signed = -self.values if self.sign < 0 else self.values
        return np.where(np.isnan(signed), -np.inf, signed)

    def first(self, children: int) -> "Trace":
        """The trace of the first children alone."""
        return replace(self, **{name: getattr(self, name)[:children] for name in ARRAYS})

    def top_mean(self, count: int, checkpoints: Sequence[int]) -> Floats:
        """Mean of what ranks over the best ``count`` unique models after each checkpoint.

        A model counts with its first training. NaN while there are fewer.
        """
        _, first = np.unique(self.models, return_index=True)
        first.sort()
        gains = self.gains[first]
        sign = -1.0 if self.sign < 0 else 1.0
        means = np.full(len(checkpoints), np.nan)
        for at, children in enumerate(checkpoints):
            found = gains[: np.searchsorted(first, children)]
            found = found[np.isfinite(found)]
            if len(found) >= count:
                means[at] = sign * np.partition(found, len(found) - count)[-count:].mean()
        return means

    def best_so_far(self, checkpoints: Sequence[int]) -> Floats:
        """Best of what ranks after each checkpoint; NaN before the first complete child."""
        best = np.maximum.accumulate(self.gains)[np.asarray(checkpoints) - 1]
        return np.where(np.isfinite(best), -best if self.sign < 0 else best, np.nan)

    def recent_mean(self, checkpoints: Sequence[int]) -> Floats:
        """Mean of what ranks over the recent children; see ``recent_window``."""
        return recent_means(self.values, checkpoints)

    def best_children(self, checkpoints: Sequence[int]) -> NDArray[np.int64]:
        """Index of the child with the highest reward so far, the earliest of equals."""
        rewards = np.where(np.isnan(self.metrics), -np.inf, self.rewards)
        return np.array([int(np.argmax(rewards[:n])) for n in checkpoints], np.int64)


def compared(traces: Sequence[Trace], direction: int | None = None) -> list[Trace]:
    """Traces that are ranked by the same.

    Args:
        traces: what is compared.
        direction: by what; None = what ranks the children of all of them.
    """
    if direction is None:
        metrics = np.concatenate([trace.metrics for trace in traces])
        rewards = np.concatenate([trace.rewards for trace in traces])
        direction = direction_of(traces[0].metric_name, metrics, rewards)
    return [replace(trace, direction=direction) for trace in traces]


def recent_means(values: Floats, checkpoints: Sequence[int]) -> Floats:
    """Mean of the recent values at each checkpoint.

    NaN before half of the smallest window, unless that is all there is, and where all are NaN.
    """
    means = np.full(len(checkpoints), np.nan)
    for at, children in enumerate(checkpoints):
        recent = values[max(0, children - recent_window(children)) : children]
        recent = recent[~np.isnan(recent)]
        if len(recent) and children >= min(SMALLEST_WINDOW // 2, len(values)):
            means[at] = recent.mean()
    return means
