"""An episode without a reward is played, recorded, and nothing is learned from it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import agents
from agents.agent import Batch
from agents.random_search import RandomSearchAgent
from agents.records.run_record import read_run
from agents.search.play import Order, make_player, to_batch
from nas_env.envs.architecture_env import ArchitectureEnv
from nas_env.errors import WorkerLost
from nas_env.space.choices import ChoiceSpace

SPACE = ChoiceSpace({"a": [1, 2, 3, 4], "b": [1, 2, 3, 4]})


def measure(architecture: Any, seed: int) -> float:
    """Children with a = 4 meet a machine that fails them, whatever they are."""
    if architecture["a"] == 4:
        raise WorkerLost("its machine went away")
    return float(architecture["a"] + architecture["b"])


@pytest.fixture
def env() -> ArchitectureEnv:
    return ArchitectureEnv(SPACE, measure, failure_reward=0.0)


class Watching(RandomSearchAgent):
    """Keeps what it was given to learn from."""

    name = "watching"
    batches: list[Batch]

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.batches = []

    def learn(self, batch: Batch) -> dict[str, float]:
        self.batches.append(batch)
        return super().learn(batch)


def test_agents_never_see_an_episode_without_a_reward(env: ArchitectureEnv) -> None:
    made: list[Watching] = []

    def make(problem: Any, seed: int) -> Watching:
        made.append(Watching(problem, seed))
        return made[-1]

    result = agents.run_search(env, agent=make, children=64, seed=0)
    missing = [episode for episode in result.episodes if episode.reward_missing]
    seen = [tuple(row[0].tolist()) for batch in made[0].batches for row in batch.rows()]
    assert 0 < len(missing) < 64
    assert seen == [e.tokens for e in result.episodes if not e.reward_missing]
    assert {episode.failure for episode in missing} == {"worker_lost"}


@pytest.mark.parametrize("agent", ["reinforce", "evolution", "random"])
def test_agents_are_as_if_it_had_never_been_played(agent: str, env: ArchitectureEnv) -> None:
    """Baseline, weights and population come from the others alone."""
    player = make_player(env)
    one, two = (agents.make_agent(agent, player.problem, seed=1) for _ in range(2))
    played = player.play(one, Order(16, 0, 0))
    player.play(two, Order(16, 0, 0))
    kept = [episode for episode in played if episode.learnable]
    assert 0 < len(kept) < 16
    one.learn(to_batch(played))
    two.learn(
        Batch.padded(
            [item.tokens for item in kept],
            [item.masks for item in kept],
            [item.reward for item in kept],
        )
    )
    first, second = one.state(), two.state()
    assert first.values == second.values
    assert first.arrays.keys() == second.arrays.keys()
    assert all(np.array_equal(first.arrays[name], second.arrays[name]) for name in first.arrays)


def test_the_run_folder_records_it_and_a_resume_goes_on(
    env: ArchitectureEnv, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    agents.run_search(env, agent="evolution", children=32, run_dir=run, population=8, tournament=3)
    episodes = read_run(run).episodes
    assert {e.reward_missing for e in episodes} == {True, False}
    assert all(e.state == "failed" for e in episodes if e.reward_missing)
    more = agents.run_search(
        env,
        agent="evolution",
        children=64,
        run_dir=run,
        resume=True,
        population=8,
        tournament=3,
    )
    whole = agents.run_search(env, agent="evolution", children=64, population=8, tournament=3)
    assert [e.tokens for e in more.episodes] == [e.tokens for e in whole.episodes]
    assert more.episodes[:32] == tuple(episodes)


def test_a_batch_without_any_reward_teaches_nothing_and_ends_nothing(tmp_path: Path) -> None:
    calls: list[int] = []

    def at_first(architecture: Any, seed: int) -> float:
        calls.append(seed)
        if len(calls) <= 32:  # each child is tried twice
            raise WorkerLost("its machine went away")
        return float(architecture["a"])

    env = ArchitectureEnv(SPACE, at_first)
    result = agents.run_search(
        env, agent="reinforce", children=48, children_per_update=8, run_dir=tmp_path / "run"
    )
    assert sum(episode.reward_missing for episode in result.episodes) == 16
    assert len(read_run(tmp_path / "run").episodes) == 48


def broken(architecture: Any, seed: int) -> float:
    if architecture["b"] == 4:
        raise RuntimeError("no such layer")
    return -measure(architecture, seed)


def test_a_failure_of_unknown_worth_counts_as_the_worst_seen_so_far(tmp_path: Path) -> None:
    env = ArchitectureEnv(SPACE, broken)
    run = tmp_path / "run"
    agents.run_search(env, agent="random", children=40, children_per_update=4, run_dir=run)
    whole = agents.run_search(
        env, agent="random", children=80, children_per_update=4, run_dir=run, resume=True
    )
    fresh = agents.run_search(env, agent="random", children=80, children_per_update=4)
    assert [e.reward for e in whole.episodes] == [e.reward for e in fresh.episodes]
    assert [e.reward for e in read_run(run).episodes] == [e.reward for e in fresh.episodes]
    unknown = 0
    for first in range(0, 80, 4):
        seen = [e.reward for e in fresh.episodes[: first + 4] if not e.reward_missing]
        for episode in fresh.episodes[first : first + 4]:
            if episode.failure == "error" and seen:
                unknown += 1
                assert episode.reward_missing and episode.reward == min(seen) < 0
    assert unknown
