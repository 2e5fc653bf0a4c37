"""Measured figures as charts: lines with error bars, each named at its end."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from agents.reports.chart import COLOURS, Scale
from nas_env.rendering.picture import Picture, sheet
from nas_env.rendering.shapes import FAINT, INK, SOFT, Box, Item, Line, Text, text_width
from scripts.documents.results import Chart, Curve, Figure, Results

WIDTH, HEIGHT = 720.0, 400.0
LEFT, TOP, BOTTOM, MARGIN = 64.0, 52.0, 52.0, 14.0
SIZE, STEP = 13.0, 17.0
"""Of letters, and between the names of two lines."""
COLUMNS, ROWS = 7, 6
"""Ticks, about."""


@dataclass(frozen=True)
class _Points:
    name: str
    colour: str
    xs: list[float]
    figures: list[Figure]

    @property
    def values(self) -> list[float]:
        return [figure.value or 0.0 for figure in self.figures]

    @property
    def edges(self) -> Iterator[float]:
        """Ends of all error bars."""
        for figure in self.figures:
            spread = figure.spread or 0.0
            yield from ((figure.value or 0.0) - spread, (figure.value or 0.0) + spread)


def draw_chart(results: Results, name: str) -> Picture:
    """One chart of the results file."""
    chart = results.charts[name]
    lines = [
        _Points(curve.name, COLOURS[n % len(COLOURS)], *_read(results, curve))
        for n, curve in enumerate(chart.curves)
    ]
    x, y = _scales(chart, lines)
    items: list[Item] = [Text(MARGIN, 26, chart.title, 15, INK, "start", True)]
    items += _axes(chart, x, y)
    for points in lines:
        items += _curve(points, x, y)
    items += _names(lines, x, y)
    return sheet(WIDTH, HEIGHT, items, chart.title)


def _read(results: Results, curve: Curve) -> tuple[list[float], list[Figure]]:
    """Where the points are, by the last number in their heads, and what was measured there."""
    table = results.tables[curve.table]
    if curve.column:
        heads = {row: f"{curve.table}/{row}/{curve.column}" for row in results.rows(curve.table)}
    else:
        names = [column.name for column in table.columns]
        heads = {column: f"{curve.table}/{curve.row}/{column}" for column in names}
    there = {_number(head): key for head, key in heads.items() if key in results.figures}
    return list(there), [results.figures[key] for key in there.values()]


def _number(head: str) -> float:
    """``1-50`` -> 50, ``1,000 children`` -> 1000."""
    return float(head.split()[0].split("-")[-1].replace(",", ""))


def _scales(chart: Chart, lines: list[_Points]) -> tuple[Scale, Scale]:
    xs = [value for points in lines for value in points.xs]
    edges = [value for points in lines for value in points.edges]
    margin = 0.05 * (max(edges) - min(edges))
    right = WIDTH - MARGIN - max(text_width(points.name, SIZE) for points in lines) - 8
    low, high = (min(xs) / 1.1, max(xs) * 1.1) if chart.log_x else (0.0, max(xs))
    x = Scale(low, high, LEFT, right, chart.log_x, whole=True)
    return x, Scale(min(edges) - margin, max(edges) + margin, HEIGHT - BOTTOM, TOP)


def _axes(chart: Chart, x: Scale, y: Scale) -> Iterator[Item]:
    for value, text in y.ticks(ROWS).items():
        yield Line(((x.start, y(value)), (x.stop, y(value))), FAINT, 0.7)
        yield Text(x.start - 8, y(value) + 4, text, 12, SOFT, "end")
    for value, text in x.ticks(COLUMNS).items():
        yield Line(((x(value), y.start), (x(value), y.start + 5)), SOFT, 1.0)
        yield Text(x(value), y.start + 19, text, 12, SOFT, "middle")
    yield Line(((x.start, y.start), (x.stop, y.start)), SOFT, 1.2)
    yield Text((x.start + x.stop) / 2, HEIGHT - 12, chart.x_label, SIZE, SOFT, "middle")
    yield Text(MARGIN, TOP - 8, chart.y_label, 12, SOFT)


def _curve(points: _Points, x: Scale, y: Scale) -> Iterator[Item]:
    places = [(x(a), y(b)) for a, b in zip(points.xs, points.values, strict=True)]
    for first, second in pairwise(places):
        yield Line((first, second), points.colour, 2.2)
    for (at, middle), figure in zip(places, points.figures, strict=True):
        value, spread = figure.value or 0.0, figure.spread or 0.0
        yield Line(((at, y(value - spread)), (at, y(value + spread))), points.colour, 1.3)
        yield Box(at - 3, middle - 3, 6, 6, points.colour, points.colour, 0, 3)


def _names(lines: list[_Points], x: Scale, y: Scale) -> Iterator[Item]:
    """The name of each line at the height of its end, apart from one another."""
    wanted = sorted(lines, key=lambda points: y(points.values[-1]))
    heights: list[float] = []
    for points in wanted:
        least = heights[-1] + STEP if heights else 0.0
        heights.append(max(y(points.values[-1]), least))
    over = max(0.0, heights[-1] - (y.start - 6))
    for points, height in zip(wanted, heights, strict=True):
        yield Text(x.stop + 8, height - over + 4, points.name, SIZE, points.colour, bold=True)
