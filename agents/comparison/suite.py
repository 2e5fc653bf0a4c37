"""Agents over several tables: one page of what the field asks for.

What the page looks like stands in ``agents/reports/templates/suite.html.j2``.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from agents.comparison.aggregate import (
    interquartile_mean,
    interval,
    probability_of_improvement,
    profile,
)
from agents.comparison.regret import regrets
from agents.comparison.report import CONTROL
from agents.records.trace import Floats, Trace
from agents.reports.chart import COLOURS, Axes, Chart, Series, chart
from agents.reports.page import render
from nas_env.tables.table import Table

RIVALS = (CONTROL, "evolution")
"""Over which the probability of improvement is told."""
POINTS = 100
"""Of a curve."""
CURVE_DRAWS = 500
"""Bootstrap samples of a curve's band."""


@dataclass(frozen=True)
class Suite:
    """What searches found on several tables.

    Attributes:
        tables: label -> the table.
        traces: (table, agent) -> one trace a seed; equally many and as long everywhere.
    """

    tables: Mapping[str, Table]
    traces: Mapping[tuple[str, str], Sequence[Trace]]

    @property
    def agents(self) -> list[str]:
        """Labels, in order of appearance."""
        return list(dict.fromkeys(agent for _, agent in self.traces))

    @property
    def children(self) -> int:
        """Of each search."""
        return len(next(iter(self.traces.values()))[0])

    @property
    def seeds(self) -> int:
        """Searches of each agent on each table."""
        return len(next(iter(self.traces.values())))

    @cached_property
    def regrets(self) -> dict[str, Floats]:
        """Agent -> (tables, seeds, children) normalised regret."""
        return {
            agent: np.stack(
                [regrets(table, self.traces[name, agent]) for name, table in self.tables.items()]
            )
            for agent in self.agents
        }

    def seconds(self, agent: str) -> Floats:
        """(children,) mean seconds of training so far, over tables and seeds."""
        runs = [one.seconds.cumsum() for name in self.tables for one in self.traces[name, agent]]
        result: Floats = np.mean(runs, axis=0)
        return result


def suite_page(
    suite: Suite,
    title: str,
    budgets: Sequence[int],
    efforts: Mapping[str, str],
    origin: Sequence[tuple[str, str]],
) -> str:
    """The HTML document.

    Args:
        suite: what was found.
        title: of the page.
        budgets: numbers of children at which tables report.
        efforts: agent -> how much its settings were tuned.
        origin: command, versions, hardware.
    """
    return render(
        "suite.html.j2",
        title=title,
        refresh_s=0,
        subtitle=f"{', '.join(suite.agents)} · {len(suite.tables)} table"
        f"{'s' * (len(suite.tables) > 1)}: {', '.join(suite.tables)} · {suite.children:,} children "
        f"· {suite.seeds} seed{'s' * (suite.seeds > 1)}",
        regret=regret_rows(suite, budgets),
        area=area_rows(suite),
        improvement={rival: improvement_rows(suite, rival, budgets) for rival in _rivals(suite)},
        per_table=table_rows(suite, budgets),
        curves=curves(suite),
        profiles=profiles(suite, budgets),
        efforts=[[agent, efforts.get(agent, "not recorded")] for agent in suite.agents],
        origin=origin,
    )


Rows = tuple[list[str], list[list[str]]]
"""Heads and rows of a table."""


def regret_rows(suite: Suite, budgets: Sequence[int]) -> Rows:
    """Interquartile mean of the normalised regret at each budget, in per cent."""
    rows = []
    for agent, scores in suite.regrets.items():
        rows.append([agent, *(_with_interval(100 * scores[:, :, n - 1]) for n in budgets)])
    return ["agent", *(f"#{n:,} children" for n in budgets)], rows


def area_rows(suite: Suite) -> Rows:
    """Mean regret over the whole budget: the area under the curve of what is best so far."""
    rows = [
        [agent, _with_interval(100 * scores.mean(axis=2))]
        for agent, scores in suite.regrets.items()
    ]
    return ["agent", f"#mean over {suite.children:,} children"], rows


