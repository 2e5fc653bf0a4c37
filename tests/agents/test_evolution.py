"""Regularised evolution: who is the parent, what a mutation changes, who dies."""

from typing import Any

import numpy as np
import pytest

from agents.evolution import EvolutionAgent, EvolutionSettings
from nas_env.errors import ConfigurationError
from nas_env.space.layout import Position

SMALL = EvolutionSettings(population=10, tournament=4)


def test_a_child_differs_from_its_parent_in_exactly_one_position(game: Any, layout: Any) -> None:
    maker = game(layout(4))
    agent = EvolutionAgent(maker.problem, 0, EvolutionSettings(population=1, tournament=1))
    parent = maker.play(agent, 1)
    agent.learn(parent)
    children = maker.play(agent, 40).tokens
    differences = (children != parent.tokens).sum(axis=1)
    assert differences.tolist() == [1] * 40
    assert len({int(np.flatnonzero(c != parent.tokens[0])[0]) for c in children}) > 10


def test_a_position_with_one_valid_option_is_never_the_one_to_change(game: Any) -> None:
    layout = (Position("only", (1,), layer=1), Position("a", (0, 1), layer=1))
    maker = game(layout)
    agent = EvolutionAgent(maker.problem, 0, EvolutionSettings(population=1, tournament=1))
    agent.learn(maker.play(agent, 1))
    parent = agent.population[0].tokens
    children = maker.play(agent, 20).tokens
    assert (children[:, 1] != parent[1]).all()


def test_a_token_that_the_mutation_makes_invalid_is_drawn_again(game: Any) -> None:
    """Position 1 may only repeat position 0, so changing position 0 must change both."""

    class Repeats(game):  # type: ignore[misc]
        def observe(self, tokens: Any, positions: Any) -> Any:
            observations = super().observe(tokens, positions)
            for row, position in enumerate(positions):
                if position == 1:
                    observations["action_mask"][row] = np.arange(3) == tokens[row, 0]
            return observations

    maker = Repeats((Position("a", (0, 1, 2), layer=1), Position("b", (0, 1, 2), layer=1)))
    agent = EvolutionAgent(maker.problem, 0, EvolutionSettings(population=1, tournament=1))
    batch = maker.play(agent, 1)
    batch.masks[:, 1] = np.arange(3) == batch.tokens[0, 0]
    agent.learn(batch)
    children = maker.play(agent, 20).tokens
    assert (children[:, 0] == children[:, 1]).all()
    assert (children[:, 0] != batch.tokens[0, 0]).all()


def test_random_until_the_population_is_full_then_the_oldest_dies(game: Any, layout: Any) -> None:
    maker = game(layout(2), lambda tokens: float(tokens.sum()))
    agent = EvolutionAgent(maker.problem, 0, SMALL)
    batches = [maker.play(agent, 4) for _ in range(3)]
    for batch in batches:
        agent.learn(batch)
    kept = np.concatenate([batch.tokens for batch in batches])[-10:]
    assert np.array_equal(np.stack([member.tokens for member in agent.population]), kept)


def test_the_parent_is_the_best_of_the_tournament(game: Any, layout: Any) -> None:
    maker = game(layout(2), lambda tokens: float(tokens.sum()))
    everyone = EvolutionSettings(population=10, tournament=10)
    agent = EvolutionAgent(maker.problem, 0, everyone)
    agent.learn(maker.play(agent, 10))
    best = max(agent.population, key=lambda member: member.reward)
    children = maker.play(agent, 10).tokens
    assert ((children != best.tokens).sum(axis=1) == 1).all()


def test_deeper_children_keep_the_whole_parent(game: Any, layout: Any) -> None:
    maker = game(layout(4))
    agent = EvolutionAgent(maker.problem, 0, EvolutionSettings(population=1, tournament=1))
    agent.learn(maker.play(agent, 1, length=len(layout(2))))
    parent = agent.population[0].tokens
    children = maker.play(agent, 10).tokens
    assert ((children[:, : len(parent)] != parent).sum(axis=1) == 1).all()
    assert len(np.unique(children[:, len(parent) :], axis=0)) > 1


def test_climbs_to_the_optimum_of_a_trivial_space(game: Any, layout: Any) -> None:
    maker = game(layout(3), lambda tokens: float((tokens == 1).mean()))
    agent = EvolutionAgent(maker.problem, 0, EvolutionSettings(population=20, tournament=8))
    for _ in range(60):
        agent.learn(maker.play(agent, 8))
    assert max(member.reward for member in agent.population) == 1.0


def test_a_restored_agent_continues_where_it_was(game: Any, layout: Any) -> None:
    maker = game(layout(3), lambda tokens: float(tokens.sum()))
    agent, twin = (EvolutionAgent(maker.problem, 5, SMALL) for _ in range(2))
    for _ in range(4):
        agent.learn(maker.play(agent, 4))
    maker.play(twin, 2)
    twin.load_state(agent.state())
    for _ in range(3):
        one, two = maker.play(agent, 4), maker.play(twin, 4)
        assert np.array_equal(one.tokens, two.tokens)
        assert agent.learn(one) == twin.learn(two)


def test_a_tournament_larger_than_the_population_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="tournament"):
        EvolutionSettings(population=4, tournament=5)
