"""Which tokens are valid next: the search space's masks, looked up as cheaply as the space allows.

Spaces whose masks depend on the position alone (``has_static_masks``) are served
from their table; the others are asked at every step.
"""

import numpy as np
from numpy.typing import NDArray

from nas_env.space.layout import Architecture, SearchSpace


class Masks:
    """Valid tokens of one or many partial sequences of one search space."""

    def __init__(self, search_space: SearchSpace[Architecture]) -> None:
        self._search_space = search_space
        self._static = search_space.has_static_masks
        self._rows: list[NDArray[np.bool_]] = [*search_space.static_masks] if self._static else []
        self._zeros_and_ones = [row.astype(np.int8) for row in self._rows]

    def one(self, tokens: NDArray[np.int64], position: int) -> NDArray[np.bool_]:
        """(actions,) bool for the next token of one sequence; not to be written to."""
        if self._static:
            return self._rows[position]
        batch: NDArray[np.bool_] = self.many(tokens[None], np.array([position]))[0]
        return batch

    def int8(self, mask: NDArray[np.bool_], position: int) -> NDArray[np.int8]:
        """A fresh copy of the mask that ``one`` gave for a position, as 0 and 1."""
        if self._static:
            row: NDArray[np.int8] = self._zeros_and_ones[position].copy()  # half of a cast's price
            return row
        return mask.astype(np.int8)

    def many(self, tokens: NDArray[np.int64], positions: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(batch, actions) bool, a fresh array, for (batch, len(layout)) tokens."""
        return self._search_space.masks(tokens, positions)
