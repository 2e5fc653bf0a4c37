"""Named choices as text; also the tokens of any space, finished or not."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nas_env.rendering.table import UNKNOWN
from nas_env.space.choices import ChoiceSpace
from nas_env.space.layout import Option, SearchSpace

ABSENT = "-"
"""In place of an option where a conditional choice does not exist."""


def absent_positions(space: SearchSpace[Any], tokens: Sequence[int]) -> set[int]:
    """Which of the positions chosen so far are of conditional choices that do not exist."""
    if not isinstance(space, ChoiceSpace) or not tokens:
        return set()
    row = np.zeros((1, len(space.layout)), np.int64)
    row[0, : len(tokens)] = tokens
    exist = space.exist(row)[0, : len(tokens)]
    return {int(index) for index in np.flatnonzero(~exist)}


def draw_choices(choices: Mapping[str, Option]) -> str:
    """One line a name."""
    return "\n".join(f"{name}: {option}" for name, option in choices.items())


def draw_positions(space: SearchSpace[Any], tokens: Sequence[int], num_layers: int) -> str:
    """One line a layer (of a cell: a node), or one line a choice that belongs to none."""
    absent = absent_positions(space, tokens)
    lines: dict[str, list[str]] = {}
    for index, position in enumerate(space.layout[: space.length(num_layers)]):
        option = str(position.options[tokens[index]]) if index < len(tokens) else UNKNOWN
        option = ABSENT if index in absent else option
        label = str(position.layer - 1) if position.layer else position.name
        lines.setdefault(label, []).append(option)
    width = max(map(len, lines))
    return "\n".join(f"{label.rjust(width)}: {' '.join(line)}" for label, line in lines.items())
