"""Every architecture that has a reward: what the screening learns from and never repeats."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata

from agents.agent import AgentState, Batch, Problem, unfit
from nas_env.errors import CheckpointError

ABSENT = -1
"""In the place of a token beyond the end of a shorter architecture."""
LARGEST = float(np.finfo(np.float64).max)


class History:
    """Token sequences and their rewards, each sequence once, in the order of their first time.

    A sequence that is found again with another reward counts with its first one.

    Args:
        problem: what is played.

    Attributes:
        known: every sequence, as its tokens.
        rewards: reward of each.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.known: dict[tuple[int, ...], int] = {}
        self.rewards: list[float] = []
        self._tokens = np.zeros((64, problem.num_positions), np.int32)

    def __len__(self) -> int:
        return len(self.rewards)

    @property
    def tokens(self) -> NDArray[np.int32]:
        """(known, positions) tokens; ``ABSENT`` beyond the end."""
        return self._tokens[: len(self)]

    def add(self, batch: Batch) -> int:
        """Take finished episodes in; how many of them were known before."""
        repeats = 0
        for tokens, _, reward in batch.rows():
            key = tuple(tokens.tolist())
            if key in self.known:
                repeats += 1
                continue
            if len(self) == len(self._tokens):
                self._tokens = np.concatenate([self._tokens, np.zeros_like(self._tokens)])
            self._tokens[len(self)] = ABSENT
            self._tokens[len(self), : len(tokens)] = tokens
            self.known[key] = len(self)
            self.rewards.append(min(max(reward, -LARGEST), LARGEST))  # a checkpoint holds numbers
        return repeats

    def best(self, count: int) -> NDArray[np.int64]:
        """Places of the best, best first; of equals the earlier one."""
        return np.argsort(-np.array(self.rewards), kind="stable")[:count]

    def scores(self) -> NDArray[np.float64]:
        """(known,) normal score of each reward's rank: 0 in the middle, equal rewards alike.

        z = Phi^-1((rank - 1/2) / known): only the order of rewards counts, not their scale.
        """
        ranks = rankdata(np.array(self.rewards))  # the mean rank of equals
        result: NDArray[np.float64] = ndtri((ranks - 0.5) / len(ranks))
        return result

    def arrays(self) -> dict[str, NDArray[Any]]:
        """For a checkpoint."""
        return {
            "history.tokens": self.tokens.copy(),
            "history.rewards": np.array(self.rewards, np.float64),
        }

    def load(self, state: AgentState) -> None:
        """Put back what ``arrays`` returned.

        Raises:
            CheckpointError: it did not.
        """
        positions, last = self.problem.num_positions, self.problem.num_actions - 1
        tokens = state.array("history.tokens", np.int32, (None, positions), ABSENT, last)
        rewards = state.array("history.rewards", np.float64, (len(tokens),))
        lengths = (tokens != ABSENT).sum(axis=1)
        inside = np.arange(positions) < lengths[:, None]
        if not (lengths > 0).all() or not ((tokens != ABSENT) == inside).all():
            raise CheckpointError(unfit("history.tokens has gaps"))
        keys = [tuple(row[:length].tolist()) for row, length in zip(tokens, lengths, strict=True)]
        self.known = {key: place for place, key in enumerate(keys)}
        if len(self.known) != len(tokens):
            raise CheckpointError(unfit("history.tokens holds a sequence twice"))
        self.rewards = rewards.tolist()
        self._tokens = np.concatenate([tokens, np.zeros((64, positions), np.int32)])
