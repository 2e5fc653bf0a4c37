"""Random search: uniform, valid, reproducible, resumable."""

from typing import Any

import numpy as np
import pytest

from agents.random_search import RandomSearchAgent
from agents.reinforce.agent import ReinforceAgent
from nas_env.errors import CheckpointError


def test_every_valid_token_has_the_same_chance(game: Any, layout: Any) -> None:
    maker = game(layout(2))
    tokens = maker.play(RandomSearchAgent(maker.problem, seed=0), 3000).tokens
    for position, meaning in enumerate(maker.layout):
        options = len(meaning.options)
        counts = np.bincount(tokens[:, position], minlength=options)
        expected = 3000 / options
        assert ((counts - expected) ** 2 / expected).sum() < 25, "chi-squared, 3 degrees or fewer"


def test_same_seed_same_tokens_other_seed_other_tokens(game: Any, layout: Any) -> None:
    maker = game(layout(4))
    runs = [maker.play(RandomSearchAgent(maker.problem, seed), 8).tokens for seed in (0, 0, 1)]
    assert np.array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


def test_episodes_are_the_same_side_by_side_and_one_after_another(game: Any, layout: Any) -> None:
    maker = game(layout(4))
    together = maker.play(RandomSearchAgent(maker.problem, 3), 6).tokens
    agent = RandomSearchAgent(maker.problem, 3)
    apart = np.concatenate([maker.play(agent, 1).tokens for _ in range(6)])
    assert np.array_equal(together, apart)


def test_a_restored_agent_continues_where_it_was(game: Any, layout: Any) -> None:
    maker = game(layout(4))
    agent = RandomSearchAgent(maker.problem, 3)
    maker.play(agent, 6)
    twin = RandomSearchAgent(maker.problem, 3)
    twin.load_state(agent.state())
    assert np.array_equal(maker.play(agent, 6).tokens, maker.play(twin, 6).tokens)


def test_state_of_another_agent_is_refused(game: Any, layout: Any) -> None:
    problem = game(layout(2)).problem
    with pytest.raises(CheckpointError, match="reinforce"):
        RandomSearchAgent(problem).load_state(ReinforceAgent(problem).state())
