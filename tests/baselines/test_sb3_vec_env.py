"""ArchitectureVecEnv is what SB3 expects: DummyVecEnv of single environments, but concurrent."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.evaluation import evaluate_policy
from sb3_contrib.common.maskable.utils import get_action_masks, is_masking_supported
from stable_baselines3 import A2C
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecCheckNan

import nas_env
from baselines.sb3_vec_env import ArchitectureVecEnv
from nas_env.envs.vector_env import ArchitectureVectorEnv
from nas_env.errors import ConfigurationError, InvalidTokenError
from nas_env.space.conv import ConvSpace

SPACE = nas_env.ChoiceSpace({"width": [8, 16, 32, 64], "activation": ["relu", "tanh"]})
DEPTHS = ConvSpace(num_layers=2, max_layers=3)
BATCHES: list[int] = []
"""How many children each call of the evaluator got."""


def worth(architecture: Any, seed: int) -> float:
    if architecture["activation"] == "tanh" and architecture["width"] == 8:
        raise ValueError("no such network")
    return float(architecture["width"] / 64)


def size(architecture: Any, seed: int) -> float:
    return float(len(architecture.layers))


def ours(num_envs: int = 3, space: Any = SPACE, function: Any = worth) -> ArchitectureVecEnv:
    mode = AutoresetMode.SAME_STEP
    return ArchitectureVecEnv(
        ArchitectureVectorEnv(space, function, num_envs=num_envs, autoreset_mode=mode)
    )


def dummy() -> DummyVecEnv:
    return DummyVecEnv([lambda: Monitor(nas_env.ArchitectureEnv(SPACE, worth))] * 3)


def same(first: Any, second: Any) -> bool:
    """Whether infos or observations are equal, types included; clocks aside."""
    if isinstance(first, dict):
        keys = first.keys() - {"t", "train_seconds"}
        return keys == second.keys() - {"t", "train_seconds"} and all(
            same(first[key], second[key]) for key in keys
        )
    if isinstance(first, np.ndarray):
        return first.dtype == second.dtype and np.array_equal(first, second)
    equal = first == second or (first != first and second != second)
    return bool(equal) and isinstance(first, int | np.integer) == isinstance(
        second, int | np.integer
    )


def test_the_same_actions_give_what_dummy_vec_env_gives() -> None:
    envs = ours(), dummy()
    generator = np.random.default_rng(0)
    assert same(*[env.reset() for env in envs])
    assert all(same(*pair) for pair in zip(*(env.reset_infos for env in envs), strict=True))
    for _ in range(20):
        masks = get_action_masks(envs[0])
        assert np.array_equal(masks, get_action_masks(envs[1]))
        actions = np.where(masks, generator.random(masks.shape), -1).argmax(axis=1)
        results = [env.step(actions) for env in envs]
        for mine, theirs in zip(results[0][:3], results[1][:3], strict=True):
            assert same(mine, theirs)
        for mine, theirs in zip(results[0][3], results[1][3], strict=True):
            assert same(mine, theirs), (mine, theirs)


def test_a_depth_asked_for_stays_until_the_next_reset() -> None:
    env = ours(2, DEPTHS, size)
    env.set_options([{"num_layers": 1}, {"num_layers": 3}])
    env.reset()
    lengths: list[list[int]] = [[], []]
    for _ in range(30):
        infos = env.step(np.zeros(2, np.int64))[3]
        for row, info in enumerate(infos):
            lengths[row] += [info["episode"]["l"]] if "episode" in info else []
    assert set(lengths[0]) == {DEPTHS.length(1)}
    assert set(lengths[1]) == {DEPTHS.length(3)}
    env.reset()
    assert env.reset_infos[0]["num_layers"] == DEPTHS.num_layers


def test_children_that_end_together_are_evaluated_together() -> None:
    class Counting:
        def evaluate(self, architectures: Any, seed: int) -> Any:
            BATCHES.append(len(architectures))
            return inner.evaluate(architectures, seed)

        def close(self) -> None: ...

    inner = nas_env.ArchitectureEnv(SPACE, worth).evaluator
    BATCHES.clear()
    env = ours(5, function=Counting())
    env.reset()
    for _ in range(4):
        env.step(np.ones(5, np.int64))
    assert BATCHES == [5, 5]


def test_all_sub_environments_share_the_run_seed_that_sb3_was_given() -> None:
    def reveal(architecture: Any, seed: int) -> float:
        return float(seed % 1000)

    env = ours(3, function=reveal)
    A2C("MultiInputPolicy", env, seed=7, device="cpu")
    env.reset()
    env.step(np.zeros(3, np.int64))
    rewards = env.step(np.zeros(3, np.int64))[1]
    single = nas_env.ArchitectureEnv(SPACE, reveal)
    single.reset(seed=7)
    single.step(0)
    assert set(rewards.tolist()) == {single.step(0)[1]}


def test_maskable_ppo_finds_the_masks_and_never_plays_a_masked_token() -> None:
    env = ours(4)
    assert is_masking_supported(env)
    model = MaskablePPO("MultiInputPolicy", env, n_steps=8, batch_size=32, seed=0, device="cpu")
    model.learn(64)
    assert len(model.ep_info_buffer or ()) == 32, "every episode is logged"
    mean, _ = evaluate_policy(model, env, n_eval_episodes=4)
    assert 0 <= float(np.mean(mean)) <= 1


def test_an_unmasked_algorithm_is_refused_unless_told_how_to_play() -> None:
    env = ours(8)
    with pytest.raises(InvalidTokenError):
        A2C("MultiInputPolicy", env, n_steps=8, seed=0, device="cpu").learn(64)
    mode = AutoresetMode.SAME_STEP
    inner = ArchitectureVectorEnv(SPACE, worth, num_envs=8, autoreset_mode=mode)
    env = ArchitectureVecEnv(inner, invalid_tokens="modulo")
    A2C("MultiInputPolicy", env, n_steps=8, seed=0, device="cpu").learn(64)
    env.reset()
    env.step(np.full(8, 3))
    info = env.step(np.arange(8) % 4)[3]  # of two options
    played = [one["terminal_observation"]["tokens"][1] - 1 for one in info]
    assert played == [0, 1, 0, 1, 0, 1, 0, 1]


def test_attributes_and_wrappers() -> None:
    env = ours(3)
    assert env.get_attr("metric_name", [0, 2]) == ["metric", "metric"]
    assert not env.has_attr("no_such_thing")
    env.set_attr("metric_name", "accuracy")
    assert env.get_attr("metric_name") == ["accuracy"] * 3
    with pytest.raises(ConfigurationError, match="share"):
        env.set_attr("metric_name", "metric", [1])
    assert env.env_is_wrapped(Monitor) == [True] * 3
    assert env.env_is_wrapped(gym.wrappers.FlattenObservation) == [False] * 3
    assert set(VecCheckNan(env).reset()) == {"tokens", "position", "remaining", "action_mask"}


def test_environments_it_cannot_serve_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="SAME_STEP"):
        ArchitectureVecEnv(ArchitectureVectorEnv(SPACE, worth, num_envs=2))
    with pytest.raises(ConfigurationError, match="wraps an ArchitectureVectorEnv"):
        ArchitectureVecEnv(nas_env.ArchitectureEnv(SPACE, worth))  # type: ignore[arg-type]
    env = ours()
    env.set_options({"depth": 3})
    with pytest.raises(ConfigurationError, match="depth"):
        env.reset()


def test_an_id_becomes_a_vec_env_in_one_line() -> None:
    env = ArchitectureVecEnv.make("NAS-Digits-v0", 2, evaluator=size, num_layers=1)
    env.reset()
    for _ in range(2):
        env.step(np.zeros(2, np.int64))
    _, rewards, dones, infos = env.step(np.zeros(2, np.int64))
    assert dones.all()
    assert rewards.tolist() == [1.0, 1.0]
    assert infos[0]["episode"]["l"] == 3
    env.close()
