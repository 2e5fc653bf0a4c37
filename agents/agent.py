"""The protocol of every agent: sees batches of observations, returns tokens, learns from episodes.

Agents know environments only through the contract's spaces, so they play ours and anyone's.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_env.errors import CheckpointError
from nas_env.space.layout import Layout

Observations = Mapping[str, NDArray[Any]]
"""``tokens`` (batch, positions) int, token + 1 or 0 = not chosen yet; ``position`` (batch,);
``action_mask`` (batch, actions) of 0 and 1; ``remaining`` (batch,) tokens left in the episode,
where the environment tells."""


Masks = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.bool_]]
"""``(tokens (batch, positions), position (batch,)) -> (batch, actions)``: what is valid next."""


@dataclass(frozen=True)
class Problem:
    """What an agent may know of the environment it plays.

    Attributes:
        num_positions: length of ``observation["tokens"]``: the longest episode.
        num_actions: size of the action space.
        layout: meaning of each position where the environment publishes it, else None.
        masks: the valid tokens after any beginning, where the environment publishes its search
            space, else None. An agent may then think ahead; what it is shown while it plays counts.
    """

    num_positions: int
    num_actions: int
    layout: Layout | None = None
    masks: Masks | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Batch:
    """Finished episodes to learn from. Positions are 0, 1, ..., length - 1 for every episode.

    Attributes:
        tokens: (episodes, longest) int64, padded with 0.
        masks: (episodes, longest, actions) bool: what was valid at each step; padding is all True.
        lengths: (episodes,) int64.
        rewards: (episodes,) float64.
    """

    tokens: NDArray[np.int64]
    masks: NDArray[np.bool_]
    lengths: NDArray[np.int64]
    rewards: NDArray[np.float64]

    @classmethod
    def padded(
        cls,
        tokens: Sequence[NDArray[np.int64]],
        masks: Sequence[NDArray[np.bool_]],
        rewards: Sequence[float],
    ) -> "Batch":
        """Episodes of any lengths: (length,) tokens and (length, actions) masks of each."""
        lengths = np.array([len(row) for row in tokens], np.int64)
        longest = int(lengths.max(initial=0))
        actions = masks[0].shape[1] if masks else 0
        batch = cls(
            np.zeros((len(tokens), longest), np.int64),
            np.ones((len(tokens), longest, actions), np.bool_),
            lengths,
            np.array(rewards, np.float64),
        )
        for row, length in enumerate(lengths.tolist()):
            batch.tokens[row, :length] = tokens[row]
            batch.masks[row, :length] = masks[row]
        return batch

    def rows(self) -> list[tuple[NDArray[np.int64], NDArray[np.bool_], float]]:
        """Tokens, masks and reward of each episode, without padding."""
        return [
            (self.tokens[row, :length].copy(), self.masks[row, :length].copy(), float(reward))
            for row, (length, reward) in enumerate(zip(self.lengths, self.rewards, strict=True))
        ]


@dataclass
class AgentState:
    """A checkpoint: named arrays and JSON-able values, so that loading never runs code.

    A digest tells that a checkpoint is what was written; nothing tells who wrote it. So what an
    agent would take without a word, and then search on with, is checked by who reads it with these
    methods: kinds, shapes, numbers that are none. (A number that could be right cannot be told.)

    Attributes:
        arrays: by name.
        values: JSON-able.
        growing: names of arrays whose rows never change and to which rows are only added: of these
            a checkpoint writes what is new.
    """

    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    growing: frozenset[str] = frozenset()

    def array(
        self,
        name: str,
        dtype: Any,
        shape: tuple[int | None, ...],
        low: float = -math.inf,
        high: float = math.inf,
    ) -> NDArray[Any]:
        """An array by name.

        Args:
            name: its name.
            dtype: what it must be.
            shape: None = of any length.
            low: least number in it.
            high: largest number in it.

        Raises:
            CheckpointError: it is missing, of another kind or shape, or holds another number: NaN
                and infinity too.
        """
        array = self.arrays.get(name)
        if array is None:
            raise CheckpointError(unfit(f"{name} is missing"))
        fits = len(array.shape) == len(shape) and all(
            wanted in (None, found) for wanted, found in zip(shape, array.shape, strict=True)
        )
        if array.dtype != np.dtype(dtype) or not fits:
            found = f"{array.dtype}{list(array.shape)}"
            wanted = f"{np.dtype(dtype)}{['any' if n is None else n for n in shape]}"
            raise CheckpointError(unfit(f"{name} is {found}, not {wanted}"))
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise CheckpointError(unfit(f"{name} holds numbers that are not finite"))
        if array.size and (array.min() < low or array.max() > high):
            raise CheckpointError(unfit(f"{name} goes from {array.min()} to {array.max()}"))
        return array

    def whole(self, name: str, low: int = 0, high: int | None = None) -> int:
        """A whole number among the values.

        Raises:
            CheckpointError: it is missing, none, or out of bounds.
        """
        value = self.values.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            if value >= low and (high is None or value <= high):
                return value
        raise CheckpointError(unfit(f"{name} is {value!r}"))

    def number(self, name: str) -> float:
        """A finite number among the values.

        Raises:
            CheckpointError: it is missing, or none.
        """
        value = self.values.get(name)
        if isinstance(value, float | int) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
        raise CheckpointError(unfit(f"{name} is {value!r}"))

    def group(self, name: str) -> "AgentState":
        """An object among the values, with all arrays.

        Raises:
            CheckpointError: it is missing, or none.
        """
        value = self.values.get(name)
        if not isinstance(value, dict):
            raise CheckpointError(unfit(f"{name} is {value!r}"))
        return AgentState(self.arrays, value)


def unfit(what: str) -> str:
    """The message for a state that cannot be."""
    return (
        f"The checkpoint cannot be resumed from: {what}. Restore the run folder from a copy, or "
        "start the search again in a new one: with the same seed and store, finished children are "
        "not trained again."
    )


class Agent(ABC):
    """Whatever picks tokens and learns from rewards, deterministic given seed and inputs."""

    name: str

    @abstractmethod
    def act(self, observations: Observations) -> NDArray[np.int64]:
        """Choose one token per row.

        A row whose ``position`` is 0 starts a new episode; rows keep their place in the batch
        until their episode ends.

        Returns:
            (batch,) valid tokens.
        """

    @abstractmethod
    def learn(self, batch: Batch) -> dict[str, float]:
        """Update from finished episodes; return figures worth logging (may be empty).

        Episodes without a reward are not among them: the batch may be smaller than what was played,
        never empty.
        """

    @abstractmethod
    def state(self) -> AgentState:
        """Everything needed to continue bit for bit, between two updates."""

    @abstractmethod
    def load_state(self, state: AgentState) -> None:
        """Restore what ``state`` returned.

        Raises:
            CheckpointError: the state belongs to another agent or another problem.
        """
