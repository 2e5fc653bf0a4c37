"""What pictures are made of: boxes, lines, texts and grids on a sheet.

Coordinates are in pixels from the top left corner. Shapes are drawn in order, texts above them.
"""

import unicodedata
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

INK, SOFT, FAINT, PAPER = "#1c2430", "#5b6675", "#c3cad3", "#ffffff"
"""Text, secondary text, what is not there yet, background."""

Point = tuple[float, float]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Box:
    """A rectangle; ``hint`` is what an SVG viewer says when it is pointed at."""

    x: float
    y: float
    width: float
    height: float
    fill: str = PAPER
    stroke: str = INK
    line: float = 1.2
    radius: float = 5.0
    dashed: bool = False
    hint: str = ""


@dataclass(frozen=True)
class Line:
    """A straight line through two points, or a cubic Bezier curve of four."""

    points: tuple[Point, ...]
    stroke: str = SOFT
    line: float = 1.5
    dashed: bool = False
    arrow: bool = False
    hint: str = ""


@dataclass(frozen=True)
class Text:
    """A line of text: ``x`` is its start, middle or end, ``y`` its baseline.

    Attributes:
        sub: a subscript that follows it.
    """

    x: float
    y: float
    text: str
    size: float = 12.0
    colour: str = INK
    anchor: str = "start"
    bold: bool = False
    sub: str = ""


@dataclass(frozen=True)
class Grid:
    """A heat map: one rectangle a cell.

    Attributes:
        levels: rows of numbers into ``colours``; -1 leaves a cell empty.
    """

    x: float
    y: float
    cell_width: float
    cell_height: float
    levels: tuple[tuple[int, ...], ...]
    colours: tuple[str, ...]


Item = Box | Line | Text | Grid


@dataclass(frozen=True)
class Sheet:
    """Shapes on paper, whatever they are written as.

    Attributes:
        width: in pixels.
        height: in pixels.
        items: what is drawn, in this order.
        title: what a screen reader says.
    """

    width: int
    height: int
    items: tuple[Item, ...]
    title: str = ""


def moved(item: Item, dx: float, dy: float) -> Item:
    """The item at another place."""
    if isinstance(item, Line):
        return replace(item, points=tuple((x + dx, y + dy) for x, y in item.points))
    return replace(item, x=item.x + dx, y=item.y + dy)


def printable(text: str) -> str:
    """The text without what no file may hold or no line shows: control characters, line feeds."""
    return "".join(" " if unicodedata.category(c) in ("Cc", "Cs", "Cn") else c for c in text)


_NARROWEST = 0.36
"""Width of the narrowest character, for each pixel of height."""


def text_width(text: str, size: float) -> float:
    """How wide a text may get, whatever sans-serif font it is shown in."""
    units = 0.0
    for c in text:
        if c in "il.,:;|'!()[] ":
            units += _NARROWEST
        elif unicodedata.east_asian_width(c) in "WF":
            units += 1.05
        else:
            units += 0.88 if c.isupper() or c in "mw_%?" else 0.62
    return units * size


def fitted(text: str, size: float, width: float) -> str:
    """The text, or as much of its beginning as fits, and dots."""
    text = printable(text[: int(width / (_NARROWEST * size)) + 2])  # no more could fit
    if text_width(text, size) <= width:
        return text
    while text and text_width(text + "...", size) > width:
        text = text[:-1]
    return text + "..."


def centred(box: Box, text: str, size: float = 12.0, colour: str = INK, bold: bool = False) -> Text:
    """A text in the middle of a box."""
    baseline = box.y + box.height / 2 + 0.35 * size
    return Text(box.x + box.width / 2, baseline, text, size, colour, "middle", bold)