def improvement_rows(suite: Suite, rival: str, budgets: Sequence[int]) -> Rows:
    """Probability of improvement over a rival at each budget."""
    rows, theirs = [], suite.regrets[rival]
    for agent, ours in suite.regrets.items():
        if agent == rival:
            continue
        row = [agent]
        for n in budgets:
            pair = ours[:, :, n - 1], theirs[:, :, n - 1]
            low, high = interval(probability_of_improvement, *pair)
            row.append(f"{probability_of_improvement(*pair):.2f} [{low:.2f}, {high:.2f}]")
        rows.append(row)
    return ["agent", *(f"#{n:,} children" for n in budgets)], rows


def table_rows(suite: Suite, budgets: Sequence[int]) -> Rows:
    """The same regret on every table for itself."""
    rows = []
    for index, name in enumerate(suite.tables):
        for agent, scores in suite.regrets.items():
            own = 100 * scores[index : index + 1]
            rows.append([name, agent, *(_with_interval(own[:, :, n - 1]) for n in budgets)])
    return ["table", "agent", *(f"#{n:,} children" for n in budgets)], rows


def _with_interval(scores: Floats) -> str:
    low, high = interval(interquartile_mean, scores)
    return f"{interquartile_mean(scores):.2f} [{low:.2f}, {high:.2f}]"


def _rivals(suite: Suite) -> list[str]:
    return [rival for rival in RIVALS if rival in suite.agents and len(suite.agents) > 1]


def curves(suite: Suite) -> list[Chart]:
    """Interquartile mean of the regret against children, and against seconds of training."""
    first = min(4, suite.children)
    at = np.unique(np.geomspace(first, suite.children, POINTS).round().astype(int))
    lines, timed = [], []
    for index, (agent, scores) in enumerate(suite.regrets.items()):
        shown, colour = 100 * scores[:, :, at - 1], COLOURS[index % len(COLOURS)]
        low, high = interval(interquartile_mean, shown, draws=CURVE_DRAWS)
        band = (np.asarray(low).tolist(), np.asarray(high).tolist())
        ys = interquartile_mean(shown).tolist()
        lines.append(Series(agent, at.tolist(), ys, colour, band=band))
        seconds = suite.seconds(agent)[at - 1]
        if seconds[0] > 0:
            timed.append(Series(agent, seconds.tolist(), ys, colour, band=band))
    label, title = "normalised regret (%)", "Interquartile mean of the regret"
    charts = [chart(title, Axes("children", label, log_x=True), lines)]
    if timed:
        axes = Axes("seconds of training, one child after another", label, log_x=True)
        charts.append(chart(f"{title}, against time", axes, timed))
    return charts


def profiles(suite: Suite, budgets: Sequence[int]) -> list[Chart]:
    """Share of searches with a regret no higher than each threshold, at two budgets."""
    charts = []
    for n in dict.fromkeys([budgets[len(budgets) // 2], budgets[-1]]):
        highest = max(float(scores[:, :, n - 1].max()) for scores in suite.regrets.values())
        thresholds = np.linspace(0, highest or 1.0, POINTS)
        lines = [
            Series(
                agent,
                (100 * thresholds).tolist(),
                profile(scores[:, :, n - 1], thresholds).tolist(),
                COLOURS[index % len(COLOURS)],
            )
            for index, (agent, scores) in enumerate(suite.regrets.items())
        ]
        axes = Axes("normalised regret (%) of at most", "share of searches", y_limits=(0.0, 1.02))
        charts.append(chart(f"Performance profile after {n:,} children", axes, lines))
    return charts


def suite_csv(suite: Suite, budgets: Sequence[int]) -> str:
    """Every search at every budget, one row each."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["table", "agent", "seed", "children", "seconds", "normalised_regret"])
    for index, name in enumerate(suite.tables):
        for agent in suite.agents:
            for row, trace in enumerate(suite.traces[name, agent]):
                seconds = trace.seconds.cumsum()
                for n in budgets:
                    value = suite.regrets[agent][index, row, n - 1]
                    time = f"{seconds[n - 1]:.3f}"
                    writer.writerow([name, agent, trace.seed, n, time, f"{value:.6g}"])
    return text.getvalue()
