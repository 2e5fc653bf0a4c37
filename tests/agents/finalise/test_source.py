"""Which architectures of a run are finalised."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

import agents
from agents.finalise.settings import FinaliseSettings
from agents.finalise.source import read_source
from agents.records.run_record import read_run


def metric(architecture: Any, seed: int) -> float:
    return 0.2 + 0.7 * seed / 2.0**63


@pytest.mark.parametrize(
    ("reward", "best"),
    [(None, max), (lambda accuracy: 1 - abs(accuracy - 0.4), None)],
)
def test_candidates_are_ranked_by_what_the_search_was_paid(
    reward: Any, best: Any, tmp_path: Path
) -> None:
    """A reward for an accuracy near .4: the highest accuracy is not what was searched for."""
    env = gym.make_vec("NAS-Digits-v0", num_envs=8, num_layers=2, evaluator=metric, reward=reward)
    agents.run_search(env, agent="random", children=40, run_dir=tmp_path / "run")
    episodes = read_run(tmp_path / "run").episodes
    settings = FinaliseSettings(tmp_path / "run", grid_recipe="quick")
    found = [one.metric for one in read_source(settings).candidates]
    paid = sorted((-e.reward, e.number, e.metric) for e in episodes)
    assert found == list(dict.fromkeys(one for _, _, one in paid))
    assert (found[0] == max(one for one in found if one)) == (best is max)
