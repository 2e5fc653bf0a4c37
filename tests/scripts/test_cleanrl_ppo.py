"""PPO after CleanRL, in one file: it learns on flat observations and plays only valid tokens."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import SyncVectorEnv

import nas_env
from nas_env.envs.vector_env import ArchitectureVectorEnv
from scripts.examples.cleanrl_ppo import ActorCritic, Options, learn, play, train

SCRIPT = Path(__file__).parents[2] / "scripts" / "examples" / "cleanrl_ppo.py"
SPACE = nas_env.ChoiceSpace(
    {"width": [8, 16, 32, 64], "activation": ["relu", "tanh"], "size": [1, 3, 5]}
)


def worth(architecture: Any, seed: int) -> float:
    return float(architecture["width"] / 128 + architecture["size"] / 10)


def ours(num_envs: int) -> Any:
    env = ArchitectureVectorEnv(SPACE, worth, num_envs=num_envs)
    return gym.wrappers.vector.FlattenObservation(env)


def singles(num_envs: int) -> Any:
    """As CleanRL makes them."""

    def make() -> Any:
        return gym.wrappers.FlattenObservation(nas_env.ArchitectureEnv(SPACE, worth))

    return SyncVectorEnv([make] * num_envs)


@pytest.mark.parametrize("make", [ours, singles])
def test_it_finds_good_architectures(make: Any) -> None:
    options = Options(updates=40, num_envs=16, learning_rate=5e-3)
    means = train(make(options.num_envs), options)
    assert np.mean(means[-5:]) > np.mean(means[:5]) + 0.2


def test_flat_observations_of_both_kinds_of_vector_environment_are_equal() -> None:
    envs = ours(3), singles(3)
    for env in envs:
        env.action_space.seed(0)
    seen = [env.reset(seed=0)[0] for env in envs]
    for action in ([0, 1, 3], [1, 0, 1]):
        assert np.array_equal(*seen)
        seen = [env.step(np.array(action))[0] for env in envs]
    assert np.array_equal(*seen)


def test_masked_tokens_have_probability_0_and_advantages_are_not_discounted() -> None:
    torch.manual_seed(0)
    envs = ours(8)
    agent = ActorCritic(envs.single_observation_space.shape[0], 4)
    rollout = play(envs, agent, seed=0)
    probabilities = agent.policy(rollout.observations, rollout.masks).probs
    assert not bool(probabilities[~rollout.masks].any())
    assert rollout.actions.shape == (3, 8)
    assert bool(rollout.masks.gather(-1, rollout.actions[..., None]).all())
    options = Options(update_epochs=1, minibatches=1)
    still = learn(agent, torch.optim.SGD(agent.parameters(), lr=0.0), rollout, options)
    assert still == pytest.approx(0.0, abs=1e-6), "old and new log-probabilities belong together"
    moving = torch.optim.SGD(agent.parameters(), lr=1.0)
    assert learn(agent, moving, rollout, Options(update_epochs=3, minibatches=1)) > 1e-3


@pytest.mark.slow
def test_it_trains_real_children_as_printed() -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--updates", "2", "--num-envs", "2"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("mean reward") == 2
