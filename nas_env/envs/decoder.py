"""Decoding with a memory: an agent that has settled writes the same architectures again."""

from collections.abc import Iterable
from typing import Any

from nas_env.space.layout import Architecture, SearchSpace

REMEMBERED_TOKENS = 500_000  # of all architectures together: some tens of megabytes


class Decoder:
    """``search_space.decode``, asked once for each different sequence.

    Architectures are immutable, so sharing them is safe. The memory stays behind when an
    environment is pickled or copied.
    """

    def __init__(self, search_space: SearchSpace[Any]) -> None:
        self._search_space = search_space
        self._limit = REMEMBERED_TOKENS // len(search_space.layout) + 1
        self._known: dict[tuple[int, ...], Architecture] = {}

    def __call__(self, tokens: Iterable[int]) -> Architecture:
        """The architecture that a complete, valid token sequence describes."""
        key = tuple(tokens)
        architecture: Architecture | None = self._known.get(key)
        if architecture is None:
            architecture = self._search_space.decode(key)
            if len(self._known) >= self._limit:
                self._known.clear()
            self._known[key] = architecture
        return architecture

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_known": {}}
