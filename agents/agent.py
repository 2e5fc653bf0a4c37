"""The protocol of every agent: sees batches of observations, returns tokens, learns from episodes.

Agents know environments only through the contract's spaces, so they play ours and anyone's.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_env.space.layout import Layout

Observations = Mapping[str, NDArray[Any]]
"""``tokens`` (batch, positions) int, token + 1 or 0 = not chosen yet; ``position`` (batch,);
``action_mask`` (batch, actions) of 0 and 1; ``remaining`` (batch,) tokens left in the episode,
where the environment tells."""


@dataclass(frozen=True)
class Problem:
    """What an agent may know of the environment it plays.

    Attributes:
        num_positions: length of ``observation["tokens"]``: the longest episode.
        num_actions: size of the action space.
        layout: meaning of each position where the environment publishes it, else None.
    """

    num_positions: int
    num_actions: int
    layout: Layout | None = None


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
    """A checkpoint: named arrays and JSON-able values, so that loading never runs code."""

    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)


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
        """Update from finished episodes; return figures worth logging (may be empty)."""

    @abstractmethod
    def state(self) -> AgentState:
        """Everything needed to continue bit for bit, between two updates."""

    @abstractmethod
    def load_state(self, state: AgentState) -> None:
        """Restore what ``state`` returned.

        Raises:
            CheckpointError: the state belongs to another agent or another problem.
        """
