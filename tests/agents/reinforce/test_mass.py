"""What is left where sequences are left out: against every member of a small space, by hand."""

from itertools import product
from typing import Any

import numpy as np
import pytest

from agents.reinforce.mass import NOWHERE, Left, in_order, log_sum

ALL = np.array(list(product(range(3), range(2), range(3))))


def chances(seed: int, valid: Any = None) -> Any:
    """(18, 3, 3) log-probabilities at every prefix of every member: a tree of its own."""
    rng = np.random.default_rng(seed)
    tree: dict[tuple[int, ...], Any] = {}
    rows = np.full((len(ALL), 3, 3), -np.inf)
    for row, tokens in enumerate(ALL.tolist()):
        for depth, options in enumerate((3, 2, 3)):
            prefix = tuple(tokens[:depth])
            if prefix not in tree:
                logits = 3 * rng.normal(size=options)
                tree[prefix] = logits - np.log(np.exp(logits).sum())
            rows[row, depth, :options] = tree[prefix]
    return rows


def total(log_p: Any) -> Any:
    return log_p[np.arange(len(ALL))[:, None], np.arange(3), ALL].sum(axis=1)


def walked(left: Left, log_p: Any) -> Any:
    """(members,) probability of each by the weights of a trie, token by token."""
    found = []
    for row, tokens in enumerate(ALL):
        node, log_chance = np.zeros(1, np.int64), 0.0
        for depth, token in enumerate(tokens):
            weights = left.weights(depth, node, log_p[row, depth][None])[0]
            log_chance += weights[token] - log_sum(weights)
            if log_chance == -np.inf:
                break
            node = left.follow(depth, node, np.array([token]))
        found.append(np.exp(log_chance))
    return np.array(found)


@pytest.mark.parametrize("seed", range(5))
def test_every_other_member_has_its_probability_given_that_it_is_not_left_out(seed: int) -> None:
    rng = np.random.default_rng(seed)
    log_p = chances(seed)
    out = rng.choice(len(ALL), size=rng.integers(1, len(ALL)), replace=False)
    left = Left(ALL[out], log_p[out])
    p = np.exp(total(log_p))
    rest = np.setdiff1d(np.arange(len(ALL)), out)
    expected = np.zeros(len(ALL))
    expected[rest] = p[rest] / p[rest].sum()
    np.testing.assert_allclose(walked(left, log_p), expected, rtol=1e-12)
    assert np.isclose(np.exp(left.log_mass), p[rest].sum(), rtol=1e-12)


def test_weights_are_exact_where_next_to_nothing_is_left() -> None:
    """The only member that is left has 1e-300: by subtraction nothing of it would be seen."""
    log_p = chances(0)
    log_p[:, 0] = np.array([-1.0, np.log(1 - np.exp(-1.0)), -690.0])
    left = Left(ALL[:12], log_p[:12])  # all that begin with 0 and 1
    assert np.isclose(left.log_mass, -690.0)
    root = left.weights(0, np.zeros(1, np.int64), log_p[0, 0][None])[0]
    np.testing.assert_allclose(root, [-np.inf, -np.inf, -690.0])


def test_nothing_is_left_when_all_are_left_out() -> None:
    log_p = chances(1)
    assert Left(ALL, log_p).log_mass == -np.inf


def test_a_prefix_that_none_left_out_begins_with_is_nowhere_and_keeps_the_policy() -> None:
    log_p = chances(2)
    left = Left(ALL[:1], log_p[:1])
    node = left.follow(0, np.zeros(1, np.int64), np.array([2]))
    assert node.tolist() == [NOWHERE]
    np.testing.assert_array_equal(left.weights(1, node, log_p[-1, 1][None])[0], log_p[-1, 1])
    assert left.follow(1, node, np.array([0])).tolist() == [NOWHERE]


def test_the_order_of_a_trie_tells_where_each_sequence_branches_off() -> None:
    tokens = np.array([[1, 0, 1], [0, 1, 0], [1, 0, 0], [0, 0, 2]])
    order, branch = in_order(tokens)
    assert order.tolist() == [3, 1, 2, 0]
    assert branch.tolist() == [-1, 1, 0, 2]
