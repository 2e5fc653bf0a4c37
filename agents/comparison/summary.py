"""What a set of finished runs shows as text: figures per block, and agent against agent."""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean

from agents.comparison.report import table_text
from agents.comparison.statistics import Comparison
from agents.records.averages import estimate
from agents.records.episode import Episode, best_of, recent_window
from agents.records.run_record import RunRecord, direction_in
from agents.records.trace import Trace

Groups = Mapping[str, Sequence[RunRecord]]


def block_table(groups: Groups, block: int) -> str:
    """Markdown: mean metric and best so far of each agent, over seeds, per block of children.

    Where rewards rank, they stand in the place of the metric; see ``agents.records.direction``.
    """
    by_reward = not direction_in([run for runs in groups.values() for run in runs])
    what = " reward" if by_reward else ""
    longest = max(len(run.episodes) for runs in groups.values() for run in runs)
    rows = []
    for start in range(0, longest, block):
        stop = min(start + block, longest)
        row = [f"{start + 1}-{stop}"]
        for runs in groups.values():
            blocks = [_values(run.episodes[start:stop], by_reward) for run in runs]
            bests = [best for run in runs if (best := best_of(run.episodes[:stop]))]
            row.append(str(estimate([fmean(values) for values in blocks if values])))
            row.append(str(estimate(_values(bests, by_reward))))
        rows.append(row)
    heads = [
        f"{agent}: {head}" for agent in groups for head in (f"mean{what}", f"best{what} so far")
    ]
    return table_text(["children", *heads], rows)


def cost_table(groups: Groups) -> str:
    """Markdown: the child with the highest reward, and the recent children; means over seeds."""
    heads = ["", "metric", "parameters", "MACs", "seconds", "recent: metric", "parameters", "MACs"]
    rows = []
    for agent, runs in groups.items():
        bests = [best for run in runs if (best := best_of(run.episodes))]
        recent = [
            [e for e in run.episodes[-recent_window(len(run.episodes)) :] if e.metric is not None]
            for run in runs
        ]
        rows.append(
            [
                agent,
                str(estimate(_values(bests, by_reward=False))),
                _count([e.parameters for e in bests]),
                _count([e.macs for e in bests]),
                f"{fmean(e.train_seconds for e in bests):.3g}" if bests else "-",
                str(estimate([fmean(_values(some, by_reward=False)) for some in recent if some])),
                _count([fmean(e.parameters for e in some) for some in recent if some]),
                _count([fmean(e.macs for e in some) for some in recent if some]),
            ]
        )
    return table_text(heads, rows)


def _count(values: Sequence[float]) -> str:
    """A mean and its standard error, in whole numbers."""
    found = estimate(values)
    if not values or not found.mean:
        return "-"
    error = "" if math.isnan(found.standard_error) else f" ± {found.standard_error:,.0f}"
    return f"{found.mean:,.0f}{error}"


def _values(episodes: Sequence[Episode], by_reward: bool) -> list[float]:
    """Of the children that did not fail."""
    return [e.reward if by_reward else e.metric for e in episodes if e.metric is not None]


def against_last(groups: Groups) -> list[str]:
    """A line for each agent but the last: whether it beats the last, over the seeds of both."""
    *others, control = groups
    return [_against(groups, agent, control) for agent in others]


def _against(groups: Groups, agent: str, control: str) -> str:
    pair = {label: {run.seed: run for run in groups[label]} for label in (agent, control)}
    seeds = sorted(pair[agent].keys() & pair[control].keys())
    if not seeds:
        return f"{agent} against {control}: no seed that both have"
    runs = [(label, pair[label][seed]) for label in pair for seed in seeds]
    children = min(len(run.episodes) for _, run in runs)
    traces = [
        Trace.of(label, run.seed, run.episodes[:children], run.metric_name) for label, run in runs
    ]
    direction = direction_in([run for _, run in runs])
    found = Comparison(traces, max(10, children // 100), direction).verdicts(agent, control)
    words = "; ".join(f"{name} {verdict.text}" for name, verdict in found.items())
    return f"{agent} against {control}, {len(seeds)} paired seeds: {words}"
