"""What each token position means, and the contract of every search space.

A *layout* is a fixed tuple of positions. An episode of a shallower network uses a prefix of it, so
a position means the same thing in every episode. Positions that do not apply to the architecture
being written (the filter height of a pooling layer) stay in the layout with token 0 as their only
valid option, so that every episode of one depth has the same length.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from nas_env.errors import InvalidTokenError

Option = int | float | str
Kind = Literal["option", "skip", "conditional"]


@dataclass(frozen=True)
class Position:
    """One token position.

    Attributes:
        name: what is chosen, the same for all layers (``"filter_height"``, ``"skip"``).
        options: the values behind tokens 0, 1, ...; ``(0, 1)`` for a skip decision.
        kind: ``"option"``; ``"skip"``: whether layer ``source`` is an input of layer ``layer``; or
            ``"conditional"``: an option that exists only with certain earlier ones. Where it does
            not, token 0 is the only valid one.
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
_LONGEST = 2000  # characters of what is decided, in the one line of a space


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

    def __repr__(self) -> str:
        """Depth, size and what is decided, in a line."""
        size = self.size
        count = f"{size:,}" if size < 10**6 else f"about 10^{round(math.log10(size))}"
        options: dict[str, str] = {}
        for position in self.layout:
            options.setdefault(position.name, " | ".join(map(str, position.options)))
        decided = ", ".join(f"{name}: {values}" for name, values in options.items())
        return (
            f"{type(self).__name__}: {self._depth_text()}{self.length()} tokens, "
            f"{count} architectures; {decided[:_LONGEST]}{'...' * (len(decided) > _LONGEST)}"
        )

    def _depth_text(self) -> str:
        low, high = self.min_layers, self.max_layers
        others = f" ({low} to {high})" if low < high else ""
        return f"{self.num_layers} layers{others}, " if high > 1 else ""

    @cached_property
    def max_options(self) -> int:
        """The most options at any position: the size of the action space."""
        return max(len(position.options) for position in self.layout)

    @property
    @abstractmethod
    def size(self) -> int:
        """Exact number of different architectures-as-token-sequences of ``num_layers`` layers."""

    def size_at(self, num_layers: int) -> int:
        """``size`` at another depth; spaces of several depths override this."""
        self.length(num_layers)  # raises for a depth that the space lacks
        return self.size

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
    def has_static_masks(self) -> bool:
        """Whether what is valid depends on the position alone: ``static_masks`` tells it all."""
        return type(self).masks is SearchSpace.masks

    @cached_property
    def static_masks(self) -> NDArray[np.bool_]:
        """(len(layout), max_options) bool: the options that exist at each position."""
        sizes = np.array([len(position.options) for position in self.layout])
        masks: NDArray[np.bool_] = np.arange(self.max_options) < sizes[:, None]
        return masks

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

    @cached_property
    def _depths(self) -> dict[int, int]:
        """Number of layers of each allowed sequence length."""
        return {self.length(n): n for n in range(self.min_layers, self.max_layers + 1)}

    def depth_of(self, tokens: Sequence[int]) -> int:
        """Number of layers that a complete sequence of this many tokens describes.

        Raises:
            InvalidTokenError: no architecture of the space has that many tokens.
        """
        depth = self._depths.get(len(tokens))
        if depth is None:
            raise InvalidTokenError(
                f"No architecture of this space has {len(tokens)} tokens. Lengths by number of "
                f"layers: {', '.join(f'{n}: {size}' for size, n in self._depths.items())}."
            )
        return depth

    def check(self, tokens: Sequence[int], num_layers: int) -> NDArray[np.int64]:
        """Validate a complete sequence against length and masks; return it as an array.

        Raises:
            InvalidTokenError: wrong length, not integers, out of range or masked.
        """
        expected = self.length(num_layers)
        if len(tokens) != expected:
            raise InvalidTokenError(
                f"A sequence for {num_layers} layers has {expected} tokens, got {len(tokens)}."
            )
        if self._plainly_valid(tokens):
            return np.array(tokens, np.int64)
        given = np.asarray(tokens)
        if given.ndim != 1 or given.dtype.kind not in "iu":
            raise InvalidTokenError(f"Tokens are integers, one a position; got {tokens!r}.")
        row = np.zeros(len(self.layout), np.int64)
        row[:expected] = given
        checked, steps = row[:expected], np.arange(expected)
        masks = self.masks(np.broadcast_to(row, (expected, len(row))), steps)
        in_range = (checked >= 0) & (checked < self.max_options)
        valid = in_range & masks[steps, np.where(in_range, checked, 0)]  # (expected,)
        if not valid.all():
            first = int(np.argmin(valid))
            raise InvalidTokenError(self.describe_invalid(first, int(row[first]), masks[first]))
        return checked

    def _plainly_valid(self, tokens: Sequence[int]) -> bool:
        """Whether a few comparisons can tell that all is well: the case of every episode."""
        return self.has_static_masks and all(
            type(token) is int and 0 <= token < size
            for token, size in zip(tokens, self._sizes, strict=False)
        )

    @cached_property
    def _sizes(self) -> tuple[int, ...]:
        """Options at each position."""
        return tuple(len(position.options) for position in self.layout)

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
        row = self.sample_batch(rng, 1, num_layers)[0]
        return tuple(row[: self.length(num_layers)].tolist())

    def sample_batch(
        self, rng: np.random.Generator, count: int, num_layers: int | None = None
    ) -> NDArray[np.int64]:
        """Many token sequences, uniform over the valid options at each position.

        Returns:
            (count, len(layout)) tokens; positions beyond ``length(num_layers)`` hold 0.
        """
        length = self.length(num_layers)
        tokens = np.zeros((count, len(self.layout)), np.int64)
        draws = rng.random((count, length))
        if self.has_static_masks:  # no position depends on another: all at once
            tokens[:, :length] = draws * self.static_masks[:length].sum(axis=1)
            return tokens
        for index in range(length):
            masks = self.masks(tokens, np.full(count, index))  # (count, options)
            ranks = np.cumsum(masks, axis=1)
            chosen = (draws[:, index] * ranks[:, -1]).astype(np.int64)  # which of the valid ones
            tokens[:, index] = np.argmax(ranks > chosen[:, None], axis=1)
        return tokens
