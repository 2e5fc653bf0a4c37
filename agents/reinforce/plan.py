"""The controller's steps: which token positions one step of the LSTM decides.

Source: Zoph & Le 2017, sections 3.1-3.3. Without a layout every position is a step with a softmax
of its own. With a layout, positions of one name share a softmax, so that layers share weights, and
all skip decisions of a layer are one *anchor* step: "at layer N, we add an anchor point which has
N - 1 content-based sigmoids". A layer that only serves as a source (the first) has an anchor step
that decides nothing. A 20-layer network thus takes 80 steps, not 250.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.agent import Problem
from nas_env.space.layout import Layout, Position

START_ROW = 0
"""Row of the embedding table that is fed to the first step."""
UNDECIDED_ROW = 1
"""Row that follows an anchor step without decisions."""
FIRST_FREE_ROW = 2


@dataclass(frozen=True)
class Step:
    """One step of the LSTM.

    Attributes:
        positions: token positions decided here: one, or an anchor's skip bits (perhaps none).
        head: index of the softmax; -1 at an anchor.
        anchor: index of the anchor, in order of appearance; -1 at a softmax.
    """

    positions: tuple[int, ...]
    head: int = -1
    anchor: int = -1


@dataclass(frozen=True)
class Plan:
    """All steps of the longest episode, and the same facts as index arrays.

    Attributes:
        steps: in the order in which they are taken. Shorter episodes take a prefix.
        step_of: (positions,) the step that decides each position.
        first_row: (positions,) row of the embedding table for token 0 of each position.
        num_rows: rows of the embedding table.
        head_options: (heads,) number of options of each softmax.
        head_of: (positions,) softmax of each position; -1 for skip bits.
        anchor_of: (positions,) anchor at which a skip bit is decided; -1 for others.
        source_of: (positions,) anchor of the layer that a skip bit may connect; -1 for others.
    """

    steps: tuple[Step, ...]
    step_of: NDArray[np.int64]
    first_row: NDArray[np.int64]
    num_rows: int
    head_options: NDArray[np.int64]
    head_of: NDArray[np.int64]
    anchor_of: NDArray[np.int64]
    source_of: NDArray[np.int64]

    @property
    def options(self) -> NDArray[np.int64]:
        """Positions decided by a softmax, ascending."""
        return np.flatnonzero(self.head_of >= 0)

    @property
    def skips(self) -> NDArray[np.int64]:
        """Positions decided by an anchor's sigmoids, ascending."""
        return np.flatnonzero(self.anchor_of >= 0)

    @property
    def anchor_steps(self) -> NDArray[np.int64]:
        """(anchors,) index of each anchor's step."""
        return np.array([i for i, step in enumerate(self.steps) if step.anchor >= 0], np.int64)

    def averaging(self) -> NDArray[np.float64]:
        """(steps, positions): row s averages over the positions that step s decides."""
        matrix = np.zeros((len(self.steps), len(self.step_of)))
        for index, step in enumerate(self.steps):
            if step.positions:
                matrix[index, list(step.positions)] = 1.0 / len(step.positions)
        return matrix


def make_plan(problem: Problem) -> Plan:
    """The plan of a problem; without a layout, one softmax per position."""
    layout = problem.layout
    if layout is None:
        options = tuple(range(problem.num_actions))
        layout = tuple(Position(f"position {i}", options) for i in range(problem.num_positions))
    bits = _skip_bits(layout)
    steps, keys = _steps(layout, bits)
    anchors = {
        layout_layer: index for index, layout_layer in enumerate(_anchor_layers(layout, bits))
    }
    count = len(layout)
    head_of = np.full(count, -1, np.int64)
    anchor_of, source_of = head_of.copy(), head_of.copy()
    step_of, first_row = np.zeros(count, np.int64), np.zeros(count, np.int64)
    head_options = np.array([options for _, options in keys], np.int64)
    head_rows = FIRST_FREE_ROW + np.concatenate([[0], np.cumsum(head_options)]).astype(np.int64)
    for index, step in enumerate(steps):
        for p in step.positions:
            step_of[p] = index
            if step.head >= 0:
                head_of[p], first_row[p] = step.head, head_rows[step.head]
            else:
                source = anchors[layout[p].source or 0]
                anchor_of[p], source_of[p] = step.anchor, source
                first_row[p] = head_rows[-1] + 2 * source
    rows = int(head_rows[-1]) + 2 * len(anchors)
    return Plan(steps, step_of, first_row, rows, head_options, head_of, anchor_of, source_of)


def _steps(layout: Layout, bits: Sequence[bool]) -> tuple[tuple[Step, ...], list[tuple[str, int]]]:
    """The steps, and (name, number of options) of every softmax."""
    steps: list[Step] = []
    keys: list[tuple[str, int]] = []
    waiting = _anchor_layers(layout, bits)
    numbers = {layer: index for index, layer in enumerate(waiting)}
    for p, position in enumerate(layout):
        if bits[p]:
            if steps and steps[-1].anchor == numbers[position.layer]:
                steps[-1] = Step((*steps[-1].positions, p), anchor=steps[-1].anchor)
            else:
                steps.append(Step((p,), anchor=numbers[position.layer]))
            continue
        key = (position.name, len(position.options))
        if key not in keys:
            keys.append(key)
        steps.append(Step((p,), head=keys.index(key)))
        if _last_of_layer(layout, p) and position.layer in numbers:
            steps.append(Step((), anchor=numbers[position.layer]))
    return tuple(steps), keys


def _last_of_layer(layout: Layout, p: int) -> bool:
    return all(later.layer != layout[p].layer for later in layout[p + 1 :])


def _anchor_layers(layout: Layout, bits: Sequence[bool]) -> list[int]:
    """Layers with an anchor, in the order of the layout."""
    wanted = {q.layer for q, bit in zip(layout, bits, strict=True) if bit}
    wanted |= {q.source or 0 for q, bit in zip(layout, bits, strict=True) if bit}
    return [layer for layer in dict.fromkeys(q.layer for q in layout) if layer in wanted]


def _skip_bits(layout: Layout) -> list[bool]:
    """Whether each position is decided at an anchor.

    Anchors need a layer's skip bits together at the end of the layer, and every source's anchor
    before them. A foreign layout that is written otherwise gets an ordinary softmax for its bits.
    """
    is_skip = [q.kind == "skip" and len(q.options) == 2 for q in layout]
    order = list(dict.fromkeys(q.layer for q in layout))
    for layer in order:
        own = [p for p, q in enumerate(layout) if q.layer == layer]
        flags = [is_skip[p] for p in own]
        together = own == list(range(own[0], own[0] + len(own))) and flags == sorted(flags)
        earlier = order[: order.index(layer)]
        known = all(layout[p].source in earlier for p in own if is_skip[p])
        if any(flags) and not (together and known):
            return [False] * len(layout)
    return is_skip
