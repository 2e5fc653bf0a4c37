"""The best architectures so far, to be learned from again and again: priority queue training.

Source: Abolafia et al. 2018, "Neural Program Synthesis with Priority Queue Training": beside the
policy gradient, the log-likelihood of the K best unique sequences is raised at every update.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.agent import AgentState, Batch, Problem, unfit
from nas_env.errors import CheckpointError

NAMES = ("tokens", "masks", "lengths", "rewards")
"""Arrays of a checkpoint."""


@dataclass(frozen=True)
class Elite:
    """One architecture of the queue: (length,) tokens, (length, actions) masks, its reward."""

    tokens: NDArray[np.int64]
    masks: NDArray[np.bool_]
    reward: float


@dataclass
class Elites:
    """The ``size`` best unique sequences, best first; of equals the earlier one.

    A sequence that is found again with another reward counts with its first one.

    Attributes:
        size: most sequences kept.
        queue: tokens -> the sequence.
    """

    size: int
    queue: dict[tuple[int, ...], Elite] = field(default_factory=dict)

    def add(self, batch: Batch) -> None:
        """Let a batch in; the worst leave."""
        for tokens, masks, reward in batch.rows():
            self.queue.setdefault(tuple(tokens.tolist()), Elite(tokens, masks, reward))
        ranked = sorted(self.queue.items(), key=lambda item: -item[1].reward)  # stable
        self.queue = dict(ranked[: self.size])

    def batch(self) -> Batch:
        """The sequences as episodes, padded to one length."""
        elites = list(self.queue.values())
        return Batch.padded(
            [elite.tokens for elite in elites],
            [elite.masks for elite in elites],
            [elite.reward for elite in elites],
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """For a checkpoint."""
        batch = self.batch()
        return {f"elite.{name}": getattr(batch, name) for name in NAMES}

    def load(self, state: AgentState, problem: Problem) -> None:
        """Put back what ``arrays`` returned.

        Raises:
            CheckpointError: it did not.
        """
        saved = episodes_of(state, "elite", problem)
        rewards = state.array("elite.rewards", np.float64, (len(saved.lengths),))
        if len(rewards) > self.size:
            raise CheckpointError(unfit(f"{len(rewards)} elites, of at most {self.size}"))
        self.queue = {}
        self.add(replace(saved, rewards=rewards))


def episodes_of(state: AgentState, prefix: str, problem: Problem) -> Batch:
    """Sequences of a state: arrays ``PREFIX.tokens``, ``PREFIX.masks``, ``PREFIX.lengths``.

    Raises:
        CheckpointError: they are not sequences of this problem.
    """
    lengths = state.array(f"{prefix}.lengths", np.int64, (None,), 1, problem.num_positions)
    count, longest = len(lengths), int(lengths.max(initial=0))
    actions = problem.num_actions
    tokens = state.array(f"{prefix}.tokens", np.int64, (count, longest), 0, actions - 1)
    shape = (count, longest, actions if count else 0)
    masks = state.array(f"{prefix}.masks", np.bool_, shape)
    if not np.take_along_axis(masks, tokens[:, :, None], axis=2).all():
        raise CheckpointError(unfit(f"{prefix}.tokens holds tokens that were not valid"))
    return Batch(tokens, masks, lengths, np.zeros(count))
