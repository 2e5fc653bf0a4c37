"""What an SB3 policy did in a batch of episodes, and that as SB3's rollout buffer."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from agents.agent import Batch
from nas_env.errors import ConfigurationError


@dataclass(frozen=True)
class Decision:
    """What the policy did for all rows of a batch in one call.

    Attributes:
        observations: each (rows, ...).
        actions: (rows,) as the policy drew them.
        tokens: (rows,) as they were played.
        values: (rows,) the critic's estimates.
        log_probs: (rows,) of ``actions``.
        extras: further arguments of the buffer's ``add``: a mask, an LSTM's states before the call.
            Arrays (rows, ...) or ``RNNStates``.
    """

    observations: dict[str, NDArray[Any]]
    actions: NDArray[np.int64]
    tokens: NDArray[np.int64]
    values: torch.Tensor
    log_probs: torch.Tensor
    extras: dict[str, Any]


@dataclass
class _Episode:
    row: int
    decisions: list[Decision] = field(default_factory=list)

    def played(self, length: int) -> list[int]:
        """Its first tokens. A row that waits for others is asked on; those are dropped."""
        return [int(decision.tokens[self.row]) for decision in self.decisions[:length]]


class Rollout:
    """Decisions since the last update, sorted into episodes."""

    def __init__(self) -> None:
        self._episodes: list[_Episode] = []  # in the order in which they began
        self._running: dict[int, _Episode] = {}  # by row

    def clear(self) -> None:
        """Forget all episodes."""
        self._episodes.clear()
        self._running.clear()

    def add(self, decision: Decision) -> None:
        """Note a decision; rows at position 0 begin an episode."""
        for row, position in enumerate(decision.observations["position"].reshape(-1).tolist()):
            if position == 0 or row not in self._running:
                self._running[row] = _Episode(row)
                self._episodes.append(self._running[row])
            self._running[row].decisions.append(decision)

    def fill(self, buffer: Any, batch: Batch) -> None:
        """Put the episodes of ``batch`` into an empty buffer of one environment, end to end.

        SB3's buffers put the steps of each environment end to end themselves before they shuffle,
        so this is the rollout of as many environments as there are episodes, and also takes
        episodes of different lengths.

        Args:
            buffer: of ``batch.lengths.sum()`` steps.
            batch: the episodes that were recorded here, in order.

        Raises:
            ConfigurationError: they are not.
        """
        for decision, row, reward, first in self._steps(batch):
            buffer.add(
                {key: value[row : row + 1] for key, value in decision.observations.items()},
                decision.actions[row : row + 1],
                np.array([reward]),
                np.array([first], np.float32),
                decision.values[row : row + 1],
                decision.log_probs[row : row + 1],
                **{key: _row(value, row) for key, value in decision.extras.items()},
            )
        # Every episode ended, so no value of a next observation enters the last return.
        buffer.compute_returns_and_advantage(last_values=torch.zeros(1), dones=np.array([True]))

    def _steps(self, batch: Batch) -> Iterator[tuple[Decision, int, float, bool]]:
        """Each step: its decision, row, reward and whether it is an episode's first."""
        recorded = iter(self._episodes)
        for index, length in enumerate(batch.lengths.tolist()):
            tokens = batch.tokens[index, :length].tolist()
            # Those between are episodes without a reward, of which there is nothing to learn.
            episode = next((known for known in recorded if known.played(length) == tokens), None)
            if episode is None:
                raise ConfigurationError(
                    f"Episode {index} is not what this agent just played: on-policy algorithms "
                    "learn only from the episodes for which they were asked last."
                )
            decisions = episode.decisions[:length]
            for step, decision in enumerate(decisions):
                reward = float(batch.rewards[index]) if step == length - 1 else 0.0
                yield decision, episode.row, reward, step == 0


def _row(value: Any, row: int) -> Any:
    """One row of a mask, or of ``RNNStates``: two networks of two tensors (layers, rows, units)."""
    if isinstance(value, np.ndarray):
        return value[row : row + 1]
    return type(value)(*(tuple(part[:, row : row + 1] for part in network) for network in value))
