"""What each token position means, and the contract of every search space.

A *layout* is a fixed tuple of positions. An episode of a shallower network uses a prefix of it, so
a position means the same thing in every episode. Positions that do not apply to the architecture
being written (the filter height of a pooling layer) stay in the layout with token 0 as their only
valid option, so that every episode of one depth has the same length.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from nas_env.errors import InvalidTokenError

Option = int | float | str
Kind = Literal["option", "skip"]


@dataclass(frozen=True)
class Position:
    """One token position.

    Attributes:
        name: what is chosen, the same for all layers (``"filter_height"``, ``"skip"``).
        options: the values behind tokens 0, 1, ...; ``(0, 1)`` for a skip decision.
        kind: ``"option"``, or ``"skip"``: whether layer ``source`` is an input of layer ``layer``.
        layer: 1-based layer (or block, or tree node + 1) the choice belongs to; 0 for a choice that
            belongs to the whole network.
        source: for a skip decision, the 1-based earlier layer; None otherwise.
    """

    name: str
    options: tuple[Option, ...]
    kind: Kind = "option"
    layer: int = 0
    source: int | None = None


Layout = tuple[Position, ...]


class Architecture(ABC):
    """A decoded architecture: frozen, JSON-able, free of torch."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict with a ``"kind"``; ``architecture_from_json`` reads it back."""

    @abstractmethod
    def canonical(self) -> "Architecture":
        """The representative of all architectures that compute the same function family.

        Children are always built from the canonical form, and it is the cache key.
        """


ArchitectureT = TypeVar("ArchitectureT", bound=Architecture)


class SearchSpace(ABC, Generic[ArchitectureT]):
    """Layout + masks + decode + encode + size.

    Attributes:
        layout: the positions of the deepest architecture (length = ``length(max_layers)``).
        num_layers: depth of an architecture unless an episode asks for another.
        max_layers: the deepest allowed; ``min_layers`` the shallowest. Spaces of one depth have all
            three equal.
    """

    layout: Layout
    num_layers: int
    min_layers: int
    max_layers: int

    @property
    def max_options(self) -> int:
        """The most options at any position: the size of the action space."""
        return max(len(position.options) for position in self.layout)

    @property
    @abstractmethod
    def size(self) -> int:
        """Exact number of different architectures-as-token-sequences of ``num_layers`` layers."""

    @abstractmethod
    def length(self, num_layers: int | None = None) -> int:
        """Number of tokens of an architecture of ``num_layers`` layers (default: the space's)."""

    def masks(self, tokens: NDArray[np.int64], positions: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Valid tokens at the next position of each of a batch of partial sequences.

        Args:
            tokens: (batch, len(layout)) tokens chosen so far; entries at or after ``positions`` are
                ignored.
            positions: (batch,) index of the position about to be chosen.

        Returns:
            (batch, max_options) bool, a fresh array. Spaces whose masks depend on earlier tokens
            override this.
        """
        return self.static_masks[positions]

    @property
    def static_masks(self) -> NDArray[np.bool_]:
        """(len(layout), max_options) bool: the options that exist at each position."""
        cached = self.__dict__.get("_static_masks")
        if cached is None:
            sizes = np.array([len(position.options) for position in self.layout])
            cached = np.arange(self.max_options) < sizes[:, None]  # (positions, options)
            self.__dict__["_static_masks"] = cached
        result: NDArray[np.bool_] = cached
        return result

    @abstractmethod
    def decode(self, tokens: Sequence[int]) -> ArchitectureT:
        """The architecture that a complete token sequence (of any allowed depth) describes.

        Raises:
            InvalidTokenError: wrong length, or a token out of range or masked.
        """

    @abstractmethod
    def encode(self, architecture: ArchitectureT) -> tuple[int, ...]:
        """The token sequence that ``decode`` reads back to ``architecture``.

        Raises:
            InvalidArchitectureError: the space does not contain it.
        """

    def check(self, tokens: Sequence[int], num_layers: int) -> NDArray[np.int64]:
        """Validate a complete sequence against length and masks; return it as an array."""
        expected = self.length(num_layers)
        if len(tokens) != expected:
            raise InvalidTokenError(
                f"A sequence for {num_layers} layers has {expected} tokens, got {len(tokens)}."
            )
        array = np.zeros(len(self.layout), np.int64)
        array[:expected] = tokens
        batch = np.broadcast_to(array, (expected, len(array)))
        masks = self.masks(batch, np.arange(expected))
        for index, token in enumerate(array[:expected].tolist()):
            if not (0 <= token < self.max_options and masks[index, token]):
                raise InvalidTokenError(self.describe_invalid(index, token, masks[index]))
        return array[:expected]

    def describe_invalid(self, index: int, token: int, mask: NDArray[np.bool_]) -> str:
        """The message for a token that is not valid at position ``index`` of the layout."""
        position = self.layout[index]
        where = f" of layer {position.layer}" if position.layer else ""
        allowed = ", ".join(
            f"{option} ({position.options[option]})" for option in np.flatnonzero(mask).tolist()
        )
        return (
            f"Token {token} is not valid at position {index} ({position.name}{where}). "
            f"Valid tokens (and what they mean): {allowed}."
        )

    def sample(self, rng: np.random.Generator, num_layers: int | None = None) -> tuple[int, ...]:
        """One token sequence, uniform over the valid options at each position."""
        length = self.length(num_layers)
        tokens = np.zeros((1, len(self.layout)), np.int64)
        for index in range(length):
            mask = self.masks(tokens, np.array([index]))[0]
            tokens[0, index] = rng.choice(np.flatnonzero(mask))
        return tuple(tokens[0, :length].tolist())
