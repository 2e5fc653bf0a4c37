"""A picture as a list of boxes, lines, texts and grids: drawn once, written as SVG or as pixels.

Coordinates are in pixels from the top left corner. Shapes are drawn in order, texts above them.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas_env.errors import ConfigurationError

INK, SOFT, FAINT, PAPER = "#1c2430", "#5b6675", "#c3cad3", "#ffffff"
"""Text, secondary text, what is not there yet, background."""

Point = tuple[float, float]
Pixels = NDArray[np.uint8]
FORMATS = (".svg", ".png")


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
class Picture:
    """What ``nas_env.draw_figure`` returns.

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

    def svg(self) -> str:
        """The picture as SVG, complete in itself: no file or font is loaded."""
        from nas_env.rendering.svg import picture_svg

        return picture_svg(self)

    def array(self, scale: float = 1.0) -> Pixels:
        """The picture as pixels.

        Args:
            scale: pixels of the result for one of the picture.

        Returns:
            (height * scale, width * scale, 3) uint8, red, green, blue.
        """
        from nas_env.rendering.raster import rasterise

        return rasterise(self, scale)

    def png(self, path: str | Path, scale: float = 2.0) -> None:
        """Write a PNG file, by default with twice the pixels, for sharp text.

        Raises:
            OSError: the file cannot be written.
        """
        from PIL import Image

        Image.fromarray(self.array(scale)).save(path, format="PNG")

    def save(self, path: str | Path) -> None:
        """Write an SVG or PNG file, by its name.

        Raises:
            ConfigurationError: another suffix.
            OSError: the file cannot be written.
        """
        path = Path(path)
        if path.suffix.lower() not in FORMATS:
            raise ConfigurationError(
                f"A picture is written as .svg or .png, got {str(path)!r}: name a file that ends "
                "in one of them."
            )
        if path.suffix.lower() == ".png":
            self.png(path)
        else:
            path.write_text(self.svg(), encoding="utf-8")

    def padded(self, width: int, height: int) -> "Picture":
        """The same, centred on a larger sheet."""
        dx, dy = (max(width, self.width) - self.width) / 2, 0.0
        items = tuple(moved(item, dx, dy) for item in self.items)
        return replace(
            self, width=max(width, self.width), height=max(height, self.height), items=items
        )


def moved(item: Item, dx: float, dy: float) -> Item:
    """The item at another place."""
    if isinstance(item, Line):
        return replace(item, points=tuple((x + dx, y + dy) for x, y in item.points))
    return replace(item, x=item.x + dx, y=item.y + dy)


def sheet(width: float, height: float, items: Sequence[Item], title: str) -> Picture:
    """A picture whose sides are even numbers, which video formats ask for."""
    sides = [2 * round(np.ceil(side / 2)) for side in (width, height)]
    return Picture(int(sides[0]), int(sides[1]), tuple(items), title)


def printable(text: str) -> str:
    """The text without what no file may hold or no line shows: control characters, line feeds."""
    return "".join(" " if unicodedata.category(c) in ("Cc", "Cs", "Cn") else c for c in text)


def text_width(text: str, size: float) -> float:
    """How wide a text may get, whatever sans-serif font it is shown in."""
    units = 0.0
    for c in text:
        if c in "il.,:;|'!()[] ":
            units += 0.36
        elif unicodedata.east_asian_width(c) in "WF":
            units += 1.05
        else:
            units += 0.88 if c.isupper() or c in "mw_%?" else 0.62
    return units * size


def fitted(text: str, size: float, width: float) -> str:
    """The text, or as much of its beginning as fits, and dots."""
    text = printable(text)
    if text_width(text, size) <= width:
        return text
    while text and text_width(text + "...", size) > width:
        text = text[:-1]
    return text + "..."


def centred(box: Box, text: str, size: float = 12.0, colour: str = INK, bold: bool = False) -> Text:
    """A text in the middle of a box."""
    baseline = box.y + box.height / 2 + 0.35 * size
    return Text(box.x + box.width / 2, baseline, text, size, colour, "middle", bold)
