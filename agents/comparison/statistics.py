"""Comparing agents over paired seeds: Figure 6 of the paper, and when a difference is certain.

Figure 6 (Zoph & Le 2017): the mean of the top 1, 5 and 15 unique models that an agent has found,
less that of random search, as the number of models sampled grows. Seeds are paired: the same seed
gives every agent the same noise of the children, so differences are taken seed by seed.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from agents.records.averages import half_width
from agents.records.direction import ranked_by
from agents.records.trace import Floats, Trace, compared
from nas_env.errors import ConfigurationError

SPREAD = 1e-9
"""Relative spread over seeds below which there is none but rounding."""


def checkpoints_of(children: int, every: int) -> tuple[int, ...]:
    """``every``, 2 ``every``, ... up to ``children``, which is always the last."""
    return tuple(dict.fromkeys((*range(every, children + 1, every), children)))


@dataclass(frozen=True)
class Verdict:
    """What paired seeds say of one agent against a control, such as random search.

    Attributes:
        mean: mean difference at the end of the budget, turned so that more is better.
        half_width: half of its 95% interval (Student's t over seeds); inf for a single seed, and
            where all seeds differ by the same, from which no interval can be told.
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
        if math.isnan(self.mean):
            return "not every seed has a value"
        if error == math.inf and self.mean == 0.0:
            return f"equal in all {self.seeds} seeds"
        if error == math.inf:
            return f"{self.seeds} seeds without spread cannot tell ({self.mean:+.4f}): run more"
        places = max(0, 1 - math.floor(math.log10(error)))
        size = f"{self.mean:+.{places}f} ± {error:.{places}f}"  # two digits of the error
        if self.since is not None:
            return f"better from {self.since:,} children on (at the end {size})"
        if self.mean < -error:
            return f"worse after {self.children:,} children ({size})"
        return f"{self.children:,} children and {self.seeds} seeds are too few to tell ({size})"


def verdict(differences: Floats, checkpoints: Sequence[int], lower_is_better: bool) -> Verdict:
    """Judge (seeds, checkpoints) differences from the control, seed by seed."""
    gains = -differences if lower_is_better else differences
    seeds = len(gains)
    known = ~np.isnan(gains).any(axis=0)
    if not known.any():
        return Verdict(math.nan, math.inf, None, seeds, checkpoints[-1])
    gains = gains[:, known]
    means, half = gains.mean(axis=0), half_width(gains)
    half[np.ptp(gains, axis=0) <= SPREAD * np.abs(gains).max(axis=0)] = np.inf
    uncertain = np.flatnonzero(means <= half)
    start = int(uncertain[-1]) + 1 if len(uncertain) else 0
    numbers = np.asarray(checkpoints)[known]
    since = int(numbers[start]) if start < len(numbers) else None
    return Verdict(float(means[-1]), float(half[-1]), since, seeds, int(checkpoints[-1]))


class Comparison:
    """Traces of several agents over the same seeds.

    Args:
        traces: one for each agent and seed.
        every: children between checkpoints.
        direction: what ranks their children; None = found out (``agents.records.direction``).

    Raises:
        ConfigurationError: agents with different seeds, or traces of different lengths.
    """

    def __init__(self, traces: Sequence[Trace], every: int, direction: int | None = None) -> None:
        self.agents: dict[str, list[Trace]] = {}
        traces = compared(traces, direction)
        for trace in traces:
            self.agents.setdefault(trace.agent, []).append(trace)
        for runs in self.agents.values():
            runs.sort(key=lambda trace: trace.seed)
        seeds = {agent: [trace.seed for trace in runs] for agent, runs in self.agents.items()}
        lengths = {len(trace) for trace in traces}
        for agent, given in seeds.items():
            if len(given) != len(set(given)):
                raise ConfigurationError(
                    f"A seed of an agent counts once; {agent} has the seeds {given}."
                )
        if len({tuple(one) for one in seeds.values()}) != 1 or len(lengths) != 1:
            raise ConfigurationError(
                f"Agents are compared over the same seeds and as many children each; got seeds "
                f"{seeds} and {sorted(lengths)} children."
            )
        self.seeds = seeds[traces[0].agent]
        self.children = lengths.pop()
        self.checkpoints = checkpoints_of(self.children, every)
        self.ranked_by = ranked_by(traces[0].metric_name, traces[0].sign)
        self.lower_is_better = traces[0].sign < 0

    def curves(self, agent: str, figure: Callable[[Trace], Floats]) -> Floats:
        """(seeds, checkpoints) of a figure."""
        return np.stack([figure(trace) for trace in self.agents[agent]])

    def top_means(self, agent: str, count: int) -> Floats:
        """(seeds, checkpoints) mean of the top ``count`` unique models."""
        return self.curves(agent, lambda trace: trace.top_mean(count, self.checkpoints))

    def recent(self, agent: str) -> Floats:
        """(seeds, checkpoints) mean of the recent children."""
        return self.curves(agent, lambda trace: trace.recent_mean(self.checkpoints))

    def best(self, agent: str) -> Floats:
        """(seeds, checkpoints) best so far."""
        return self.curves(agent, lambda trace: trace.best_so_far(self.checkpoints))

    def verdicts(self, agent: str, control: str) -> dict[str, Verdict]:
        """Whether an agent beats the control, by each criterion."""
        criteria = {"best so far": self.best, "recent mean": self.recent}
        return {
            name: verdict(figure(agent) - figure(control), self.checkpoints, self.lower_is_better)
            for name, figure in criteria.items()
        }
