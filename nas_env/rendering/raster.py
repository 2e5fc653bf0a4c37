"""A picture as pixels, with nothing but Pillow and the font it brings along.

Everything is drawn at twice the size and reduced, which smooths edges and spaces letters evenly.
Needs no display and no installed font.
"""

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from nas_env.rendering.shapes import (
    PAPER,
    Box,
    Grid,
    Line,
    Pixels,
    Point,
    Sheet,
    Text,
    printable,
)
from nas_env.rendering.svg import arrow_head

SMOOTH = 2
"""Everything is drawn so many times larger."""
LARGEST = 80_000_000
"""Pixels up to which they are; a larger picture has plain edges."""
DASH, GAP = 4.0, 3.0
WIDER_FONTS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "Arial.ttf")
"""Looked for where a text has letters that Pillow's own font lacks."""
SPACE = 0.3
"""Width of a space, for a letter of size 1."""
STEPS = 48
"""Straight pieces of a curve."""


def rasterise(picture: Sheet, scale: float = 1.0) -> Pixels:
    """See ``Picture.array``."""
    width, height = round(picture.width * scale), round(picture.height * scale)
    times = SMOOTH if width * height * SMOOTH**2 <= LARGEST else 1
    image = Image.new("RGB", (width * times, height * times), PAPER)
    pen = _Pen(ImageDraw.Draw(image), scale * times)
    for item in picture.items:
        if isinstance(item, Box):
            pen.box(item)
        elif isinstance(item, Line):
            pen.line(item)
        elif isinstance(item, Grid):
            pen.grid(item)
    for item in picture.items:
        if isinstance(item, Text):
            _write(image, pen.draw, item, scale * times)
    return np.array(image.reduce(times) if times > 1 else image, np.uint8)


class _Pen:
    """Draws shapes at a scale."""

    def __init__(self, draw: ImageDraw.ImageDraw, scale: float) -> None:
        self.draw, self.scale = draw, scale

    def _at(self, x: float, y: float) -> Point:
        return x * self.scale, y * self.scale

    def _thick(self, line: float) -> int:
        return max(1, round(line * self.scale))

    def box(self, box: Box) -> None:
        edge = self._thick(box.line) if box.line else 0
        half = box.line / 2  # SVG centres an edge, Pillow draws it inside
        corners = [
            *self._at(box.x - half, box.y - half),
            *self._at(box.x + box.width + half, box.y + box.height + half),
        ]
        outline = None if box.dashed or not edge else box.stroke
        self.draw.rounded_rectangle(
            corners, box.radius * self.scale, fill=box.fill, outline=outline, width=edge
        )
        if box.dashed:
            self._dashes(_outline(box), box.stroke, box.line)

    def line(self, line: Line) -> None:
        points = line.points if len(line.points) == 2 else _curve(line.points)
        if line.dashed:
            self._dashes(list(points), line.stroke, line.line)
        else:
            path = [self._at(*point) for point in points]
            self.draw.line(path, fill=line.stroke, width=self._thick(line.line), joint="curve")
        if line.arrow:
            self.draw.polygon(
                [self._at(*point) for point in arrow_head(line.points)], fill=line.stroke
            )

    def grid(self, grid: Grid) -> None:
        for number, row in enumerate(grid.levels):
            top = grid.y + number * grid.cell_height
            for column, level in enumerate(row):
                if level >= 0:
                    left = grid.x + column * grid.cell_width
                    x0, y0 = self._at(left, top)
                    x1, y1 = self._at(left + grid.cell_width, top + grid.cell_height)
                    corners = [round(x0), round(y0), round(x1) - 1, round(y1) - 1]
                    self.draw.rectangle(corners, fill=grid.colours[level])

    def _dashes(self, points: list[Point], stroke: str, line: float) -> None:
        for start, end in _dashed(points):
            self.draw.line([self._at(*start), self._at(*end)], fill=stroke, width=self._thick(line))


