"""Drawings of architectures and of half-written token sequences as plain ASCII text."""

from collections.abc import Sequence
from typing import Any

from nas_env.rendering.cell_text import draw_cell
from nas_env.rendering.conv_text import draw_conv, draw_conv_tokens
from nas_env.rendering.table import UNKNOWN
from nas_env.space.cell_architecture import CellArchitecture
from nas_env.space.choices import ChoiceArchitecture
from nas_env.space.conv_architecture import ConvArchitecture
from nas_env.space.layered import LayeredSpace
from nas_env.space.layout import Architecture, SearchSpace


def draw_text(architecture: Architecture) -> str:
    """An architecture of any kind as text (the last line has no line feed)."""
    if isinstance(architecture, ConvArchitecture):
        return draw_conv(architecture)
    if isinstance(architecture, CellArchitecture):
        return draw_cell(architecture)
    if isinstance(architecture, ChoiceArchitecture):
        return "\n".join(f"{name}: {option}" for name, option in architecture.items())
    return str(architecture)  # a user's own kind: what it says of itself


def draw_tokens(space: SearchSpace[Any], tokens: Sequence[int], num_layers: int) -> str:
    """A token sequence of any space, complete or not.

    Args:
        space: gives the meaning of each position.
        tokens: those chosen so far.
        num_layers: depth of the architecture being written.
    """
    if len(tokens) == space.length(num_layers):
        return draw_text(space.decode(tokens))
    if isinstance(space, LayeredSpace):
        return draw_conv_tokens(space, tokens, num_layers)
    return _draw_positions(space, tokens, num_layers)


def _draw_positions(space: SearchSpace[Any], tokens: Sequence[int], num_layers: int) -> str:
    """One line a layer (of a cell: a node), or one line a choice that belongs to none."""
    lines: dict[str, list[str]] = {}
    for index, position in enumerate(space.layout[: space.length(num_layers)]):
        option = str(position.options[tokens[index]]) if index < len(tokens) else UNKNOWN
        label = str(position.layer - 1) if position.layer else position.name
        lines.setdefault(label, []).append(option)
    width = max(map(len, lines))
    return "\n".join(f"{label.rjust(width)}: {' '.join(line)}" for label, line in lines.items())
