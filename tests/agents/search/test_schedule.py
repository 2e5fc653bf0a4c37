"""The paper's depth schedule, and that a search follows it."""

from typing import Any

import pytest

import agents
import nas_env
from agents.search.schedule import DepthSchedule
from nas_env.errors import ConfigurationError
from nas_env.space.conv import ConvSpace


def test_12800_samples_go_from_6_to_20_layers_in_8_stages() -> None:
    schedule = DepthSchedule()
    depths = [schedule.depth(children) for children in range(12_800)]
    assert sorted(set(depths)) == [6, 8, 10, 12, 14, 16, 18, 20]
    assert all(depths.count(depth) == 1600 for depth in set(depths))
    assert schedule.depth(1_000_000) == 20


def depth_of(architecture: Any, seed: int) -> float:
    return float(len(architecture.layers))


@pytest.mark.parametrize("agent", ["reinforce", "random", "evolution"])
def test_children_of_a_search_have_the_scheduled_depth(agent: str) -> None:
    space = ConvSpace(num_layers=2, max_layers=4)
    env = nas_env.ArchitectureEnv(space, depth_of)
    options: dict[str, Any] = {"population": 8, "tournament": 2} if agent == "evolution" else {}
    result = agents.run_search(
        env, agent, children=48, schedule=DepthSchedule(2, 1, 16, 4), **options
    )
    assert [episode.reward for episode in result.episodes] == [2.0] * 16 + [3.0] * 16 + [4.0] * 16


def test_a_senseless_schedule_is_refused() -> None:
    with pytest.raises(
        ConfigurationError, match=r"depth schedule last must be at least first \(6\), got 4"
    ):
        DepthSchedule(first=6, last=4)
