"""Architectures as text: one line a layer, and a column a layer that shows the connections.

In the connection columns ``o`` means "is an input", ``.`` "is not", ``?`` "not chosen yet"; column
0 is the image. Plain ASCII, so that every terminal and log file can show it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nas_env.space.layout import Position, SearchSpace

UNKNOWN = "?"


@dataclass(frozen=True)
class Row:
    """One line of a drawing.

    Attributes:
        label: what the line is about (the layer's number).
        cells: one text for each column of the table.
        links: one character for each earlier layer, the image first; empty without connections.
        inputs: the connections in words.
    """

    label: str
    cells: tuple[str, ...]
    links: str = ""
    inputs: str = ""


def ranges(numbers: Sequence[int]) -> str:
    """Sorted numbers in words, runs of three or more as ``first-last``: ``1, 3-6``; 0 = image."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1 and number != 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    words = []
    for run in runs:
        if len(run) > 2:
            words.append(f"{run[0]}-{run[-1]}")
        else:
            words += ["image" if number == 0 else str(number) for number in run]
    return ", ".join(words)


def table(title: str, columns: Sequence[str], rows: Sequence[Row]) -> str:
    """Align rows under their column names; number the connection columns vertically."""
    heads = ["", *columns]
    body = [[row.label, *row.cells] for row in rows]
    widths = [max(len(line[i]) for line in [heads, *body]) for i in range(len(heads))]
    reach = max((len(row.links) for row in rows), default=0)
    units = "".join(str(column % 10) for column in range(reach))
    tens = "".join(str(column // 10) if column % 10 == 0 else " " for column in range(reach))
    lines = [title]
    if reach > 10:
        lines.append(" " * (sum(widths) + 2 * len(widths)) + tens.replace("0", " ", 1))
    lines.append(_line(heads, widths, units, "inputs" if reach else ""))
    for row, cells in zip(rows, body, strict=True):
        lines.append(_line(cells, widths, row.links.ljust(reach), row.inputs))
    return "\n".join(line.rstrip() for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int], links: str, inputs: str) -> str:
    padded = [cell.rjust(width) for cell, width in zip(cells, widths, strict=True)]
    return "  ".join([*padded, links, inputs])


def draw_tokens(search_space: SearchSpace[Any], tokens: Sequence[int], num_layers: int) -> str:
    """Draw a token sequence of any search space, complete or not.

    Args:
        search_space: gives the meaning of each position.
        tokens: those chosen so far.
        num_layers: depth of the architecture being written.
    """
    length = search_space.length(num_layers)
    layers: dict[int, list[tuple[Position, int | None]]] = {}
    for index, position in enumerate(search_space.layout[:length]):
        token = tokens[index] if index < len(tokens) else None
        layers.setdefault(position.layer, []).append((position, token))
    whole = layers.pop(0, [])
    if not layers:  # named choices that belong to no layer
        return "\n".join(
            f"{position.name}: {_option(position, token)}" for position, token in whole
        )
    title = f"{len(tokens)} of {length} tokens"
    for position, token in whole:
        title += f", {position.name} {_option(position, token)}"
    names = _column_names(search_space.layout)
    skips = any(position.kind == "skip" for position in search_space.layout)
    rows = [_token_row(layer, chosen, names, skips) for layer, chosen in layers.items()]
    return table(title, names, rows)


def _column_names(layout: Sequence[Position]) -> list[str]:
    named = (p.name for p in layout if p.kind == "option" and p.layer)
    return list(dict.fromkeys(named))


def _option(position: Position, token: int | None) -> str:
    return UNKNOWN if token is None else str(position.options[token])


def _token_row(
    layer: int, chosen: Sequence[tuple[Position, int | None]], names: Sequence[str], skips: bool
) -> Row:
    options = {p.name: _option(p, token) for p, token in chosen if p.kind == "option"}
    cells = tuple(options.get(name, "-") for name in names)
    if not skips:
        return Row(str(layer), cells)
    bits = [(p.source or 0, token) for p, token in chosen if p.kind == "skip"]
    sources = [source for source, token in bits if token]
    pending = any(token is None for _, token in bits) or UNKNOWN in cells
    if not sources and not pending:
        sources = [0]  # a layer without inputs sees the image
    links = {source: UNKNOWN if token is None else "." for source, token in bits}
    links |= dict.fromkeys(sources, "o")
    drawn = "".join(links.get(source, ".") for source in range(layer))
    return Row(str(layer), cells, drawn, ranges(sources))
