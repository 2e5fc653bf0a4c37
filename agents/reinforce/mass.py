"""How much of the policy's probability is left where some sequences are left out.

With ``left(h)`` the probability that what follows the prefix h is none of the sequences left out,

    left(h) = sum_a P(a | h) left(h a),     left(a sequence left out) = 0,     left(elsewhere) = 1

and a token drawn with weights P(a | h) left(h a) at every prefix gives each other sequence s with
probability P(s) / left(start): as if the policy were asked again until it wrote another one. Sums
of what is left, in logarithms: nothing is subtracted, so the weights are as exact where the policy
leaves 1e-200 as where it leaves nearly all.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
NOWHERE = -1
"""A prefix that no sequence left out begins with."""
NONE = -np.inf
"""Logarithm of no probability at all."""


class Left:
    """A trie of the sequences left out, all of one length, with the mass left below every prefix.

    Nodes of each depth are numbered in the order of their tokens; the root has number 0.

    Args:
        tokens: (sequences, length), all different.
        log_p: (sequences, length, actions) the policy's log-probabilities at each of their
            prefixes, -inf where not valid.

    Attributes:
        log_mass: logarithm of ``left(start)``; -inf where nothing else can be written at all.
    """

    def __init__(self, tokens: NDArray[np.int64], log_p: Array) -> None:
        count, length = tokens.shape
        order, branch = in_order(tokens)
        tokens, log_p = tokens[order], log_p[order]
        self._weights: list[Array] = [np.zeros((0, 0))] * length
        self._next: list[NDArray[np.int64]] = [np.zeros((0, 0), np.int64)] * length
        below = np.full(count, NONE)  # of the nodes one token deeper
        firsts = np.arange(count)  # their first rows
        for depth in reversed(range(length)):
            starts = np.flatnonzero(branch < depth)  # first row of each node of this depth
            parent = np.searchsorted(starts, firsts, side="right") - 1
            token = tokens[firsts, depth]
            weights = log_p[starts, depth].copy()  # (nodes, actions)
            weights[parent, token] += below
            following = np.full(weights.shape, NOWHERE)
            following[parent, token] = np.arange(len(firsts))
            self._weights[depth], self._next[depth] = weights, following
            below, firsts = log_sum(weights), starts
        self.log_mass = float(below[0])

    def weights(self, depth: int, nodes: NDArray[np.int64], log_p: Array) -> Array:
        """(rows, actions) logarithms of P(a | h) left(h a).

        Args:
            depth: length of the rows' prefixes.
            nodes: (rows,) their nodes, or ``NOWHERE``.
            log_p: (rows, actions) the policy's, which count for prefixes that are nowhere.
        """
        result, inside = log_p.copy(), nodes != NOWHERE
        result[inside] = self._weights[depth][nodes[inside]]
        return result

    def follow(
        self, depth: int, nodes: NDArray[np.int64], tokens: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """(rows,) the nodes after one more token."""
        result, inside = nodes.copy(), nodes != NOWHERE
        result[inside] = self._next[depth][nodes[inside], tokens[inside]]
        return result


def in_order(tokens: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The order of a trie, and where each sequence branches off.

    Args:
        tokens: (sequences, length), all different.

    Returns:
        (sequences,) what sorts them; and, of the sorted ones, how many tokens each has in common
        with the one before, -1 for the first. Those with ``branch < depth`` begin a prefix of
        ``depth`` tokens.
    """
    order = np.lexsort(tokens.T[::-1])
    branch = np.full(len(tokens), NOWHERE)
    branch[1:] = (tokens[order[1:]] != tokens[order[:-1]]).argmax(axis=1)
    return order, branch


def log_sum(logs: Array) -> Array:
    """Logarithm of the sum over the last axis; -inf where all are."""
    highest = logs.max(axis=-1, keepdims=True)
    highest[np.isneginf(highest)] = 0.0
    with np.errstate(divide="ignore"):
        result: Array = np.log(np.exp(logs - highest).sum(axis=-1)) + highest[..., 0]
    return result


def shares(logs: Array) -> Array:
    """The same weights, each row's largest 1; rows of nothing but -inf become 0."""
    highest = logs.max(axis=-1, keepdims=True)
    highest[np.isneginf(highest)] = 0.0
    result: Array = np.exp(logs - highest)
    return result
