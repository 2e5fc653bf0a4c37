"""The best architectures so far, to be learned from again and again: priority queue training.

Source: Abolafia et al. 2018, "Neural Program Synthesis with Priority Queue Training": beside the
policy gradient, the log-likelihood of the K best unique sequences is raised at every update.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.agent import Batch
from nas_env.errors import CheckpointError


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
        size: most sequences kept; None = all.
        name: what its arrays are called in a checkpoint.
        queue: tokens -> the sequence.
    """

    size: int | None
    name: str = "elite"
    queue: dict[tuple[int, ...], Elite] = field(default_factory=dict)

    def add(self, batch: Batch) -> None:
        """Let a batch in; the worst leave."""
        for row, length in enumerate(batch.lengths.tolist()):
            tokens = batch.tokens[row, :length].copy()
            elite = Elite(tokens, batch.masks[row, :length].copy(), float(batch.rewards[row]))
            self.queue.setdefault(tuple(tokens.tolist()), elite)
        ranked = sorted(self.queue.items(), key=lambda item: -item[1].reward)  # stable
        self.queue = dict(ranked[: self.size])

    def batch(self) -> Batch:
        """The sequences as episodes, padded to one length."""
        elites = list(self.queue.values())
        lengths = np.array([len(elite.tokens) for elite in elites], np.int64)
        actions = elites[0].masks.shape[1] if elites else 0
        longest = int(lengths.max()) if elites else 0
        tokens = np.zeros((len(elites), longest), np.int64)
        masks = np.ones((len(elites), longest, actions), np.bool_)
        for row, elite in enumerate(elites):
            tokens[row, : lengths[row]] = elite.tokens
            masks[row, : lengths[row]] = elite.masks
        rewards = np.array([elite.reward for elite in elites], np.float64)
        return Batch(tokens, masks, lengths, rewards)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """For a checkpoint."""
        batch = self.batch()
        names = ("tokens", "masks", "lengths", "rewards")
        return {f"{self.name}.{name}": getattr(batch, name) for name in names}

    def load(self, arrays: Any) -> None:
        """Put back what ``arrays`` returned.

        Raises:
            CheckpointError: something is missing.
        """
        names = ("tokens", "masks", "lengths", "rewards")
        try:
            saved = Batch(**{name: arrays[f"{self.name}.{name}"] for name in names})
        except KeyError as error:
            raise CheckpointError(f"The checkpoint lacks {error}.") from error
        self.queue = {}
        self.add(saved)
