"""Sampling architectures that were not sampled before, exactly as the policy prefers them.

Source: Shi, Bieber & Sutton 2020, "Incremental Sampling Without Replacement for Sequence Models".
After the prefix h, token a is drawn with probability proportional to

    P(a | h) - sum over known sequences s that continue h with a of P(s | h)

the policy's probability of a less what would end in a known sequence. So every new sequence s has
probability P(s) / (1 - P(known)), as if the policy were asked again until it wrote a new one. The
policy moves at every update: P(s) is computed again for all known sequences then.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from agents.agent import AgentState, Batch, Observations, Problem
from agents.reinforce.controller import Controller
from agents.reinforce.elites import episodes_of
from agents.streams import draw, positions_of
from nas_env.system.threads import one_torch_thread

Array = NDArray[np.float64]

LEAST = 1e-9
"""A policy that leaves new sequences less than this has decided: a known one is repeated."""


class Known:
    """Every sequence that was played, once.

    Attributes:
        sequences: tokens -> (length, actions) what was valid; in the order of their first time.
    """

    def __init__(self) -> None:
        self.sequences: dict[tuple[int, ...], NDArray[np.bool_]] = {}

    def add(self, batch: Batch) -> None:
        """Remember finished episodes."""
        for tokens, masks, _ in batch.rows():
            self.sequences.setdefault(tuple(tokens.tolist()), masks)

    def batch(self) -> Batch:
        """The sequences as episodes; their rewards, which nobody needs, are 0."""
        tokens = [np.array(key, np.int64) for key in self.sequences]
        return Batch.padded(tokens, list(self.sequences.values()), [0.0] * len(tokens))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """For a checkpoint."""
        batch = self.batch()
        return {
            "known.tokens": batch.tokens,
            "known.masks": batch.masks,
            "known.lengths": batch.lengths,
        }

    def load(self, state: AgentState, problem: Problem) -> None:
        """Put back what ``arrays`` returned, of this version or of those that kept rewards too.

        Raises:
            CheckpointError: it did not.
        """
        saved = episodes_of(state, "known", problem)
        self.sequences = {}
        self.add(saved)


class Unseen:
    """The known sequences, and draws that avoid them.

    Args:
        controller: the policy.

    Attributes:
        known: every sequence that was played before.
        length: length of the last batch's longest episode; at first, of the search space's.
    """

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self.known = Known()
        self.length = len(controller.plan.step_of)
        self._written: set[bytes] = set()  # by this batch, whose episodes are not known yet
        self._tail: tuple[Batch, Array] | None = None

    def add(self, batch: Batch) -> None:
        """Know finished episodes; call it when the weights have changed."""
        self.known.add(batch)
        self.forget(int(batch.lengths.max()))

    def forget(self, length: int) -> None:
        """Drop the batch in flight and what was computed for it."""
        self.length = length
        self._written.clear()
        self._tail = None

    def draw(
        self,
        probabilities: Array,
        observations: Observations,
        generators: list[np.random.Generator],
    ) -> NDArray[np.int64]:
        """One token per row; each generator gives up one number, as in ``agents.streams.draw``.

        Args:
            probabilities: (batch, actions) of the policy.
            observations: what the rows see.
            generators: one per row.
        """
        tokens = np.asarray(observations["tokens"], np.int64) - 1  # (batch, positions)
        drawn = np.zeros(len(tokens), np.int64)
        for row, position in enumerate(positions_of(observations).tolist()):
            prefix = tokens[row, :position]
            weights = self.weights(prefix, probabilities[row])
            drawn[row] = draw(weights[None], [generators[row]])[0]
            if position + 1 >= self.length:
                self._written.add(np.append(prefix, drawn[row]).tobytes())
        return drawn

    def weights(self, prefix: NDArray[np.int64], probabilities: Array) -> Array:
        """(actions,) the next token's probability of leading to something new, not normalised.

        Args:
            prefix: (position,) tokens so far.
            probabilities: (actions,) of the policy; returned as it is where nothing new is left.
        """
        left = (probabilities - self._known_mass(prefix, len(probabilities))).clip(min=0.0)
        if len(prefix) + 1 >= self.length:
            left[self._written_after(prefix, len(left))] = 0.0
        return left if left.sum() >= LEAST else probabilities

    def _known_mass(self, prefix: NDArray[np.int64], actions: int) -> Array:
        """(actions,) probability, given the prefix, of each token with a known continuation."""
        if self._tail is None:
            self._tail = self._tails()
        batch, tail = self._tail
        position = len(prefix)
        if position >= batch.tokens.shape[1]:
            return np.zeros(actions)
        fits = batch.lengths > position
        fits &= (batch.tokens[:, :position] == prefix).all(axis=1)
        chances = np.exp(tail[fits, position])
        mass = np.bincount(batch.tokens[fits, position], chances, minlength=actions)
        return mass.astype(np.float64)  # bincount's own type says integers

    def _tails(self) -> tuple[Batch, Array]:
        """Known sequences; (known, longest) log-probability of each from a position to its end."""
        batch = self.known.batch()
        if not len(batch.lengths):
            return batch, np.zeros((0, 0))
        with torch.no_grad(), one_torch_thread():
            log_p = self.controller(batch.tokens, batch.masks)[0].numpy()
        log_p[np.arange(log_p.shape[1]) >= batch.lengths[:, None]] = 0.0
        return batch, log_p[:, ::-1].cumsum(axis=1)[:, ::-1]

    def _written_after(self, prefix: NDArray[np.int64], actions: int) -> list[int]:
        tokens = range(actions) if self._written else ()
        return [token for token in tokens if np.append(prefix, token).tobytes() in self._written]
