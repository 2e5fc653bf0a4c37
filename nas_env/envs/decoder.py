"""Decoding with a memory: an agent that has settled writes the same architectures again."""

from collections.abc import Iterable
from typing import Any

from nas_env.space.layout import Architecture, SearchSpace

REMEMBERED = 16384  # architectures; some tens of megabytes for deep networks


class Decoder:
    """``search_space.decode``, asked once for each different sequence.

    Architectures are immutable, so sharing them is safe. The memory stays behind when an
    environment is pickled or copied.
    """

    def __init__(self, search_space: SearchSpace[Any]) -> None:
        self._search_space = search_space
        self._known: dict[tuple[int, ...], Architecture] = {}

    def __call__(self, tokens: Iterable[int]) -> Architecture:
        """The architecture that a complete, valid token sequence describes."""
        key = tuple(tokens)
        architecture: Architecture | None = self._known.get(key)
        if architecture is None:
            architecture = self._search_space.decode(key)
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[key] = architecture
        return architecture

    def __getstate__(self) -> dict[str, Any]:
        return {"_search_space": self._search_space, "_known": {}}
