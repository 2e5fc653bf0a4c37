"""Any architecture or token sequence as text or picture: ``nas_env.draw_figure``."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nas_env.space.architecture_json import as_architecture
from nas_env.space.layout import Architecture, SearchSpace
from nas_env.tasks.kinds import kind_of, kind_of_space

if TYPE_CHECKING:
    from nas_env.rendering.picture import Picture


def draw_text(architecture: Architecture | Mapping[str, Any]) -> str:
    """An architecture of any kind, or its JSON, as plain text (no line feed at its end)."""
    architecture = as_architecture(architecture)
    return kind_of(architecture).draw_text(architecture)


def draw_figure(architecture: Architecture | Mapping[str, Any]) -> "Picture":
    """An architecture of any kind as a picture.

    A convolutional network is drawn like the paper's Figure 7, a recurrent cell like Figures 5
    and 8.

    Args:
        architecture: an architecture, or its JSON as a dict.

    Returns:
        The picture: ``.svg()`` gives text, ``.array()`` pixels, ``.png(path)`` and ``.save(path)``
        write a file.

    Raises:
        InvalidArchitectureError: it is no architecture.
    """
    architecture = as_architecture(architecture)
    return kind_of(architecture).draw_figure(architecture)


def draw_tokens(space: SearchSpace[Any], tokens: Sequence[int], num_layers: int) -> str:
    """A token sequence of any space, complete or not, as plain text.

    Args:
        space: gives the meaning of each position.
        tokens: those chosen so far.
        num_layers: depth of the architecture being written.
    """
    if len(tokens) == space.length(num_layers):
        return draw_text(space.decode(tokens))
    return kind_of_space(space).draw_tokens(space, tokens, num_layers)


def draw_tokens_figure(
    space: SearchSpace[Any], tokens: Sequence[int], num_layers: int, footer: str = ""
) -> "Picture":
    """A token sequence of any space, complete or not, as a picture.

    Its size depends on the space and the depth alone, so that the pictures of an episode are the
    frames of a film.

    Args:
        space: gives the meaning of each position.
        tokens: those chosen so far.
        num_layers: depth of the architecture being written.
        footer: last line; as much of it as fits.
    """
    return kind_of_space(space).draw_tokens_figure(space, tokens, num_layers, footer)
