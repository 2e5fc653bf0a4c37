"""Agents without masks play through the wrapper: they learn, and are evaluated."""

from importlib import import_module
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import sb3_contrib
import stable_baselines3
from stable_baselines3.common.env_checker import check_env as check_for_sb3
from stable_baselines3.common.evaluation import evaluate_policy

import nas_env
from baselines.any_token import AnyToken
from baselines.sb3_vec_env import IntegerCombinedExtractor
from nas_env.errors import ConfigurationError, InvalidTokenError

SPACE = nas_env.ChoiceSpace({"width": [8, 16, 32, 64, 128], "size": [1, 3], "depth": [1, 2, 3]})
ZOO = Path(__file__).parents[2] / "scripts" / "examples" / "rl_zoo3.yml"
ON_POLICY: dict[str, Any] = {"n_steps": 12, "batch_size": 6, "gamma": 1.0}
OFF_POLICY: dict[str, Any] = {"learning_starts": 12, "buffer_size": 100, "train_freq": 3}
RECURRENT = {"policy_kwargs": {"features_extractor_class": IntegerCombinedExtractor}}
ALGORITHMS: dict[str, tuple[Any, dict[str, Any]]] = {
    "PPO": (stable_baselines3, ON_POLICY),
    "A2C": (stable_baselines3, {"n_steps": 6}),
    "DQN": (stable_baselines3, OFF_POLICY),
    "QRDQN": (sb3_contrib, OFF_POLICY),
    "TRPO": (sb3_contrib, ON_POLICY),
    "RecurrentPPO": (sb3_contrib, {**ON_POLICY, **RECURRENT}),
}


def worth(architecture: Any, seed: int) -> float:
    return float(architecture["width"] / 128 * architecture["depth"] / 3)


def game() -> gym.Env[Any, Any]:
    return nas_env.ArchitectureEnv(SPACE, worth)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_algorithms_without_masks_learn_and_are_evaluated(name: str) -> None:
    package, settings = ALGORITHMS[name]
    policy = "MultiInputLstmPolicy" if name == "RecurrentPPO" else "MultiInputPolicy"
    env = AnyToken(game())
    model = getattr(package, name)(policy, env, seed=0, device="cpu", **settings)
    model.learn(36)
    assert model.num_timesteps >= 36
    rewards, lengths = evaluate_policy(
        model, env, n_eval_episodes=3, return_episode_rewards=True, warn=False
    )
    assert lengths == [3, 3, 3]
    assert isinstance(rewards, list) and all(0.0 < reward <= 1.0 for reward in rewards)


def test_without_it_they_fail_at_the_first_invalid_token() -> None:
    with pytest.raises(InvalidTokenError):
        stable_baselines3.PPO("MultiInputPolicy", game(), seed=0, **ON_POLICY).learn(96)


def test_every_action_plays_a_valid_token_and_every_token_has_a_name() -> None:
    env = AnyToken(game())
    played = []
    for action in range(5):
        observation, _ = env.reset(seed=0)
        env.step(0)
        observation = env.step(action)[0]  # the second position has two options
        played.append(int(observation["tokens"][1]) - 1)
    assert played == [0, 1, 0, 1, 0]
    env.reset(seed=0)
    assert int(env.step(np.int64(3))[0]["tokens"][0]) - 1 == 3


def test_the_wrapped_environment_passes_the_checker_of_sb3() -> None:
    check_for_sb3(AnyToken(game()), warn=False)


def test_what_has_no_masks_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="action_masks"):
        AnyToken(gym.make("CartPole-v1"))


def test_the_file_for_rl_zoo3_names_the_wrapper_and_arguments_that_ppo_takes() -> None:
    """rl_zoo3 imports the wrapper by its dotted name and hands the rest to the algorithm."""
    lines = [line.partition("#")[0].rstrip() for line in ZOO.read_text().splitlines()]
    env_id, *rest = [line for line in lines if line]
    settings: dict[str, Any] = dict(line.strip().split(": ") for line in rest)
    for key in ("n_timesteps", "n_steps", "batch_size", "gamma", "gae_lambda"):
        number = float(settings[key])
        settings[key] = int(number) if number.is_integer() and "g" not in key else number
    module, _, name = settings.pop("env_wrapper").rpartition(".")
    wrapper = getattr(import_module(module), name)
    policy, _ = settings.pop("policy"), settings.pop("n_timesteps")
    model = stable_baselines3.PPO(
        policy, wrapper(gym.make(env_id.rstrip(":"))), device="cpu", **settings
    )
    assert model.learn(96).num_timesteps == 96
