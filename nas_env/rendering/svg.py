"""A picture as SVG text. Nothing in it has an id, so several can stand in one HTML page."""

import math
from html import escape

from nas_env.rendering.shapes import PAPER, Box, Grid, Item, Line, Point, Sheet, Text, printable

FONTS = "system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif"
ARROW = 6.0
"""Length of an arrow's head in pixels."""


def picture_svg(picture: Sheet, size: tuple[int, int] | None = None) -> str:
    """A whole SVG document, with a line for each item.

    Args:
        picture: what to draw.
        size: width and height that the document asks to be shown at; by default the picture's.
    """
    width, height = size or (picture.width, picture.height)
    shapes = [item for item in picture.items if not isinstance(item, Text)]
    texts = [item for item in picture.items if isinstance(item, Text)]
    title = escape(printable(picture.title))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {picture.width} {picture.height}" '
            f'role="img" aria-label="{title}" font-family="{FONTS}">',
            f"<title>{title}</title>",
            f'<rect width="100%" height="100%" fill="{PAPER}"/>',
            *map(_item, [*shapes, *texts]),
            "</svg>\n",
        ]
    )


def arrow_head(points: tuple[Point, ...]) -> tuple[Point, Point, Point]:
    """The triangle at the end of a line."""
    (x0, y0), (x, y) = points[-2:]
    length = math.hypot(x - x0, y - y0) or 1.0
    dx, dy = (x - x0) / length * ARROW, (y - y0) / length * ARROW
    return (x, y), (x - dx - dy / 2, y - dy + dx / 2), (x - dx + dy / 2, y - dy - dx / 2)


def _item(item: Item) -> str:
    if isinstance(item, Box):
        return _box(item)
    if isinstance(item, Line):
        return _line(item)
    return _text(item) if isinstance(item, Text) else _grid(item)


def _box(box: Box) -> str:
    dashes = ' stroke-dasharray="4 3"' if box.dashed else ""
    return (
        f'<rect x="{_n(box.x)}" y="{_n(box.y)}" width="{_n(box.width)}" height="{_n(box.height)}" '
        f'rx="{_n(box.radius)}" fill="{box.fill}" stroke="{box.stroke}" '
        f'stroke-width="{_n(box.line)}"{dashes}{_hinted("rect", box.hint)}'
    )


def _line(line: Line) -> str:
    if len(line.points) not in (2, 4):
        raise ValueError(f"A line has 2 or 4 points, got {len(line.points)}.")
    first, *others = (f"{_n(x)} {_n(y)}" for x, y in line.points)
    kind = "C" if len(others) == 3 else "L"
    dashes = ' stroke-dasharray="4 3"' if line.dashed else ""
    drawn = (
        f'<path d="M{first}{kind}{" ".join(others)}" fill="none" stroke="{line.stroke}" '
        f'stroke-width="{_n(line.line)}"{dashes}{_hinted("path", line.hint)}'
    )
    if not line.arrow:
        return drawn
    corners = " ".join(f"{_n(x)},{_n(y)}" for x, y in arrow_head(line.points))
    return f'{drawn}<polygon points="{corners}" fill="{line.stroke}"/>'


def _text(text: Text) -> str:
    anchor = f' text-anchor="{text.anchor}"' if text.anchor != "start" else ""
    weight = ' font-weight="600"' if text.bold else ""
    sub = ""
    if text.sub:
        sub = (
            f'<tspan dy="{_n(0.25 * text.size)}" font-size="{_n(0.72 * text.size)}">'
            f"{escape(printable(text.sub))}</tspan>"
        )
    return (
        f'<text x="{_n(text.x)}" y="{_n(text.y)}" font-size="{_n(text.size)}" '
        f'fill="{text.colour}"{anchor}{weight}>{escape(printable(text.text))}{sub}</text>'
    )


def _grid(grid: Grid) -> str:
    """One path a colour; neighbours of one colour in a row are one rectangle.

    Sides are at whole pixels: elsewhere a browser leaves gaps between some neighbours.
    """
    paths: dict[int, list[str]] = {}
    for number, row in enumerate(grid.levels):
        start = 0
        for column in range(1, len(row) + 1):
            if column < len(row) and row[column] == row[start]:
                continue
            left, right = (round(grid.x + at * grid.cell_width) for at in (start, column))
            top, low = (round(grid.y + at * grid.cell_height) for at in (number, number + 1))
            width = right - left
            paths.setdefault(row[start], []).append(f"M{left} {top}h{width}v{low - top}h-{width}z")
            start = column
    return "".join(
        f'<path d="{"".join(steps)}" fill="{grid.colours[level]}" shape-rendering="crispEdges"/>'
        for level, steps in sorted(paths.items())
        if level >= 0
    )


def _hinted(tag: str, hint: str) -> str:
    return f"><title>{escape(printable(hint))}</title></{tag}>" if hint else "/>"


def _n(value: float) -> str:
    """A number with one decimal at most."""
    return f"{value:.1f}".removesuffix(".0")
