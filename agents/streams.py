"""Randomness of agents: one generator per episode, a function of (seed, episode number).

So an agent's random state is two integers, a batch in flight can be sampled again after a crash,
and a search gives the same episodes whether they are played side by side or one after another.
"""

import numpy as np
from numpy.typing import NDArray

from agents.agent import Observations


class EpisodeStreams:
    """Hands every row of a batch the generator of the episode that it is playing.

    Args:
        seed: seed of the search.
        started: number of episodes begun before (the whole state, with ``seed``).
    """

    def __init__(self, seed: int, started: int = 0) -> None:
        self.seed = seed
        self.started = started
        self._rows: dict[int, np.random.Generator] = {}

    def forget(self, started: int) -> None:
        """Drop the episodes in flight and count on from ``started``."""
        self.started = started
        self._rows.clear()

    def generators(self, positions: NDArray[np.int64]) -> list[np.random.Generator]:
        """The generator of each row; a row at position 0 begins the next episode, in row order."""
        for row, position in enumerate(positions.tolist()):
            if position == 0 or row not in self._rows:
                entropy = np.random.SeedSequence([self.seed, self.started])
                self._rows[row] = np.random.Generator(np.random.PCG64(entropy))
                self.started += 1
        return [self._rows[row] for row in range(len(positions))]


def positions_of(observations: Observations) -> NDArray[np.int64]:
    """(batch,) index of the position that each row decides now."""
    return np.asarray(observations["position"], np.int64).reshape(-1)


def masks_of(observations: Observations) -> NDArray[np.bool_]:
    """(batch, actions) valid tokens."""
    return np.asarray(observations["action_mask"]).astype(np.bool_)


def draw(
    probabilities: NDArray[np.float64], generators: list[np.random.Generator]
) -> NDArray[np.int64]:
    """One token per row by inversion of the cumulative distribution; probability 0 is never drawn.

    Args:
        probabilities: (batch, actions), non-negative, each row with a positive sum.
        generators: one per row; each gives up exactly one uniform number.
    """
    cumulative = probabilities.cumsum(axis=1)  # (batch, actions)
    uniforms = np.array([generator.random() for generator in generators])  # (batch,)
    above = cumulative > (uniforms * cumulative[:, -1])[:, None]
    tokens: NDArray[np.int64] = above.argmax(axis=1)
    return tokens
