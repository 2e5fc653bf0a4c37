"""The outcome of a comparison as files: CSV of every curve, and one HTML page with charts."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from agents.comparison.statistics import (
    RECENT,
    Band,
    Comparison,
    Floats,
    Verdict,
    bootstrap,
    verdict,
)
from agents.reports.chart import COLOURS, Axes, Series, chart
from agents.reports.curves import metric_label
from agents.reports.page import note, page, pairs, section, table
from agents.reports.summary import estimate

TOPS = (1, 5, 15)
"""Sizes of the top that Figure 6 shows."""
CONTROL = "random"


@dataclass(frozen=True)
class Page:
    """What a report says beside the figures.

    Attributes:
        title: of the page.
        origin: names and values: command, versions, hardware.
        budgets: numbers of children at which the tables report.
        test: (agent -> (seeds, budgets)) held-out figure of the child with the highest reward so
            far; None where there is none.
    """

    title: str
    origin: Sequence[tuple[str, str]]
    budgets: Sequence[int]
    test: Mapping[str, Floats] | None = None


def comparison_page(comparison: Comparison, about: Page) -> str:
    """The HTML document."""
    body = [
        f"<h1>{escape(about.title)}</h1><p class='sub'>{escape(_scope(comparison))}</p>",
        budget_section(comparison, about),
    ]
    if CONTROL in comparison.agents:
        body.append(verdict_section(comparison))
        body.append(_charts("Difference from random search", figure_6(comparison, about)))
    body.append(_charts("Curves", learning_charts(comparison, about)))
    body.append(section("Where this comes from", pairs(about.origin)))
    return page(about.title, body)


def _scope(comparison: Comparison) -> str:
    seeds = comparison.seeds
    return (
        f"{', '.join(comparison.agents)} · {comparison.children:,} children each · "
        f"{len(seeds)} paired seed{'s' * (len(seeds) > 1)}"
    )


def budget_rows(comparison: Comparison, about: Page) -> tuple[list[str], list[list[str]]]:
    """Heads and rows: mean and standard error over seeds of each agent at each budget."""
    heads = ["agent", "#children", f"#best {comparison.metric_name} so far"]
    heads += [f"#top {count}" for count in TOPS[1:]] + [f"#mean of last {RECENT}"]
    if about.test is not None:
        heads.append("#test, best by reward")
    rows = []
    for agent in comparison.agents:
        for at, budget in enumerate(about.budgets):
            figures = [
                comparison.curves(agent, lambda t, n=budget: t.best_so_far([n])),  # type: ignore[misc]
                *(
                    comparison.curves(agent, lambda t, n=budget, k=count: t.top_mean(k, [n]))  # type: ignore[misc]
                    for count in TOPS[1:]
                ),
                comparison.curves(agent, lambda t, n=budget: t.recent_mean([n], min(RECENT, n))),  # type: ignore[misc]
            ]
            if about.test is not None:
                figures.append(about.test[agent][:, at : at + 1])
            cells = [_estimate(values[:, 0]) for values in figures]
            rows.append([agent, f"{budget:,}", *cells])
    return heads, rows


def _estimate(values: Floats) -> str:
    return "-" if np.isnan(values).any() else str(estimate(values.tolist()))


def budget_section(comparison: Comparison, about: Page) -> str:
    """The table of budgets."""
    heads, rows = budget_rows(comparison, about)
    remark = "Mean over seeds ± one standard error. Best and top: of different architectures."
    if about.test is not None:
        remark += (
            " Test: held-out figure of the child with the highest reward so far, looked up after "
            "all searches had ended; no agent saw it."
        )
    return section("At each budget", table(heads, rows), note(remark))


def verdict_rows(comparison: Comparison) -> list[list[str]]:
    """For each agent but the control: whether it beats the control, by two criteria."""
    criteria = {"best so far": comparison.best, f"mean of last {RECENT}": comparison.recent}
    rows = []
    for agent in comparison.agents:
        if agent == CONTROL:
            continue
        cells = []
        for figure in criteria.values():
            found: Verdict = verdict(
                figure(agent) - figure(CONTROL),
                comparison.checkpoints,
                comparison.lower_is_better,
            )
            cells.append(found.text)
        rows.append([agent, *cells])
    return rows


def verdict_section(comparison: Comparison) -> str:
    """From how many children on each agent beats random search."""
    heads = ["agent", "best so far", f"mean of last {RECENT}"]
    return section(
        "Against random search",
        table(heads, verdict_rows(comparison)),
        note(
            "95% confidence, Student's t over differences of paired seeds; an agent is better from "
            "the first number of children after which it stays so to the end."
        ),
    )


def figure_6(comparison: Comparison, about: Page) -> list[str]:
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
            series.append(_series(agent, bootstrap(curves, comparison.checkpoints), index))
        ends = [comparison.checkpoints[0], comparison.children]
        series.append(Series("", ends, [0.0, 0.0], "#5b6675", "dashed"))
        unit = " (fraction)" if comparison.metric_name == "accuracy" else ""
        label = f"{comparison.metric_name} better by{unit}"
        charts.append(chart(f"top {count} unique models", Axes("children", label), series))
    return charts


def learning_charts(comparison: Comparison, about: Page) -> list[str]:
    """Best so far and mean of the last children, against children and against seconds."""
    kinds = {"best so far": comparison.best, f"mean of the last {RECENT}": comparison.recent}
    charts = []
    for name, figure in kinds.items():
        bands = {a: bootstrap(figure(a), comparison.checkpoints) for a in comparison.agents}
        label = metric_label(comparison.metric_name)
        lines = [_series(a, band, i) for i, (a, band) in enumerate(bands.items())]
        charts.append(chart(f"{name}", Axes("children", label), lines))
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
    edges = (band.low.tolist(), band.high.tolist())
    colour = COLOURS[index % len(COLOURS)]
    return Series(agent, band.checkpoints, band.mean.tolist(), colour, band=edges)


def _charts(title: str, charts: Sequence[str]) -> str:
    remark = "Lines: mean over seeds. Bands: 95% bootstrap interval of that mean over seeds."
    return section(title, f"<div class='charts'>{''.join(charts)}</div>", note(remark))


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


def best_test_figures(
    comparison: Comparison,
    figures: Mapping[tuple[str, int], NDArray[np.float64]],
    budgets: Sequence[int],
) -> dict[str, Floats]:
    """(seeds, budgets) held-out figure of each agent's best child by reward.

    Args:
        comparison: the traces.
        figures: (agent, seed) -> (children,) held-out figure of each child.
        budgets: numbers of children.
    """
    return {
        agent: np.stack([figures[agent, t.seed][t.best_children(budgets)] for t in traces])
        for agent, traces in comparison.agents.items()
    }
