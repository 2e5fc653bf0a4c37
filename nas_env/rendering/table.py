"""Aligned text tables, with a column a layer that shows what each line reads. Plain ASCII."""

from collections.abc import Sequence
from dataclasses import dataclass

LINKED, UNLINKED, UNKNOWN = "o", ".", "?"


@dataclass(frozen=True)
class Row:
    """One line.

    Attributes:
        label: what the line is about (the number of a layer).
        cells: one text for each column.
        links: one character for each earlier layer, the image first; empty where there are none.
        inputs: the links in words.
    """

    label: str
    cells: tuple[str, ...]
    links: str = ""
    inputs: str = ""


def draw_table(title: str, columns: Sequence[str], rows: Sequence[Row]) -> str:
    """Align rows under their column names; number the link columns vertically, 0 = the image."""
    body = [[row.label, *row.cells] for row in rows]
    heads = ["", *columns]
    widths = [max(len(line[i]) for line in [heads, *body]) for i in range(len(heads))]
    reach = max((len(row.links) for row in rows), default=0)
    lines = [title]
    if reach > 10:
        tens = (str(n // 10) if n % 10 == 0 and n else " " for n in range(reach))
        lines.append(_line([""] * len(heads), widths, "".join(tens), ""))
    units = "".join(str(n % 10) for n in range(reach))
    lines.append(_line(heads, widths, units, "inputs" if reach else ""))
    for row, cells in zip(rows, body, strict=True):
        lines.append(_line(cells, widths, row.links.ljust(reach), row.inputs))
    return "\n".join(lines)


def _line(cells: Sequence[str], widths: Sequence[int], links: str, inputs: str) -> str:
    padded = [cell.rjust(width) for cell, width in zip(cells, widths, strict=True)]
    return "  ".join([*padded, links, inputs]).rstrip()


def in_words(layers: Sequence[int]) -> str:
    """Ascending layer numbers, three or more in a row as ``first-last``; 0 is the image.

    >>> in_words([0, 1, 2, 3, 5, 6])
    'image, 1-3, 5, 6'
    """
    runs: list[list[int]] = []
    for layer in layers:
        if runs and layer == runs[-1][-1] + 1 and layer != 1:
            runs[-1].append(layer)
        else:
            runs.append([layer])
    words = []
    for run in runs:
        if len(run) > 2:
            words.append(f"{run[0]}-{run[-1]}")
        else:
            words += ["image" if layer == 0 else str(layer) for layer in run]
    return ", ".join(words)
