"""The charts of a report: learning curves, the agent's own figures, cost against metric."""

from collections.abc import Mapping, Sequence

from agents.reports.averages import across_seeds, best_so_far, running_mean, window_of
from agents.reports.chart import COLOURS, Axes, Series, chart
from agents.reports.data import Found, RunRecord, pareto_front
from agents.reports.page import note

NOT_OF_THE_AGENT = (
    *("update", "children", "tokens", "elapsed_s", "failed"),
    *("mean_reward", "best_reward", "mean_metric"),
)
"""Columns of ``updates.csv`` that every search writes; the rest is what the agent logs."""
MOST_CIRCLES = 1500


def metric_label(name: str) -> str:
    """A metric with its unit, for an axis."""
    known = {
        "accuracy": "validation accuracy (fraction)",
        "perplexity": "validation perplexity",
    }
    return known.get(name, name)


def by_agent(records: Sequence[RunRecord]) -> dict[str, list[RunRecord]]:
    """Records grouped by agent, in order of appearance."""
    groups: dict[str, list[RunRecord]] = {}
    for record in records:
        groups.setdefault(record.run.agent, []).append(record)
    return groups


def learning_curves(records: Sequence[RunRecord]) -> list[str]:
    """Charts of metric and reward per child: of one run with every child, of several by agent."""
    window = window_of([record.run for record in records])
    label, lower = metric_label(records[0].metric_name), records[0].run.lower_is_better
    metrics = [record.run.metrics for record in records]
    rewards = [[episode.reward for episode in record.episodes] for record in records]
    if len(records) == 1:
        return [
            _one(f"{records[0].metric_name} per child", label, metrics[0], window, lower),
            _one("reward per child", "reward", rewards[0], window, False),
        ]
    groups = by_agent(records)
    values: dict[str, list[Sequence[float | None]]] = {
        agent: [record.run.metrics for record in group] for agent, group in groups.items()
    }
    earned: dict[str, list[Sequence[float | None]]] = {
        agent: [[e.reward for e in record.episodes] for record in group]
        for agent, group in groups.items()
    }
    means = {a: [running_mean(v, window) for v in runs] for a, runs in values.items()}
    bests = {a: [best_so_far(v, lower) for v in runs] for a, runs in values.items()}
    paid = {a: [running_mean(v, window) for v in runs] for a, runs in earned.items()}
    name = records[0].metric_name
    return [
        _many(f"{name}, mean of the last {window} children", label, means),
        _many(f"best {name} so far", label, bests),
        _many(f"reward, mean of the last {window} children", "reward", paid),
    ]


def _one(title: str, label: str, values: Sequence[float | None], window: int, lower: bool) -> str:
    """Every child, running mean and best so far."""
    dots = {number: value for number, value in enumerate(values, 1) if value is not None}
    mean, best = running_mean(values, window), best_so_far(values, lower)
    series = [
        Series("one child", [*dots], [*dots.values()], COLOURS[0], "dots"),
        Series("best so far", [*best], [*best.values()], COLOURS[1], "dashed"),
        Series(f"mean of the last {window}", [*mean], [*mean.values()], COLOURS[0]),
    ]
    limits = _limits([*dots.values()], [*best.values()])
    return chart(title, Axes("children", label, y_limits=limits), series)


def _limits(values: Sequence[float], kept: Sequence[float]) -> tuple[float, float] | None:
    """The range to show where a few outliers would flatten the rest; None = everything."""
    if len(values) < 20:
        return None
    ranked = sorted(values)
    low, high = ranked[len(ranked) // 50], ranked[-1 - len(ranked) // 20]
    span = high - low
    if span <= 0 or ranked[-1] - ranked[0] < 4 * span:
        return None
    settled = kept[len(kept) // 2 :]
    return min(low - 0.3 * span, *settled), max(high + 0.3 * span, *settled)


def _many(title: str, label: str, groups: Mapping[str, Sequence[Mapping[int, float]]]) -> str:
    """One line an agent, with a band of one standard error over its seeds."""
    series = []
    for index, (agent, curves) in enumerate(groups.items()):
        band = across_seeds(curves)
        seeds = f" ({len(curves)} seeds)" if len(curves) > 1 else ""
        colour = COLOURS[index % len(COLOURS)]
        series.append(Series(f"{agent}{seeds}", band.numbers, band.mean, colour, band=band.edges))
    return chart(title, Axes("children", label), series)


def agent_figures(record: RunRecord) -> list[str]:
    """A small chart of each figure that the agent logs."""
    return [
        chart(
            name.replace("_", " "),
            Axes("updates", ""),
            [Series("", [*values], [*values.values()], COLOURS[2])],
        )
        for name, values in record.updates.items()
        if name not in NOT_OF_THE_AGENT and len(values) > 1
    ]


def pareto_charts(found: Sequence[Found]) -> list[str]:
    """Metric against parameters, and against MACs where they are known.

    Where all architectures cost the same, as cells of one size do, words instead of a chart.
    """
    costs = {
        "parameters": [one.episode.parameters for one in found],
        "multiply-accumulates per example": [one.episode.macs for one in found],
    }
    return [
        _pareto(name, [(one, cost) for one, cost in zip(found, values, strict=True) if cost])
        for name, values in costs.items()
        if any(values)
    ]


def _pareto(name: str, points: Sequence[tuple[Found, int]]) -> str:
    first = points[0][0]
    lower = first.record.run.lower_is_better
    title = f"{first.record.metric_name} against {name}"
    if len({cost for _, cost in points}) == 1:
        whose = (
            f"All {len(points):,} architectures have"
            if len(points) > 1
            else "The only architecture has"
        )
        return f"<figure><h3>{title}</h3>{note(f'{whose} {points[0][1]:,} {name}.')}</figure>"
    front = pareto_front([cost for _, cost in points], [one.metric for one, _ in points], lower)
    shown = sorted({*range(min(len(points), MOST_CIRCLES)), *front})  # points: best first
    series = [
        _dots([points[i] for i in shown], agent, n, name)
        for n, agent in enumerate(dict.fromkeys(one.record.run.agent for one, _ in points))
    ]
    xs, ys = [points[i][1] for i in front], [points[i][0].metric for i in front]
    series.append(Series("not beaten in both", xs, ys, "#1c2430", "front"))
    limits = _limits([one.metric for one, _ in points], ys)
    axes = Axes(name, metric_label(first.record.metric_name), log_x=True, y_limits=limits)
    return chart(title, axes, series)


def _dots(points: Sequence[tuple[Found, int]], agent: str, index: int, cost: str) -> Series:
    mine = [(one, value) for one, value in points if one.record.run.agent == agent]
    return Series(
        agent,
        [value for _, value in mine],
        [one.metric for one, _ in mine],
        COLOURS[index % len(COLOURS)],
        "dots",
        labels=[
            f"child {one.episode.number} ({one.record.name}): {one.metric:.4g}, {value:,} {cost}"
            for one, value in mine
        ],
    )
