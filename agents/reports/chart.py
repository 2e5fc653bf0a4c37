"""Charts as SVG text, made by hand: axes with ticks and units, lines, bands and dots."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from agents.reports.ticks import linear_ticks, log_ticks, tick_texts

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b58900", "#56b4e9", "#5b5b5b")
"""Told apart by people with any colour vision (Okabe and Ito); yellow darkened for white paper."""
WIDTH, HEIGHT = 480, 300
RIGHT, TOP, BOTTOM = 12, 14, 44
LETTER, LABEL, INSET = 10, 25, 6
"""Room for a letter of a tick (at the largest size a page sets), for the label of the y axis, and
between the axis and the first point."""
COLUMNS, ROWS = 6, 7
"""Ticks, about, along x and along y."""
MOST_POINTS = 400
"""Points of a line that are drawn: about one a pixel."""

Style = Literal["line", "dashed", "dots", "front"]


@dataclass(frozen=True)
class Series:
    """One thing drawn.

    Attributes:
        name: for the legend; ``""`` leaves it out.
        xs: ascending for lines.
        ys: as many.
        colour: CSS colour.
        style: ``"line"``, ``"dashed"``, ``"dots"``, or ``"front"``: a thin staircase with a ring
            around each point.
        band: lower and upper edge of a band around a line.
        labels: a tool tip for each dot.
    """

    name: str
    xs: Sequence[float]
    ys: Sequence[float]
    colour: str
    style: Style = "line"
    band: tuple[Sequence[float], Sequence[float]] | None = None
    labels: Sequence[str] = ()


@dataclass(frozen=True)
class Axes:
    """What is measured along the sides.

    Attributes:
        x_label: with its unit.
        y_label: with its unit.
        log_x: logarithmic x axis.
        y_limits: shown range; None = all of the data. What lies outside is cut off.
    """

    x_label: str
    y_label: str
    log_x: bool = False
    y_limits: tuple[float, float] | None = None


@dataclass(frozen=True)
class Scale:
    """Data -> pixels along one axis, and its ticks; ``whole``: at whole numbers alone."""

    low: float
    high: float
    start: float
    stop: float
    log: bool = False
    whole: bool = False

    def __call__(self, value: float) -> float:
        """Pixel of a value."""
        low, high = (math.log10(v) for v in (self.low, self.high)) if self.log else self._range
        at = math.log10(value) if self.log else value
        return self.start + (at - low) / (high - low) * (self.stop - self.start)

    @property
    def _range(self) -> tuple[float, float]:
        return self.low, self.high

    def ticks(self, about: int) -> dict[float, str]:
        """Where a tick is -> how it is written."""
        if self.log:
            found = log_ticks(self.low, self.high)
        else:
            found = linear_ticks(self.low, self.high, about, 1.0 if self.whole else 0.0)
        return dict(zip(found, tick_texts(found), strict=True))


@dataclass(frozen=True)
class Chart:
    """What a page shows under a heading.

    Attributes:
        title: the heading, as plain text.
        svg: the picture; every text in it is escaped.
        keys: the legend: (a small SVG, name as plain text).
        note: said instead of a picture, or beside it.
    """

    title: str
    svg: str = ""
    keys: Sequence[tuple[str, str]] = ()
    note: str = ""


def chart(title: str, axes: Axes, series: Sequence[Series]) -> Chart:
    """Draw series; those without a point are left out, and without any the chart says so."""
    shown = [one for one in series if len(one.xs)]
    if not shown:
        return Chart(title, note="Nothing to show: no child was trained.")
    y = _y_scale(axes, shown)
    left = _room(axes, y)
    x = _x_scale(axes, shown, left)
    inside = f"{left} {TOP} {WIDTH - left - RIGHT} {HEIGHT - TOP - BOTTOM}"
    parts = [
        f"<svg class='chart' viewBox='0 0 {WIDTH} {HEIGHT}' role='img' "
        f"aria-label='{escape(title, quote=True)}'>",
        _grid(axes, x, y, left),
        f"<svg x='{left}' y='{TOP}' width='{WIDTH - left - RIGHT}' height='{HEIGHT - TOP - BOTTOM}'"
        f" viewBox='{inside}'>",
        *(_band(one, x, y) for one in shown if one.band),
        *(_mark(one, x, y) for one in shown),
        "</svg></svg>",
    ]
    keys = [(_KEYS[one.style].format(one.colour), one.name) for one in shown if one.name]
    return Chart(title, "".join(parts), keys)


def _y_scale(axes: Axes, series: Sequence[Series]) -> Scale:
    low, high = axes.y_limits or _limits(series)
    return Scale(low, high, HEIGHT - BOTTOM, TOP)


def _room(axes: Axes, y: Scale) -> int:
    """Left of the y axis: as much as its label and its longest tick need."""
    longest = max((len(text) for text in y.ticks(ROWS).values()), default=0)
    return (LABEL if axes.y_label else 0) + LETTER * longest + 12


def _x_scale(axes: Axes, series: Sequence[Series], start: int) -> Scale:
    xs = [x for one in series for x in one.xs]
    left, right = min(xs), max(xs)
    if axes.log_x:
        left, right = left / 1.15, right * 1.15
    elif left == right:
        left, right = left - 0.5, right + 0.5
    whole = all(float(x).is_integer() for x in xs)
    return Scale(left, right, start + INSET, WIDTH - RIGHT - INSET, axes.log_x, whole)


def _limits(series: Sequence[Series]) -> tuple[float, float]:
    """Range of all values, with a margin.

    Bands widen it to either side by at most half the range of the values: the interval of two seeds
    may be twenty times as wide as the lines are apart, and is then cut off.
    """
    values = [y for one in series for y in one.ys]
    low, high = min(values), max(values)
    span = (high - low) or abs(high) * 0.05 or 0.5
    edges = [y for one in series if one.band for edge in one.band for y in edge]
    low = max(low - span / 2, min([low, *edges]))
    high = min(high + span / 2, max([high, *edges]))
    margin = 0.06 * (high - low) or span
    return low - margin, high + margin


def _grid(axes: Axes, x: Scale, y: Scale, left: int) -> str:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts = []
    for tick, text in y.ticks(ROWS).items():
        at = y(tick)
        parts.append(f"<path class='grid' d='M{left} {at:.1f}H{right}'/>")
        parts.append(f"<text x='{left - 7}' y='{at + 4:.1f}' class='end'>{text}</text>")
    for tick, text in x.ticks(COLUMNS).items():
        at = x(tick)
        parts.append(f"<path class='grid' d='M{at:.1f} {TOP}V{bottom}'/>")
        parts.append(f"<text x='{at:.1f}' y='{bottom + 17}' class='middle'>{text}</text>")
    middle = (TOP + bottom) / 2
    parts.append(f"<path class='axis' d='M{left} {TOP}V{bottom}H{right}'/>")
    parts.append(
        f"<text x='{(left + right) / 2}' y='{HEIGHT - 7}' class='middle name'>"
        f"{escape(axes.x_label)}</text>"
        f"<text transform='translate(16 {middle}) rotate(-90)' class='middle name'>"
        f"{escape(axes.y_label)}</text>"
    )
    return "".join(parts)


def thin(count: int) -> list[int]:
    """At most ``MOST_POINTS`` indices, evenly spread, the first and last among them."""
    if count <= MOST_POINTS:
        return list(range(count))
    return sorted({round(i * (count - 1) / (MOST_POINTS - 1)) for i in range(MOST_POINTS)})


def _points(xs: Sequence[float], ys: Sequence[float], x: Scale, y: Scale) -> list[str]:
    return [f"{x(xs[i]):.1f} {y(ys[i]):.1f}" for i in thin(len(xs))]


def _band(series: Series, x: Scale, y: Scale) -> str:
    assert series.band is not None
    low, high = series.band
    there = _points(series.xs, low, x, y)
    back = reversed(_points(series.xs, high, x, y))
    outline = "L".join([*there, *back])
    return f"<path d='M{outline}Z' fill='{series.colour}' opacity='.16'/>"


def _mark(series: Series, x: Scale, y: Scale) -> str:
    if series.style == "dots":
        return _dots(series, x, y)
    if series.style == "front":
        steps = [f"{x(a):.1f} {y(b):.1f}" for a, b in _stairs(series.xs, series.ys)]
        line, look = "L".join(steps), f"stroke='{series.colour}' stroke-width='1.5'"
        rings = "".join(
            f"<circle cx='{x(a):.1f}' cy='{y(b):.1f}' r='5.2'/>"
            for a, b in zip(series.xs, series.ys, strict=True)
        )
        return f"<g fill='none' {look}><path d='M{line}'/>{rings}</g>"
    dash = " stroke-dasharray='6 4'" if series.style == "dashed" else ""
    line = "L".join(_points(series.xs, series.ys, x, y))
    dot, thick = ("h.01", 6) if len(series.xs) == 1 else ("", 2.2)
    return (
        f"<path d='M{line}{dot}' fill='none' stroke='{series.colour}' stroke-width='{thick}'"
        f" stroke-linejoin='round' stroke-linecap='round'{dash}/>"
    )


def _dots(series: Series, x: Scale, y: Scale) -> str:
    """With tool tips one circle each; without, all in one path, which is a tenth of the size."""
    places = [f"{x(a):.1f} {y(b):.1f}" for a, b in zip(series.xs, series.ys, strict=True)]
    if not series.labels:
        path = "".join(f"M{place}h.01" for place in places)
        return f"<path class='dots' d='{path}' stroke='{series.colour}'/>"
    circles = (
        f"<circle cx='{place.split()[0]}' cy='{place.split()[1]}' r='3.6'>"
        f"<title>{escape(label)}</title></circle>"
        for place, label in zip(places, series.labels, strict=True)
    )
    return f"<g fill='{series.colour}' class='tips'>{''.join(circles)}</g>"


def _stairs(xs: Sequence[float], ys: Sequence[float]) -> list[tuple[float, float]]:
    """Corners of a staircase through points: first along x, then along y."""
    corners = [(xs[0], ys[0])]
    for a, b in zip(xs[1:], ys[1:], strict=True):
        corners += [(a, corners[-1][1]), (a, b)]
    return corners


_KEYS: dict[Style, str] = {
    "line": "<path d='M1 6H21' stroke='{0}' stroke-width='2.5'/>",
    "dashed": "<path d='M1 6H21' stroke='{0}' stroke-width='2.5' stroke-dasharray='6 3'/>",
    "dots": "<circle cx='11' cy='6' r='3.5' fill='{0}' opacity='.6'/>",
    "front": "<path d='M1 6H6.5M15.5 6H21' stroke='{0}' stroke-width='1.5'/>"
    "<circle cx='11' cy='6' r='4.5' stroke='{0}' stroke-width='1.5' fill='none'/>",
}
