"""Recurrent cells drawn like the paper's Figures 5 and 8: a tree, leaves below, h_t on top.

A node joins what comes from below (lower half of its box), then applies its activation (upper
half). The new memory c_t leaves between the two, before the activation; the old one, c_{t-1}, comes
in above its node, after the activation ("cell inject").
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nas_env.rendering.picture import Picture, sheet
from nas_env.rendering.shapes import FAINT, INK, PAPER, SOFT, Box, Item, Line, Text, centred, fitted
from nas_env.rendering.table import UNKNOWN
from nas_env.space.cell import CellSpace
from nas_env.space.cell_architecture import CellArchitecture

Functions = tuple[str, str]
"""Combination and activation, ``?`` where not chosen."""

WIDTH, HALF, SLOT = 74.0, 20.0, 118.0
"""Width of a node, height of each half, distance of two leaves."""
PITCH = 128.0
"""From one level of the tree to the next, with room for a cell inject between."""
LIFT = 14.0
"""From a node up to a cell inject."""
MARGIN, HEAD, FOOT = 22.0, 44.0, 40.0
FILLS = {
    "identity": "#eceff3",
    "tanh": "#d6e8f7",
    "sigmoid": "#d8f0e0",
    "relu": "#fadfd9",
    "sin": "#e6dff5",
}
MEMORY, CURRENT = "#c77a1e", "#fff7d6"
"""Colour of c; fill of what is being chosen."""
LEGEND = "Lower half: how a node joins its inputs. Upper half: its activation."


@dataclass(frozen=True)
class CellRows:
    """A cell in words, finished or half written.

    Attributes:
        title: what it is, or how far it is.
        base_number: leaves.
        nodes: functions of each node, leaves first.
        inject: functions of the cell inject.
        cell_index: where c_t leaves; None = not chosen.
        inject_index: where c_{t-1} comes in; None = not chosen.
        current: the node whose functions come next, -1 for the cell inject; None otherwise.
    """

    title: str
    base_number: int
    nodes: tuple[Functions, ...]
    inject: Functions
    cell_index: int | None
    inject_index: int | None
    current: int | None = None


def cell_rows(cell: CellArchitecture) -> CellRows:
    """A finished cell."""
    title = f"recurrent cell of base number {cell.base_number}"
    nodes, inject = cell.nodes, cell.inject
    return CellRows(title, cell.base_number, nodes, inject, cell.cell_index, cell.inject_index)


def partial_cell_rows(space: CellSpace, tokens: Sequence[int]) -> CellRows:
    """A cell of which only ``tokens`` have been chosen."""
    chosen: list[str | None] = [
        str(position.options[token]) for position, token in zip(space.layout, tokens, strict=False)
    ]
    chosen += [None] * (len(space.layout) - len(chosen))
    functions = [
        (combination or UNKNOWN, activation or UNKNOWN)
        for combination, activation in zip(chosen[:-2:2], chosen[1:-2:2], strict=True)
    ]
    cell, inject = (None if index is None else int(index) for index in chosen[-2:])
    node = len(tokens) // 2
    current = node if node < space.num_nodes else -1 if node == space.num_nodes else None
    title = f"{len(tokens)} of {len(space.layout)} tokens chosen"
    return CellRows(
        title, space.base_number, tuple(functions[:-1]), functions[-1], cell, inject, current
    )


def cell_picture(rows: CellRows, footer: str | None = None) -> Picture:
    """Draw a cell.

    Args:
        rows: the cell.
        footer: the last line, for which room is kept if it is ``""``; None = a legend.
    """
    root = len(rows.nodes) - 1
    return _Tree(rows, footer is not None or rows.inject_index in (None, root)).picture(footer)


class _Tree:
    """One drawing: where every node is, and what has been drawn."""

    def __init__(self, rows: CellRows, inject_on_top: bool) -> None:
        self.rows = rows
        base = rows.base_number
        levels = base.bit_length()
        self.width = max(base * SLOT, 480.0) + 2 * MARGIN
        self.items: list[Item] = []
        self.boxes: list[Box] = []  # of the nodes
        top = HEAD + 36 + (2 * HALF + LIFT if inject_on_top else 0.0)  # of the root, below h_t
        first = (self.width - base * SLOT) / 2
        for level in range(levels):
            count, y = base >> level, top + PITCH * (levels - 1 - level)
            slot = SLOT * (1 << level)
            for place in range(count):
                x = first + slot * (place + 0.5)
                self.boxes.append(Box(x - WIDTH / 2, y, WIDTH, 2 * HALF))
        self.bottom = top + PITCH * (levels - 1) + 2 * HALF

    def picture(self, footer: str | None) -> Picture:
        rows = self.rows
        self.items.append(Text(self.width / 2, 27, rows.title, 13, INK, "middle", True))
        for node in range(len(rows.nodes)):
            self._below(node)
        for node, functions in enumerate(rows.nodes):
            self._node(node, functions)
        self._inject()
        self._output()
        if rows.cell_index is not None:
            self._memory_out(self.boxes[rows.cell_index])
        bottom = self.bottom + 44
        size, colour = (11.0, SOFT) if footer is None else (12.0, INK)
        line = fitted(LEGEND if footer is None else footer, size, self.width - 2 * MARGIN)
        self.items.append(Text(self.width / 2, bottom + 26, line, size, colour, "middle"))
        return sheet(self.width, bottom + FOOT, self.items, rows.title)

    def _top(self, node: int) -> float:
        """Where a node's value leaves: above the cell inject, if it has one."""
        box = self.boxes[node]
        return box.y - (LIFT + 2 * HALF if node == self.rows.inject_index else 0.0)

    def _below(self, node: int) -> None:
        """What a node joins: two nodes, or x_t and h_{t-1}."""
        box, base = self.boxes[node], self.rows.base_number
        low, middle = box.y + box.height, box.x + box.width / 2
        if node >= base:
            for child, way in ((2 * (node - base), -1.0), (2 * (node - base) + 1, 1.0)):
                x, y = self.boxes[child].x + WIDTH / 2, self._top(child)
                end = (middle + way * 14, low + 1)
                # Past the cell inject that may stand on the way, then across.
                bend = (low + 8 + y) / 2
                points = ((x, y), (x, bend), (end[0], bend), end)
                self.items.append(Line(points, SOFT, 1.4, arrow=True))
            return
        for name, sub, way in (("x", "t", -1.0), ("h", "t-1", 1.0)):
            x = middle + way * 20
            self.items.append(
                Line(((x, low + 22), (middle + way * 14, low + 1)), SOFT, 1.2, arrow=True)
            )
            self.items.append(Text(x, low + 35, name, 12, INK, "middle", sub=sub))

    def _node(self, node: int, functions: Functions) -> None:
        box = self.boxes[node]
        self._halves(box, functions, node == self.rows.current, INK)
        self.items.append(Text(box.x - 5, box.y + box.height - 3, str(node), 9, SOFT, "end"))

    def _halves(self, box: Box, functions: Functions, current: bool, stroke: str) -> None:
        """A box with the activation above the combination."""
        combination, activation = functions
        open_ = UNKNOWN in functions
        if open_ and not current:
            stroke = FAINT if combination == UNKNOWN else stroke
        dashed = combination == UNKNOWN and not current
        upper, lower = (Box(box.x, box.y + k * HALF, box.width, HALF) for k in (0, 1))
        fill = CURRENT if current else PAPER
        edge = replace(box, fill=fill, stroke=stroke, line=2.0 if current else 1.2, dashed=dashed)
        self.items.append(edge)
        if activation != UNKNOWN:
            fill = FILLS[activation]
            inside = (upper.x + 1, upper.y + 1, WIDTH - 2, HALF - 2)
            self.items.append(Box(*inside, fill, fill, line=0, radius=4.0))
        if not dashed:
            middle = ((box.x, lower.y), (box.x + box.width, lower.y))
            self.items.append(Line(middle, stroke, 0.8))
        for part, name in ((upper, activation), (lower, combination)):
            self.items.append(centred(part, name, 12, SOFT if name == UNKNOWN else INK))

    def _inject(self) -> None:
        """The cell inject: above its node, or in the corner while its place is open."""
        rows = self.rows
        if rows.inject_index is None:
            box = Box(MARGIN + 34, HEAD + 4, WIDTH, 2 * HALF)
            self.items.append(
                Text(box.x + WIDTH / 2, box.y + box.height + 15, "cell inject", 10, SOFT, "middle")
            )
            started = UNKNOWN != rows.inject[0] or rows.current == -1
            colour = MEMORY if started else FAINT
        else:
            node = self.boxes[rows.inject_index]
            box = Box(node.x, node.y - LIFT - 2 * HALF, WIDTH, 2 * HALF)
            x, colour = box.x + WIDTH / 2, MEMORY
            self.items.append(Line(((x, node.y), (x, node.y - LIFT + 1)), SOFT, 1.4, arrow=True))
        self._halves(box, rows.inject, rows.current == -1, colour)
        y = box.y + 1.5 * HALF
        self.items.append(Line(((box.x - 13, y), (box.x - 1, y)), colour, 1.6, arrow=True))
        ink = MEMORY if colour == MEMORY else SOFT
        self.items.append(Text(box.x - 15, y + 4, "c", 12, ink, "end", True, "t-1"))

    def _memory_out(self, box: Box) -> None:
        x, y = box.x + box.width, box.y + HALF
        self.items.append(Line(((x, y), (x + 14, y)), MEMORY, 1.6, arrow=True))
        self.items.append(Text(x + 17, y + 4, "c", 12, MEMORY, "start", True, "t"))

    def _output(self) -> None:
        root = len(self.boxes) - 1
        x, y = self.boxes[root].x + WIDTH / 2, self._top(root)
        self.items.append(Line(((x, y), (x, y - 18)), SOFT, 1.4, arrow=True))
        self.items.append(Text(x, y - 23, "h", 13, INK, "middle", True, "t"))
