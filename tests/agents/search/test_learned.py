"""What agents learn from: never that failing is good, or a high perplexity."""

from typing import Any

import numpy as np
import pytest

import agents
import nas_env
from agents.agent import Batch
from agents.random_search import RandomSearchAgent
from nas_env.errors import ConfigurationError

SPACE = nas_env.ChoiceSpace({"a": [1, 2, 3], "b": [1, 2]})


def fails(architecture: Any, seed: int) -> float:
    if architecture["a"] == 1:
        raise ValueError("no such network")
    return float(architecture["a"])


class Spy(RandomSearchAgent):
    """Logs a figure under a name that the search has, and one of its own."""

    def learn(self, batch: Batch) -> dict[str, float]:
        return {"children": -1.0, "own": 2.0}


@pytest.mark.parametrize("agent", ["reinforce", "evolution"])
def test_agents_do_not_learn_to_fail(agent: str) -> None:
    own: dict[str, Any] = {"learning_rate": 0.05, "avoid_repeats": False}
    own = own if agent == "reinforce" else {"population": 20, "tournament": 5}
    env = nas_env.ArchitectureEnv(SPACE, fails, reward=lambda metric: -1.0 / metric)
    result = agents.run_search(env, agent, children=320, **own)
    last = result.episodes[-80:]
    assert np.mean([episode.state == "failed" for episode in last]) < 0.3  # a third at random


def test_a_figure_of_the_agent_does_not_replace_one_of_the_search(tmp_path: Any) -> None:
    env = nas_env.ArchitectureEnv(SPACE, fails)
    agents.run_search(env, Spy, children=8, run_dir=tmp_path / "run")
    head, row = (tmp_path / "run" / "updates.csv").read_text().splitlines()
    values = dict(zip(head.split(","), row.split(","), strict=True))
    assert values["children"] == "8"
    assert values["agent_children"] == "-1.0" and values["own"] == "2.0"


def test_the_highest_perplexity_is_not_searched_for() -> None:
    env = nas_env.ArchitectureEnv(SPACE, fails, metric_name="perplexity")
    with pytest.raises(ConfigurationError, match="worst perplexity"):
        agents.run_search(env, "random", children=8)
    paid = nas_env.ArchitectureEnv(
        SPACE, fails, reward="inverse_square_perplexity", metric_name="perplexity"
    )
    assert agents.run_search(paid, "random", children=24).best.metric == 2.0
