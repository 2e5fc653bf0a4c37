"""The charts of a report: learning curves and the agent's own figures."""

from collections.abc import Mapping, Sequence

import numpy as np

from agents.records.averages import across_seeds
from agents.records.direction import ranked_by
from agents.records.run_record import RunRecord, direction_in
from agents.records.trace import Floats, Trace, compared, recent_means
from agents.reports.chart import COLOURS, Axes, Chart, Series, Style, chart, thin

NOT_OF_THE_AGENT = (
    *("update", "children", "tokens", "elapsed_s", "failed"),
    *("mean_reward", "best_reward", "mean_metric"),
)
"""Columns of ``updates.csv`` that every search writes; the rest is what the agent logs."""
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
    best = trace.best_children(at)
    paid = np.where(np.isnan(trace.metrics), np.nan, trace.rewards)  # of failed children: none
    told = "best so far" if trace.sign else "child of the highest reward so far"
    return [
        _one(f"{name} per child", metric_label(name), trace.metrics, trace.metrics[best], at, told),
        _one("reward per child", "reward", trace.rewards, paid[best], at, "best so far"),
    ]


def group_curves(groups: Mapping[str, Sequence[RunRecord]]) -> list[Chart]:
    """Charts of metric and reward of several runs: a line a group, with a band over its seeds."""
    records = [record for group in groups.values() for record in group]
    every = [trace_of(one, label) for label, runs in groups.items() for one in runs]
    ranked = iter(compared(every, direction_in(records)))
    traces = {label: [next(ranked) for _ in runs] for label, runs in groups.items()}
    first = next(iter(traces.values()))[0]
    name, best_name = first.metric_name, ranked_by(first.metric_name, first.sign)
    at = _checkpoints(max(len(trace) for runs in traces.values() for trace in runs))
    recent, best, paid = (
        {label: [figure(one, _within(one, at)) for one in runs] for label, runs in traces.items()}
        for figure in (
            lambda trace, numbers: recent_means(trace.metrics, numbers),
            Trace.best_so_far,
            lambda trace, numbers: recent_means(trace.rewards, numbers),
        )
    )
    label = metric_label(name)
    return [
        _many(f"{name}, {RECENT}", label, recent, at),
        _many(f"best {best_name} so far", metric_label(best_name), best, at),
        _many(f"reward, {RECENT}", "reward", paid, at),
    ]


def _checkpoints(children: int) -> list[int]:
    """As many numbers of children as a line has points."""
    return [index + 1 for index in thin(children)]


def _within(trace: Trace, checkpoints: Sequence[int]) -> list[int]:
    return [number for number in checkpoints if number <= len(trace)]


def _one(
    title: str, label: str, values: Floats, best: Floats, at: Sequence[int], told: str
) -> Chart:
    """Every child, mean of the recent ones, and the best so far by the name ``told``."""
    known = np.flatnonzero(~np.isnan(values))
    dots = values[known].tolist()
    series = [
        Series("one child", (known + 1).tolist(), dots, COLOURS[0], "dots"),
        _line(told, at, best, 1, "dashed"),
        _line(RECENT, at, recent_means(values, at), 0),
    ]
    return chart(title, Axes("children", label, y_limits=limits(dots, series[1].ys)), series)


def _line(
    name: str, at: Sequence[int], values: Floats, colour: int, style: Style = "line"
) -> Series:
    known = ~np.isnan(values)
    xs, ys = np.asarray(at)[known].tolist(), values[known].tolist()
    return Series(name, xs, ys, COLOURS[colour], style)


def limits(values: Sequence[float], kept: Sequence[float]) -> tuple[float, float] | None:
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
