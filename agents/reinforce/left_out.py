"""Sequences that are left out of one update's draws, and how likely the policy makes them."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from agents.agent import Problem
from agents.reinforce.controller import Controller
from agents.reinforce.mass import Left
from agents.reinforce.sampler import ControllerSampler

Array = NDArray[np.float64]
Tokens = NDArray[np.int64]


@dataclass
class Out:
    """Sequences of one length that are left out under the policy of this update.

    Attributes:
        tokens: each (length,).
        log_p: each (length, actions): the policy's log-probabilities at their prefixes.
        codes: their bytes.
        first: how many were left out from the start.
        complete: everything known of this length is among them.
    """

    tokens: list[Tokens] = field(default_factory=list)
    log_p: list[Array] = field(default_factory=list)
    codes: set[bytes] = field(default_factory=set)
    first: int = 0
    complete: bool = False
    _left: Left | None = None
    """Of these sequences; None = some were added since."""

    def add(self, tokens: Tokens, log_p: Array) -> None:
        """Leave one more out."""
        code = tokens.tobytes()
        if code not in self.codes:
            self.codes.add(code)
            self.tokens.append(tokens)
            self.log_p.append(log_p)
            self._left = None

    def trie(self) -> Left | None:
        """What is left; None where nothing is left out."""
        if self._left is None and self.tokens:
            self._left = Left(np.stack(self.tokens), np.stack(self.log_p))
        return self._left

    def first_trie(self) -> Left | None:
        """What is left from the start; None where nothing is left out, or nothing is left."""
        if not self.first:
            return None
        left = Left(np.stack(self.tokens[: self.first]), np.stack(self.log_p[: self.first]))
        return None if np.isneginf(left.log_mass) else left


def known_log_p(
    controller: Controller,
    problem: Problem,
    tokens: Tokens,
    masks: NDArray[np.bool_],
    branch: NDArray[np.int64],
) -> Array:
    """(sequences, length, actions) log-probabilities; every common prefix is gone once.

    Args:
        controller: the policy.
        problem: what is played.
        tokens: (sequences, length) in the order of ``in_order``.
        masks: (sequences, length, actions)
        branch: (sequences,) of ``in_order``.
    """
    log_p, before = np.zeros(masks.shape), np.zeros(1, np.int64)
    chosen = np.zeros((len(tokens), problem.num_positions), np.int64)
    chosen[:, : tokens.shape[1]] = tokens + 1
    sampler = ControllerSampler(controller)
    sampler.keep(np.zeros(0, np.int64))
    for depth in range(tokens.shape[1]):
        begins = branch < depth
        starts, node = np.flatnonzero(begins), begins.cumsum() - 1  # of every sequence
        if depth:
            sampler.keep(before[starts])
        seen = {
            "tokens": np.where(np.arange(chosen.shape[1]) < depth, chosen[starts], 0),
            "position": np.full(len(starts), depth),
            "action_mask": masks[starts, depth],
        }
        log_p[:, depth] = sampler.log_probabilities(seen)[node]
        before = node
    return log_p


def total(log_p: Array, tokens: Tokens) -> float:
    """Log-probability of a whole sequence."""
    return float(log_p[np.arange(len(tokens)), tokens].sum())
