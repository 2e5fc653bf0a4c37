"""The confusion matrix as a picture: rows are true classes, columns what the network says."""

from collections.abc import Iterator, Sequence

from nas_env.rendering.heat_map import COLOURS
from nas_env.rendering.picture import Picture, sheet
from nas_env.rendering.shapes import INK, SOFT, Box, Item, Text, fitted, text_width

MOST = 40
"""Classes that are drawn; of more a page shows the worst confusions alone."""
CELL, SIZE, NAME = 38.0, 11.0, 130.0
DARK = 5
"""From this level on, white letters."""


def draw_confusion(matrix: Sequence[Sequence[int]], classes: Sequence[str]) -> Picture | None:
    """Draw it; None for more classes than can be read.

    Args:
        matrix: (classes, classes) counts.
        classes: names.
    """
    if len(classes) > MOST:
        return None
    left = 30 + min(NAME, max(text_width(name, SIZE) for name in classes))
    top = 56.0
    items = list(_cells(matrix, classes, left, top))
    side = len(classes) * CELL
    width = left + side + 70
    items.append(Text(14, 16, "rows: true class; columns: what the network says", SIZE, SOFT))
    return sheet(max(width, 300), top + side + 14, items, "Confusion matrix")


def _cells(
    matrix: Sequence[Sequence[int]], classes: Sequence[str], left: float, top: float
) -> Iterator[Item]:
    for row, (name, counts) in enumerate(zip(classes, matrix, strict=True)):
        y = top + row * CELL
        yield Text(left - 8, y + CELL / 2 + 4, fitted(name, SIZE, NAME), SIZE, INK, "end")
        total = sum(counts)
        for column, count in enumerate(counts):
            x = left + column * CELL
            level = round(count / total * (len(COLOURS) - 1)) if total else 0
            hint = f"{name}, said to be {classes[column]}: {count}"
            yield Box(x, y, CELL - 1, CELL - 1, COLOURS[level], COLOURS[level], 0, 2, hint=hint)
            if count:
                ink = "#ffffff" if level >= DARK else INK
                size = SIZE if count < 1000 else SIZE - 2
                yield Text(x + (CELL - 1) / 2, y + CELL / 2 + 4, f"{count}", size, ink, "middle")
        share = f"{100 * counts[row] / total:.1f}%" if total else "-"
        yield Text(left + len(classes) * CELL + 6, y + CELL / 2 + 4, share, SIZE, SOFT)
    for column, name in enumerate(classes):
        x = left + column * CELL + (CELL - 1) / 2
        shown = fitted(name, SIZE - 2, 2 * CELL - 6)
        # Every second name stands higher, so that neighbours do not touch.
        yield Text(x, top - 6 - 14 * (column % 2), shown, SIZE - 2, INK, "middle")


def confusions(
    matrix: Sequence[Sequence[int]], classes: Sequence[str], most: int = 10
) -> list[list[str]]:
    """The most frequent confusions: true class, said, images, share of the class."""
    found = [
        (count, classes[row], classes[column], sum(counts))
        for row, counts in enumerate(matrix)
        for column, count in enumerate(counts)
        if row != column and count
    ]
    found.sort(key=lambda one: -one[0])
    return [
        [true, said, f"{count:,}", f"{100 * count / total:.1f}%"]
        for count, true, said, total in found[:most]
    ]
