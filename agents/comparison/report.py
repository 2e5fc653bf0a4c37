"""The outcome of a comparison as files: CSV of every curve, and one HTML page with charts.

What the page looks like stands in ``agents/reports/templates/comparison.html.j2``.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.comparison.statistics import Comparison
from agents.records.averages import Band, across_seeds, estimate
from agents.records.trace import Floats
from agents.reports.chart import COLOURS, Axes, Chart, Series, chart
from agents.reports.curves import BAND_NOTE, RECENT_NOTE, metric_label
from agents.reports.page import render

TOPS = (1, 5, 15)
"""Sizes of the top that Figure 6 shows."""
CONTROL = "random"
VERDICT_HEADS = ["agent", "best so far", "recent mean"]


@dataclass(frozen=True)
class Page:
    """What a report says beside the figures.

    Attributes:
        title: of the page.
        origin: names and values: command, versions, hardware.
        budgets: numbers of children at which the tables report.
        regret: (agent -> (seeds, budgets)) of the child with the highest reward so far, in a table:
            how far the mean of its trainings is from the best mean; None without a table.
        noise: what a regret can tell, in words.
        test: (agent -> (seeds, budgets)) held-out figure of the child with the highest reward so
            far; None where none was asked for.
    """

    title: str
    origin: Sequence[tuple[str, str]]
    budgets: Sequence[int]
    regret: Mapping[str, Floats] | None = None
    noise: str = ""
    test: Mapping[str, Floats] | None = None


def comparison_page(comparison: Comparison, about: Page) -> str:
    """The HTML document."""
    heads, rows = budget_rows(comparison, about)
    verdicts = verdict_rows(comparison)
    seeds = len(comparison.seeds)
    return render(
        "comparison.html.j2",
        title=about.title,
        refresh_s=0,
        subtitle=f"{', '.join(comparison.agents)} · {comparison.children:,} children each · "
        f"{seeds} paired seed{'s' * (seeds > 1)}",
        budget_heads=heads,
        budget_rows=rows,
        recent_note=RECENT_NOTE,
        band_note=BAND_NOTE,
        noise=about.noise,
        tested=about.test is not None,
        verdict_heads=VERDICT_HEADS,
        verdict_rows=verdicts,
        differences=figure_6(comparison) if verdicts else [],
        curves=learning_charts(comparison),
        origin=about.origin,
    )


def budget_rows(comparison: Comparison, about: Page) -> tuple[list[str], list[list[str]]]:
    """Heads and rows: mean and standard error over seeds of each agent at each budget."""
    heads = ["agent", "#children", f"#best {comparison.ranked_by} so far"]
    heads += [f"#top {count}" for count in TOPS[1:]] + ["#recent mean"]
    extra = {"#regret, best by reward": about.regret, "#test, best by reward": about.test}
    heads += [head for head, given in extra.items() if given is not None]
    rows = []
    for agent, traces in comparison.agents.items():
        figures = [[trace.best_so_far(about.budgets) for trace in traces]]
        for count in TOPS[1:]:
            figures.append([trace.top_mean(count, about.budgets) for trace in traces])
        figures.append([trace.recent_mean(about.budgets) for trace in traces])
        figures += [list(given[agent]) for given in extra.values() if given is not None]
        for at, budget in enumerate(about.budgets):
            cells = [_estimate(np.array([values[at] for values in one])) for one in figures]
            rows.append([agent, f"{budget:,}", *cells])
    return heads, rows


def _estimate(values: Floats) -> str:
    return "-" if np.isnan(values).any() else str(estimate(values.tolist()))


def verdict_rows(comparison: Comparison) -> list[list[str]]:
    """For each agent but the control: whether it beats the control, by two criteria."""
    if CONTROL not in comparison.agents:
        return []
    return [
        [agent, *(found.text for found in comparison.verdicts(agent, CONTROL).values())]
        for agent in comparison.agents
        if agent != CONTROL
    ]


def figure_6(comparison: Comparison) -> list[Chart]:
    """One chart for each size of the top."""
    charts = []
    for count in TOPS:
        series = []
        for index, agent in enumerate(comparison.agents):
            if agent == CONTROL:
                continue
            curves = comparison.top_means(agent, count) - comparison.top_means(CONTROL, count)
            if comparison.lower_is_better:
                curves = -curves
            series.append(_series(agent, across_seeds(curves, comparison.checkpoints), index))
        ends = [comparison.checkpoints[0], comparison.children]
        series.append(Series("", ends, [0.0, 0.0], "#5b6675", "dashed"))
        unit = " (fraction)" if comparison.ranked_by == "accuracy" else ""
        label = f"{comparison.ranked_by} better by{unit}"
        charts.append(chart(f"top {count} unique models", Axes("children", label), series))
    return charts


def learning_charts(comparison: Comparison) -> list[Chart]:
    """Best so far and mean of the recent children, against children and against seconds."""
    kinds = {"best so far": comparison.best, "mean of the recent children": comparison.recent}
    charts = []
    for name, figure in kinds.items():
        bands = {a: across_seeds(figure(a), comparison.checkpoints) for a in comparison.agents}
        label = metric_label(comparison.ranked_by)
        lines = [_series(a, band, i) for i, (a, band) in enumerate(bands.items())]
        charts.append(chart(name, Axes("children", label), lines))
        timed = [_timed(comparison, a, band, i) for i, (a, band) in enumerate(bands.items())]
        axes = Axes("seconds of training, one child after another", label)
        if any(one.xs[-1] > 0 for one in timed if len(one.xs)):
            charts.append(chart(f"{name}, against time", axes, timed))
    return charts


def _timed(comparison: Comparison, agent: str, band: Band, index: int) -> Series:
    """The same curve over the mean seconds that so many children took."""
    seconds = comparison.curves(agent, lambda trace: trace.seconds.cumsum()).mean(axis=0)
    line = _series(agent, band, index)
    xs = [float(seconds[n - 1]) for n in band.checkpoints]
    return Series(line.name, xs, line.ys, line.colour, band=line.band)


def _series(agent: str, band: Band, index: int) -> Series:
    colour = COLOURS[index % len(COLOURS)]
    return Series(agent, band.checkpoints, band.mean.tolist(), colour, band=band.edges)


def curves_csv(comparison: Comparison) -> str:
    """Every figure of every agent and seed at every checkpoint, one row each."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    tops = [f"top_{count}" for count in TOPS]
    writer.writerow(["agent", "seed", "children", "seconds", "best", *tops, "recent_mean"])
    for agent, traces in comparison.agents.items():
        columns = [comparison.best(agent)]
        columns += [comparison.top_means(agent, count) for count in TOPS]
        columns += [comparison.recent(agent)]
        for row, trace in enumerate(traces):
            seconds = trace.seconds.cumsum()
            for at, children in enumerate(comparison.checkpoints):
                values = [_cell(column[row, at]) for column in columns]
                time = f"{seconds[children - 1]:.3f}"
                writer.writerow([agent, trace.seed, children, time, *values])
    return text.getvalue()


def _cell(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.6g}"


def table_text(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table: for the terminal and for documents."""
    lines = [" | ".join(head.lstrip("#") for head in heads), " | ".join("---" for _ in heads)]
    return "\n".join(f"| {line} |" for line in [*lines, *map(" | ".join, rows)])


def best_figures(
    comparison: Comparison,
    figures: Mapping[tuple[str, int], NDArray[np.float64]],
    budgets: Sequence[int],
) -> dict[str, Floats]:
    """(seeds, budgets) figure of each agent's best child by reward.

    Args:
        comparison: the traces.
        figures: (agent, seed) -> (children,) figure of each child.
        budgets: numbers of children.
    """
    return {
        agent: np.stack([figures[agent, t.seed][t.best_children(budgets)] for t in traces])
        for agent, traces in comparison.agents.items()
    }
