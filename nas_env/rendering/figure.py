"""Pictures of architectures and of half-written token sequences: ``nas_env.draw_figure``."""

from collections.abc import Sequence
from typing import Any

from nas_env.errors import InvalidArchitectureError
from nas_env.rendering.cell_figure import cell_picture, cell_rows, partial_cell_rows
from nas_env.rendering.choice_figure import Choice, choice_picture, text_picture
from nas_env.rendering.conv_figure import Frame, conv_picture, frame_of
from nas_env.rendering.conv_rows import network_rows, partial_rows
from nas_env.rendering.picture import Picture
from nas_env.space.cell import CellSpace
from nas_env.space.cell_architecture import CellArchitecture
from nas_env.space.choices import ChoiceArchitecture
from nas_env.space.conv_architecture import ConvArchitecture
from nas_env.space.layered import LayeredSpace
from nas_env.space.layout import Architecture, SearchSpace


def draw_figure(architecture: Architecture) -> Picture:
    """An architecture of any kind as a picture.

    A convolutional network is drawn like the paper's Figure 7, a recurrent cell like Figures 5
    and 8.

    Returns:
        The picture: ``.svg()`` gives text, ``.array()`` pixels, ``.png(path)`` and ``.save(path)``
        write a file.

    Raises:
        InvalidArchitectureError: it is no architecture.
    """
    if isinstance(architecture, ConvArchitecture):
        network = network_rows(architecture)
        return conv_picture(network, frame_of(network))
    if isinstance(architecture, CellArchitecture):
        return cell_picture(cell_rows(architecture))
    if isinstance(architecture, ChoiceArchitecture):
        choices = [Choice(name, (str(option),), 0) for name, option in architecture.items()]
        return choice_picture(f"{len(choices)} choices", choices)
    if isinstance(architecture, Architecture):
        return text_picture(str(architecture))  # a user's own kind: what it says of itself
    raise InvalidArchitectureError(
        f"Expected an architecture, got {type(architecture).__name__}: make one of JSON with "
        "nas_env.architecture_from_json, of a file with nas_env.load_architecture."
    )


def draw_tokens_figure(
    space: SearchSpace[Any], tokens: Sequence[int], num_layers: int, footer: str = ""
) -> Picture:
    """A token sequence of any space, complete or not, as a picture.

    Its size depends on the space and the depth alone, so that the pictures of an episode are the
    frames of a film.

    Args:
        space: gives the meaning of each position.
        tokens: those chosen so far.
        num_layers: depth of the architecture being written.
        footer: last line; as much of it as fits.
    """
    complete = len(tokens) == space.length(num_layers)
    if isinstance(space, LayeredSpace):
        frame = Frame(
            strides=any(position.name == "stride_height" for position in space.layout),
            span=num_layers if space.skip_connections else 1,
        )
        if complete:
            return conv_picture(network_rows(space.decode(tokens)), frame, footer)
        return conv_picture(partial_rows(space, tokens, num_layers), frame, footer)
    if isinstance(space, CellSpace):
        rows = cell_rows(space.decode(tokens)) if complete else partial_cell_rows(space, tokens)
        return cell_picture(rows, footer)
    return _choices(space, tokens, num_layers, footer)


def _choices(
    space: SearchSpace[Any], tokens: Sequence[int], num_layers: int, footer: str
) -> Picture:
    positions = space.layout[: space.length(num_layers)]
    choices = [
        Choice(
            f"{position.name} {position.layer}" if position.layer else position.name,
            tuple(str(option) for option in position.options),
            tokens[index] if index < len(tokens) else None,
            index == len(tokens),
        )
        for index, position in enumerate(positions)
    ]
    return choice_picture(f"{len(tokens)} of {len(positions)} tokens chosen", choices, footer)
