"""What the screening agents promise in a search: no repeats, masks kept, resumed bit for bit."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import agents
import nas_env
from agents.agent import Agent
from agents.registry import make_agent, resolved_options
from nas_env.space.conv import ConvSpace
from nas_env.space.layer_types import LayerTypesSpace

NAMES = ("screen", "gp", "hybrid")
FEW = {"elite_candidates": 16, "hidden_size": 8, "policy_candidates": 16, "random_candidates": 16}


def first_height(architecture: Any, seed: int) -> float:
    return float(architecture.layers[0].filter_height)


def tall_below(architecture: Any, seed: int) -> float:
    return float(sum(layer.filter_height == 7 for layer in architecture.layers[:2])) / 2


def options(name: str, **others: Any) -> dict[str, Any]:
    """Few candidates: tests are quick."""
    known = resolved_options(name, {})
    return {key: value for key, value in {**FEW, **others}.items() if key in known}


def agent_of(name: str, maker: Any, seed: int = 0, **others: Any) -> Agent:
    return make_agent(name, maker.problem, seed, options(name, **others))


@pytest.mark.parametrize("with_layout", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_repeated_until_everything_was_played(
    name: str, with_layout: bool, game: Any, layout: Any
) -> None:
    maker = game(layout(1), lambda tokens: float(tokens.sum()), with_layout)  # 48 architectures
    agent = agent_of(name, maker, random_candidates=64, elite_candidates=64)
    played: list[Any] = []
    repeats = []
    for _ in range(8):
        batch = maker.play(agent, 5)
        repeats.append(agent.learn(batch)["repeats"])
        played += map(tuple, batch.tokens.tolist())
    assert len(set(played)) == 40
    assert repeats == [0] * 8
    for _ in range(4):
        repeats.append(agent.learn(maker.play(agent, 5))["repeats"])
    assert sum(repeats) >= 60 - 48, "more children than architectures"


@pytest.mark.parametrize("name", NAMES)
def test_a_restored_agent_continues_bit_for_bit(name: str, game: Any, layout: Any) -> None:
    maker = game(layout(3), lambda tokens: float(tokens[:4].mean()))
    agent, twin = agent_of(name, maker, 5, gp_points=20), agent_of(name, maker, 5, gp_points=20)
    for _ in range(4):
        agent.learn(maker.play(agent, 6))
    maker.play(twin, 2)
    twin.load_state(agent.state())
    for _ in range(4):
        one, two = maker.play(agent, 6), maker.play(twin, 6)
        assert np.array_equal(one.tokens, two.tokens)
        assert agent.learn(one) == twin.learn(two)
    first, second = agent.state(), twin.state()
    assert first.values == second.values
    assert all(np.array_equal(a, second.arrays[name]) for name, a in first.arrays.items())


@pytest.mark.parametrize("name", NAMES)
def test_side_by_side_and_one_after_another_are_the_same_search(name: str) -> None:
    def found(env: Any) -> Any:
        result = agents.run_search(env, name, 40, 8, seed=3, **options(name))
        return [episode.tokens for episode in result.episodes]

    class Foreign(gym.Wrapper[Any, Any, Any, Any]):
        """Not one of our classes: played one after another."""

    def env() -> Any:
        space = ConvSpace(num_layers=2, max_layers=2)
        return nas_env.ArchitectureEnv(space, first_height)

    assert found(env()) == found(Foreign(env()))


@pytest.mark.parametrize("name", NAMES)
def test_masks_that_depend_on_earlier_tokens_are_kept(name: str) -> None:
    env = nas_env.ArchitectureEnv(LayerTypesSpace(3, 3), lambda a, seed: float(seed % 7))
    result = agents.run_search(env, name, children=64, **options(name))
    assert all(episode.state == "complete" for episode in result.episodes)
    assert len({episode.tokens for episode in result.episodes}) == 64


@pytest.mark.parametrize("name", NAMES)
def test_networks_that_grow_deeper_build_on_the_shallower(name: str) -> None:
    """Every layer but the last as at depth 2: what was learned there is kept at depth 3."""
    space = ConvSpace(num_layers=2, max_layers=3)
    env = nas_env.ArchitectureEnv(space, tall_below)
    schedule = agents.DepthSchedule(first=2, step=1, every=64, last=3)
    result = agents.run_search(env, name, 128, 8, schedule=schedule, **options(name))
    depths = [len(episode.tokens) for episode in result.episodes]
    assert set(depths[:64]) == {space.length(2)} and set(depths[64:]) == {space.length(3)}
    assert np.mean([episode.reward for episode in result.episodes[64:]]) > 0.7


@pytest.mark.parametrize("name", NAMES)
def test_finds_the_best_of_a_space_with_few_children(name: str, game: Any, layout: Any) -> None:
    """All options at 2 and no skips: one of 36,864, found within 160 children."""
    goal = np.array([0 if p.kind == "skip" else 2 for p in layout(3)])
    maker = game(layout(3), lambda tokens: float((tokens == goal).mean()))
    agent = agent_of(name, maker)
    best = 0.0
    for _ in range(20):
        batch = maker.play(agent, 8)
        agent.learn(batch)
        best = max(best, batch.rewards.max())
    assert best == 1.0


@pytest.mark.parametrize("name", NAMES)
def test_an_episode_without_a_reward_teaches_nothing_and_may_be_played_again(
    name: str, game: Any, layout: Any
) -> None:
    maker = game(layout(2), lambda tokens: float(tokens.sum()))
    agent = agent_of(name, maker)
    for _ in range(3):
        agent.learn(maker.play(agent, 8))
    before = agent.state()
    batch = maker.play(agent, 4)
    batch.rewards[:] = np.nan
    figures = agent.learn(batch)
    assert all(np.isfinite(value) for value in figures.values())
    after = agent.state()
    assert {n: a.tobytes() for n, a in before.arrays.items()} == {
        n: a.tobytes() for n, a in after.arrays.items()
    }
    assert figures["known"] == 24


@pytest.mark.parametrize("name", NAMES)
def test_a_failed_child_is_a_low_target_whatever_number_stands_for_it(
    name: str, game: Any, layout: Any
) -> None:
    """Half of a space fails, with minus infinity: the agent leaves that half."""
    maker = game(layout(2), lambda tokens: -np.inf if tokens[0] < 2 else float(tokens.sum()))
    agent = agent_of(name, maker)
    lasts = []
    for _ in range(10):
        batch = maker.play(agent, 8)
        agent.learn(batch)
        lasts.append((batch.tokens[:, 0] >= 2).mean())
    assert np.mean(lasts[4:]) > 0.65, "half would be chance"
    agent_of(name, maker).load_state(agent.state())


def test_the_process_learns_the_best_half_and_the_latest(game: Any, layout: Any) -> None:
    maker = game(layout(3), lambda tokens: float(tokens.sum()))
    agent: Any = agent_of("gp", maker, gp_points=10)
    for _ in range(5):
        agent.learn(maker.play(agent, 6))
    points, rewards = agent._points(10), np.array(agent.history.rewards)
    best = set(np.argsort(-rewards, kind="stable")[:5].tolist())
    others = [place for place in range(30) if place not in best]
    assert set(points.tolist()) == best | set(others[-5:])


def test_the_process_is_what_finds_good_children_soon(game: Any, layout: Any) -> None:
    """A sum over positions: after 40 children those picked are far above the middle."""
    maker = game(layout(3), lambda tokens: float(tokens.sum()))
    agent = agent_of("gp", maker, elite_candidates=1, breeding_elites=1, random_candidates=200)
    for _ in range(5):
        first = maker.play(agent, 8)
        agent.learn(first)
    batch = maker.play(agent, 8)
    figures = agent.learn(batch)
    assert figures["from_random"] >= 7 and figures["expected"] > 0.2
    random = make_agent("random", maker.problem, 0)
    assert batch.rewards.mean() > maker.play(random, 200).rewards.mean() + 2
