"""What a search chose, position by position, over its children: a panel of heat maps."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas_env.rendering.conv_rows import LAYER_NAMES
from nas_env.rendering.picture import Picture, sheet
from nas_env.rendering.shapes import INK, SOFT, Box, Grid, Item, Point, Text, fitted, text_width
from nas_env.space.layout import Layout, Position

COLOURS = (
    *("#f7fbff", "#e3eef9", "#cfe1f2", "#b5d4e9", "#93c3df"),
    *("#6daed5", "#4b97c9", "#2f7ebc", "#1864aa", "#0a4a90", "#08306b"),
)
"""From a share of 0 to a share of 1."""
NOTHING = "#f1f2f4"
"""Where no child had that choice."""
ROW, SIZE, BETWEEN = 12.0, 9.0, 4.0
"""Height of a row, of its letters, and between two choices."""
WORDS, MAP = 96.0, 200.0
"""Most room for names, and for options; width of a map."""
GUTTER, MARGIN, HEAD, FOOT, TITLE, AXIS = 26.0, 20.0, 46.0, 54.0, 20.0, 20.0
ACROSS = 3
"""Panels side by side."""
SHORT = {
    "filter_height": "FH",
    "filter_width": "FW",
    "filters": "N",
    "stride_height": "SH",
    "stride_width": "SW",
}
OF_A_NODE = ("combination", "activation")


@dataclass(frozen=True)
class _Row:
    """One line of a panel: the share of one option of one position."""

    position: int
    option: int
    name: str
    label: str
    first: bool


@dataclass(frozen=True)
class _Widths:
    """Room for names and options, the same in all panels."""

    names: float
    options: float

    @property
    def panel(self) -> float:
        return self.names + self.options + MAP


@dataclass(frozen=True)
class _Panel:
    title: str
    rows: tuple[_Row, ...]

    @property
    def height(self) -> float:
        """In pixels, with title and axis."""
        return TITLE + ROW * len(self.rows) + BETWEEN * sum(r.first for r in self.rows) + AXIS


def draw_shares(
    layout: Layout, shares: NDArray[np.float64], children: Sequence[int], title: str, remark: str
) -> Picture:
    """Draw how often each option was chosen, over a search.

    Args:
        layout: the positions.
        shares: (columns, positions, options) share of each option, NaN where nothing was chosen.
        children: (columns,) number of the last child in each column.
        title: first line.
        remark: last line.
    """
    panels = list(_panels(layout, shares))
    across = min(ACROSS, len(panels))
    widths = _widths([row for panel in panels for row in panel.rows])
    step = widths.panel + GUTTER
    total = max(2 * MARGIN + across * step - GUTTER, text_width(remark, 11) + 260.0)
    items: list[Item] = [Text(MARGIN, 28, fitted(title, 14, total - 40), 14, INK, "start", True)]
    y = HEAD
    for start in range(0, len(panels), across):
        row = panels[start : start + across]
        for place, panel in enumerate(row):
            items += _draw(panel, widths, shares, children, (MARGIN + place * step, y))
        y += max(panel.height for panel in row) + 12
    items += _scale(total - MARGIN - 200, y + 16)
    items.append(Text(MARGIN, y + 25, remark, 11, SOFT))
    return sheet(total, y + FOOT, items, title)


def _panels(layout: Layout, shares: NDArray[np.float64]) -> Iterator[_Panel]:
    """A panel a layer (of a cell: a node), or a choice that belongs to none; none if never used."""
    used = (~np.isnan(shares)).max(axis=(0, 2)).tolist()  # (positions,)
    groups: dict[str, list[_Row]] = {}
    for index, position in enumerate(layout):
        if used[index]:
            groups.setdefault(_owner(position), []).extend(_rows(index, position))
    for title, rows in groups.items():
        yield _Panel(title, tuple(rows))


def _widths(rows: Sequence[_Row]) -> _Widths:
    names = max(text_width(row.name, SIZE) for row in rows)
    options = max(text_width(row.label, SIZE) for row in rows)
    return _Widths(min(WORDS, names) + 4 * (names > 0), min(WORDS, options) + 8)


def _owner(position: Position) -> str:
    if not position.layer:
        return position.name
    if position.name in OF_A_NODE:
        return f"node {position.layer - 1}"
    return f"layer {position.layer}"


def _rows(index: int, position: Position) -> Iterator[_Row]:
    if position.kind == "skip":
        first = position.source == 1
        yield _Row(index, 1, "reads" if first else "", str(position.source), first)
        return
    name = SHORT.get(position.name, position.name) if position.layer else ""
    for option, value in enumerate(position.options):
        label = LAYER_NAMES.get(str(value), str(value))
        yield _Row(index, option, "" if option else name, label, option == 0)


def _draw(
    panel: _Panel,
    widths: _Widths,
    shares: NDArray[np.float64],
    children: Sequence[int],
    corner: Point,
) -> Iterator[Item]:
    (x, y), columns = corner, len(children)
    left, low = x + widths.names + widths.options, y + TITLE
    yield Text(x, y + 12, fitted(panel.title, 11, widths.panel), 11, INK, "start", True)
    for row in panel.rows:
        low += BETWEEN if row.first else 0.0
        baseline = low + ROW / 2 + 0.35 * SIZE
        name, label = fitted(row.name, SIZE, WORDS), fitted(row.label, SIZE, WORDS)
        yield Text(x, baseline, name, SIZE, INK)
        yield Text(left - 6, baseline, label, SIZE, SOFT, "end")
        yield Box(left, low, MAP, ROW - 1, NOTHING, NOTHING, line=0, radius=0)
        levels = tuple(map(_level, shares[:, row.position, row.option].tolist()))
        yield Grid(left, low, MAP / columns, ROW - 1, (levels,), COLOURS)
        low += ROW
    yield from _axis(left, low + 11, children)


def _axis(left: float, y: float, children: Sequence[int]) -> Iterator[Item]:
    """Which children the columns end at; a single column has no start."""
    words = "children"
    if len(children) > 1:
        yield Text(left, y, f"{children[0]:,}", SIZE, SOFT)
        yield Text(left + MAP, y, f"{children[-1]:,}", SIZE, SOFT, "end")
    else:
        words = f"after {children[0]:,} child{'ren' * (children[0] != 1)}"
    yield Text(left + MAP / 2, y, words, SIZE, SOFT, "middle")


def _level(share: float) -> int:
    return -1 if np.isnan(share) else round(share * (len(COLOURS) - 1))


def _scale(x: float, y: float) -> Iterator[Item]:
    """The colours and what they mean."""
    width = 200 / len(COLOURS)
    yield Box(x - 1, y - 1, 202, 12, SOFT, SOFT, line=0, radius=0)
    yield Grid(x, y, width, 10, (tuple(range(len(COLOURS))),), COLOURS)
    for place, label in ((0.0, "0%"), (0.5, "50%"), (1.0, "100%")):
        yield Text(x + 200 * place, y + 22, label, SIZE, SOFT, "middle")
