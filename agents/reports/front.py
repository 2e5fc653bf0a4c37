"""Cost against what ranks: which architectures nothing beats in both, drawn and listed.

The picture of a search in which a network must be good and cheap: Pareto's front, once for each
cost that is known.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from agents.records.direction import ranked_by
from agents.reports.architectures import Found, pareto_front
from agents.reports.chart import COLOURS, Axes, Chart, Series, chart
from agents.reports.curves import limits, metric_label

MOST_CIRCLES = 1500
LEAST_SECONDS = 0.01
MOST_ROWS = 30
"""Members of a front in the table."""


@dataclass(frozen=True)
class Cost:
    """What an architecture costs.

    Attributes:
        name: in titles and heads.
        of: reads it; 0 = unknown.
        shown: as text.
    """

    name: str
    of: Callable[[Found], float]
    shown: Callable[[float], str] = "{:,}".format


COSTS = (
    Cost("parameters", lambda one: one.episode.parameters),
    Cost("multiply-accumulates per example", lambda one: one.episode.macs),
    Cost("seconds of training", lambda one: _seconds(one), "{:.3g}".format),
)


def _seconds(one: Found) -> float:
    """Unknown where nothing was trained: a function that is called takes no time worth telling."""
    seconds = one.episode.train_seconds
    return seconds if seconds >= LEAST_SECONDS else 0.0


@dataclass(frozen=True)
class Front:
    """One cost: its picture, and the members of the front, cheapest first.

    Attributes:
        cost: name of the cost.
        chart: every architecture, and the front.
        members: the front.
        costs: of each member, as text.
    """

    cost: str
    chart: Chart
    members: Sequence[Found] = ()
    costs: Sequence[str] = field(default=())

    @property
    def rows(self) -> list[tuple[str, Found]]:
        """Rows of the table: the best members where there are too many."""
        return list(zip(self.costs, self.members, strict=True))[-MOST_ROWS:]


def fronts(found: Sequence[Found]) -> list[Front]:
    """The fronts of parameters, MACs and seconds, as far as they are known.

    Where all architectures cost the same, as cells of one size do, words instead of a picture.

    Args:
        found: different architectures, best first.
    """
    made = []
    for cost in COSTS:
        points = [(one, value) for one in found if (value := cost.of(one))]
        if points:
            made.append(_front(cost, points))
    return made


def _front(cost: Cost, points: Sequence[tuple[Found, float]]) -> Front:
    first, count = points[0][0], len(points)
    name = ranked_by(first.record.metric_name, first.direction)
    title = f"{name} against {cost.name}"
    if len({value for _, value in points}) == 1:
        whose = f"All {count:,} architectures have"
        if count == 1:
            whose = "The only architecture has"
        said = f"{whose} {cost.shown(points[0][1])} {cost.name}."
        return Front(cost.name, Chart(title, note=said))
    values = [one.value for one, _ in points]
    front = pareto_front([value for _, value in points], [one.gain for one, _ in points])
    shown = sorted({*range(min(count, MOST_CIRCLES)), *front})  # points: best first
    series = [
        _dots([points[i] for i in shown], agent, n, cost)
        for n, agent in enumerate(dict.fromkeys(one.record.agent for one, _ in points))
    ]
    xs, ys = [points[i][1] for i in front], [values[i] for i in front]
    series.append(Series("not beaten in both", xs, ys, "#1c2430", "front"))
    axes = Axes(cost.name, metric_label(name), True, limits(values, ys))
    members = [points[i][0] for i in front]
    return Front(cost.name, chart(title, axes, series), members, [cost.shown(x) for x in xs])


def _dots(points: Sequence[tuple[Found, float]], agent: str, index: int, cost: Cost) -> Series:
    mine = [(one, value) for one, value in points if one.record.agent == agent]
    return Series(
        agent,
        [value for _, value in mine],
        [one.value for one, _ in mine],
        COLOURS[index % len(COLOURS)],
        "dots",
        labels=[
            f"child {one.episode.number} ({one.record.name}): {one.value:.4g}, "
            f"{cost.shown(value)} {cost.name}"
            for one, value in mine
        ],
    )