def _outline(box: Box) -> list[Point]:
    """Once around a box with round corners, from the start of its upper edge."""
    r = min(box.radius, box.width / 2, box.height / 2)
    right, low = box.x + box.width, box.y + box.height
    corners = [(right - r, box.y + r), (right - r, low - r), (box.x + r, low - r)]
    path: list[Point] = [(box.x + r, box.y)]
    for quarter, (x, y) in enumerate([*corners, (box.x + r, box.y + r)]):
        for step in range(5):
            angle = math.pi / 2 * (quarter - 1 + step / 4)
            path.append((x + r * math.cos(angle), y + r * math.sin(angle)))
    return path


def _curve(points: tuple[Point, ...]) -> tuple[Point, ...]:
    """Points on a cubic Bezier curve."""
    t = np.linspace(0.0, 1.0, STEPS)[:, None]  # (steps, 1)
    weights = np.hstack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3])
    return tuple((float(x), float(y)) for x, y in weights @ np.array(points))


def _dashed(points: list[Point]) -> Iterator[tuple[Point, Point]]:
    """The dashes along a path."""
    walked = 0.0
    for (x0, y0), (x1, y1) in pairwise(points):
        length, at = math.hypot(x1 - x0, y1 - y0), 0.0
        while at < length - 1e-9:
            phase = walked % (DASH + GAP)
            on = phase < DASH
            step = min((DASH if on else DASH + GAP) - phase, length - at)
            step = max(step, 1e-6)
            if on:
                ends = [at / length, (at + step) / length]
                start, end = (((x0 + (x1 - x0) * e), (y0 + (y1 - y0) * e)) for e in ends)
                yield start, end
            at, walked = at + step, walked + step


@lru_cache(maxsize=64)
def _font(size: float, ascii_only: bool = True) -> Any:
    """Pillow's own font, or for other alphabets a common one, if the machine has any.

    Returns:
        The font; None where Pillow was built without FreeType and has its bitmap font only.
    """
    for name in () if ascii_only else WIDER_FONTS:
        with contextlib.suppress(ImportError, OSError):
            return ImageFont.truetype(name, size)
    try:
        return ImageFont.load_default(size)
    except (ImportError, OSError):
        return None


def _write(image: Image.Image, draw: ImageDraw.ImageDraw, text: Text, scale: float) -> None:
    pieces = _pieces(text.text, text.size * scale, text.y * scale)
    if text.sub:
        pieces += _pieces(text.sub, 0.72 * text.size * scale, (text.y + 0.25 * text.size) * scale)
    x = text.x * scale
    x -= {"start": 0.0, "middle": 0.5, "end": 1.0}[text.anchor] * sum(p.width for p in pieces)
    for piece in pieces:
        font = _font(piece.size, piece.word.isascii())
        if font is None:
            drawn = _bitmap(piece.word, piece.size)
            image.paste(text.colour, (round(x), round(piece.y - 0.8 * drawn.height)), drawn)
        else:
            at = round(x), round(piece.y)
            look = piece.word, text.colour, font, "ls"
            draw.text(at, *look)
            if text.bold:  # the font has one weight
                draw.text((at[0] + max(1, round(0.04 * piece.size)), at[1]), *look)
        x += piece.width


@dataclass(frozen=True)
class _Piece:
    """A word, its baseline, and how far the next one is."""

    word: str
    size: float
    y: float
    width: float


def _pieces(text: str, size: float, y: float) -> list[_Piece]:
    """Words with wider spaces than the font has, which would be lost in small print."""
    size, words = round(size, 2), printable(text).split(" ")
    pieces = []
    for number, word in enumerate(words, 1):
        font = _font(size, word.isascii())
        width = _bitmap(word, size).width if font is None else font.getlength(word)
        pieces.append(_Piece(word, size, y, width + (SPACE * size if number < len(words) else 0.0)))
    return pieces


def _bitmap(text: str, size: float) -> Image.Image:
    """A text in Pillow's bitmap font, which has one size and Latin letters, at another size."""
    font: Any = ImageFont.load_default()
    text = text.encode("latin-1", "replace").decode("latin-1") or " "
    _, _, width, height = (round(side) for side in font.getbbox(text))
    mask = Image.new("L", (max(width, 1), max(height, 1)))
    ImageDraw.Draw(mask).text((0, 0), text, fill=255, font=font)
    ratio = 1.2 * size / mask.height
    return mask.resize((max(1, round(mask.width * ratio)), max(1, round(mask.height * ratio))))
