"""The charts of a report: learning curves, the agent's own figures, cost against metric."""

from collections.abc import Mapping, Sequence

import numpy as np

from agents.records.averages import across_seeds
from agents.records.run_record import RunRecord
from agents.records.trace import Floats, Trace, recent_means
from agents.reports.architectures import Found, pareto_front
from agents.reports.chart import COLOURS, Axes, Chart, Series, Style, chart, thin

NOT_OF_THE_AGENT = (
    *("update", "children", "tokens", "elapsed_s", "failed"),
    *("mean_reward", "best_reward", "mean_metric"),
)
"""Columns of ``updates.csv`` that every search writes; the rest is what the agent logs."""
MOST_CIRCLES = 1500
RECENT = "mean of the recent children"
RECENT_NOTE = "Recent children: the last half so far, at least 8 and at most 100."
BAND_NOTE = "Lines: mean over seeds. Bands: 95% interval of that mean (Student's t over seeds)."


def metric_label(name: str) -> str:
    """A metric with its unit, for an axis."""
    known = {
        "accuracy": "validation accuracy (fraction)",
        "perplexity": "validation perplexity",
    }
    return known.get(name, name)


def trace_of(record: RunRecord, label: str = "") -> Trace:
    """A run as arrays."""
    return Trace.of(label or record.agent, record.seed, record.episodes, record.metric_name)


def run_curves(record: RunRecord) -> list[Chart]:
    """Charts of metric and reward of one run, with every child."""
    trace, name = trace_of(record), record.metric_name
    at = _checkpoints(len(trace))
    best_reward = np.maximum.accumulate(trace.rewards)[np.array(at) - 1]
    return [
        _one(f"{name} per child", metric_label(name), trace.metrics, trace.best_so_far(at), at),
        _one("reward per child", "reward", trace.rewards, best_reward, at),
    ]


def group_curves(groups: Mapping[str, Sequence[RunRecord]]) -> list[Chart]:
    """Charts of metric and reward of several runs: a line a group, with a band over its seeds."""
    traces = {label: [trace_of(one, label) for one in runs] for label, runs in groups.items()}
    name = next(iter(groups.values()))[0].metric_name
    at = _checkpoints(max(len(trace) for runs in traces.values() for trace in runs))
    recent, best, paid = (
        {label: [figure(one, _within(one, at)) for one in runs] for label, runs in traces.items()}
        for figure in (
            Trace.recent_mean,
            Trace.best_so_far,
            lambda trace, numbers: recent_means(trace.rewards, numbers),
        )
    )
    label = metric_label(name)
    return [
        _many(f"{name}, {RECENT}", label, recent, at),
        _many(f"best {name} so far", label, best, at),
        _many(f"reward, {RECENT}", "reward", paid, at),
    ]


def _checkpoints(children: int) -> list[int]:
    """As many numbers of children as a line has points."""
    return [index + 1 for index in thin(children)]


def _within(trace: Trace, checkpoints: Sequence[int]) -> list[int]:
    return [number for number in checkpoints if number <= len(trace)]


def _one(title: str, label: str, values: Floats, best: Floats, at: Sequence[int]) -> Chart:
    """Every child, mean of the recent ones and best so far."""
    known = np.flatnonzero(~np.isnan(values))
    dots = values[known].tolist()
    series = [
        Series("one child", (known + 1).tolist(), dots, COLOURS[0], "dots"),
        _line("best so far", at, best, 1, "dashed"),
        _line(RECENT, at, recent_means(values, at), 0),
    ]
    return chart(title, Axes("children", label, y_limits=_limits(dots, series[1].ys)), series)


def _line(
    name: str, at: Sequence[int], values: Floats, colour: int, style: Style = "line"
) -> Series:
    known = ~np.isnan(values)
    xs, ys = np.asarray(at)[known].tolist(), values[known].tolist()
    return Series(name, xs, ys, COLOURS[colour], style)


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


def _many(
    title: str, label: str, groups: Mapping[str, Sequence[Floats]], at: Sequence[int]
) -> Chart:
    """One line a group, with a band over its seeds."""
    series = []
    for index, (name, curves) in enumerate(groups.items()):
        band = across_seeds(curves, at)
        seeds = f" ({len(curves)} seeds)" if len(curves) > 1 else ""
        colour = COLOURS[index % len(COLOURS)]
        mean = band.mean.tolist()
        series.append(Series(f"{name}{seeds}", band.checkpoints, mean, colour, band=band.edges))
    return chart(title, Axes("children", label), series)


def agent_figures(record: RunRecord) -> list[Chart]:
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


def pareto_charts(found: Sequence[Found]) -> list[Chart]:
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


def _pareto(name: str, points: Sequence[tuple[Found, int]]) -> Chart:
    first, count = points[0][0], len(points)
    title = f"{first.record.metric_name} against {name}"
    if len({cost for _, cost in points}) == 1:
        whose = f"All {count:,} architectures have"
        if count == 1:
            whose = "The only architecture has"
        return Chart(title, note=f"{whose} {points[0][1]:,} {name}.")
    metrics = [one.metric for one, _ in points]
    front = pareto_front([cost for _, cost in points], metrics, first.record.lower_is_better)
    shown = sorted({*range(min(count, MOST_CIRCLES)), *front})  # points: best first
    series = [
        _dots([points[i] for i in shown], agent, n, name)
        for n, agent in enumerate(dict.fromkeys(one.record.agent for one, _ in points))
    ]
    xs, ys = [points[i][1] for i in front], [metrics[i] for i in front]
    series.append(Series("not beaten in both", xs, ys, "#1c2430", "front"))
    axes = Axes(name, metric_label(first.record.metric_name), True, _limits(metrics, ys))
    return chart(title, axes, series)


def _dots(points: Sequence[tuple[Found, int]], agent: str, index: int, cost: str) -> Series:
    mine = [(one, value) for one, value in points if one.record.agent == agent]
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
