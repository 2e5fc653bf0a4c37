"""Promises that every registered id keeps; their children need no data here."""

import copy
import json
import pickle
import subprocess
import sys
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import stable_baselines3.common.env_checker as sb3_checker
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils import env_checker

from nas_env import architecture_from_json
from nas_env.registration import REGISTRATIONS

IDS = [entry.id for entry in REGISTRATIONS]


def measure(architecture: Any, seed: int) -> float:
    """A metric in [.5, 1) that needs no training: module level, so that it can be pickled."""
    return 0.5 + seed % 1000 / 2000


def play(env: gym.Env[Any, Any], seed: int) -> tuple[float, dict[str, Any]]:
    """One random episode; actions and children both follow from ``seed``."""
    env.reset(seed=seed)
    env.action_space.seed(seed)
    terminated = False
    while not terminated:
        _, reward, terminated, _, info = env.step(env.action_space.sample())
    return float(reward), info


@pytest.mark.parametrize("env_id", IDS)
def test_gymnasiums_checker_passes_without_a_warning(env_id: str) -> None:
    env_checker.check_env(gym.make(env_id, disable_env_checker=True).unwrapped)


@pytest.mark.parametrize("env_id", IDS)
def test_stable_baselines_checker_passes_without_a_warning(env_id: str) -> None:
    sb3_checker.check_env(gym.make(env_id), skip_render_check=False)


@pytest.mark.parametrize("env_id", IDS)
def test_every_id_plays_to_the_end_and_names_its_child(env_id: str) -> None:
    env = gym.make(env_id, evaluator=measure)
    reward, info = play(env, 0)
    if "accuracy" in info:
        assert reward == info["metric"] ** 3 == info["accuracy"] ** 3
    else:
        assert reward == 80 / info["metric"] ** 2 == 80 / info["perplexity"] ** 2
    written = env.unwrapped._written.tolist()  # type: ignore[attr-defined]
    tokens = [token - 1 for token in written if token]
    architecture = env.unwrapped.search_space.decode(tokens)  # type: ignore[attr-defined]
    assert architecture_from_json(json.loads(info["architecture"])) == architecture.canonical()


@pytest.mark.parametrize("env_id", IDS)
def test_the_pictures_of_an_episode_are_frames_of_one_size_and_show_its_progress(
    env_id: str,
) -> None:
    env = gym.make(env_id, evaluator=measure, render_mode="rgb_array")
    env.reset(seed=0)
    env.action_space.seed(0)
    frames, terminated = [np.array(env.render())], False
    length = env.unwrapped.search_space.length()  # type: ignore[attr-defined]
    while not terminated:
        *_, terminated, _, _ = env.step(env.action_space.sample())
        if env.unwrapped._position in (length // 2, length):  # type: ignore[attr-defined]
            frames.append(np.array(env.render()))
    shown = np.stack(frames)  # (3, height, width, 3): all of one shape
    assert shown.dtype == np.uint8 and shown.shape[0] == 3 and shown.shape[3] == 3
    assert shown.shape[1] % 2 == shown.shape[2] % 2 == 0  # video formats want it
    assert (shown[0] != shown[1]).any() and (shown[1] != shown[2]).any()


@pytest.mark.parametrize("env_id", IDS)
def test_masks_reach_through_wrappers_and_into_sampling(env_id: str) -> None:
    env = gym.make(env_id, evaluator=measure)
    _, info = env.reset(seed=0)
    terminated = False
    while not terminated:
        masks = env.get_wrapper_attr("action_masks")()
        token = env.action_space.sample(info["action_mask"])
        assert masks[token] and masks.tolist() == info["action_mask"].tolist()
        _, _, terminated, _, info = env.step(token)
    assert info["state"] == "complete"


@pytest.mark.parametrize("env_id", IDS)
def test_the_same_seed_plays_the_same_episode(env_id: str) -> None:
    outcomes = [play(gym.make(env_id, evaluator=measure), seed) for seed in (1, 1, 2)]
    assert outcomes[0][0] == outcomes[1][0] != outcomes[2][0]
    assert outcomes[0][1]["architecture"] == outcomes[1][1]["architecture"]


@pytest.mark.parametrize("env_id", IDS)
def test_the_spec_survives_json_with_its_arguments(env_id: str) -> None:
    recipe = {"name": "fast", "epochs": 2}
    arguments: dict[str, Any] = {"recipe": recipe, "workers": 3, "device": "cpu"}
    env = gym.make(env_id, **arguments)
    assert env.spec is not None
    again = gym.make(EnvSpec.from_json(env.spec.to_json())).unwrapped
    assert again.settings == env.unwrapped.settings  # type: ignore[attr-defined]
    assert again.settings.recipe == recipe  # type: ignore[attr-defined]
    assert again.search_space.size == env.unwrapped.search_space.size  # type: ignore[attr-defined]


@pytest.mark.parametrize("env_id", IDS)
def test_vector_environments_play_every_id(env_id: str) -> None:
    env = gym.make_vec(env_id, num_envs=3, evaluator=measure)
    env.reset(seed=0)
    ended = np.zeros(3, bool)
    while not ended.any():
        _, rewards, ended, _, infos = env.step(env.action_space.sample())
    assert ended.all() and (rewards > 0).all() and infos["_architecture"].all()
    assert env.spec is not None
    env.close()


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("clone", [lambda e: pickle.loads(pickle.dumps(e)), copy.deepcopy])
def test_copies_play_on_alone(env_id: str, clone: Any) -> None:
    env = gym.make(env_id, evaluator=measure)
    env.reset(seed=3)
    env.step(0)
    other = clone(env)
    assert play(other, 4)[0] == play(env, 4)[0]


def run_alone(program: str) -> None:
    subprocess.run([sys.executable, "-c", program], check=True, timeout=600)


def test_constructing_resetting_and_callable_children_import_no_torch() -> None:
    run_alone(
        "import sys, gymnasium as gym, nas_env\n"
        f"for env_id in {IDS}:\n"
        "    for make in (gym.make, gym.make_vec):\n"
        "        env = make(env_id)\n"
        "        env.reset(seed=0)\n"
        "        env.close()\n"
        "env = gym.make('NAS-Digits-v0', num_layers=1, evaluator=lambda a, s: .5)\n"
        "env.reset()\n"
        "for _ in range(3): env.step(0)\n"
        "assert 'torch' not in sys.modules\n"
    )


@pytest.mark.slow
def test_sub_processes_find_the_id_by_its_prefix() -> None:
    env = gym.make_vec(
        "nas_env:NAS-Digits-v0",
        num_envs=2,
        vectorization_mode="async",
        vector_kwargs={"context": "spawn"},
        evaluator=measure,
        num_layers=1,
    )
    env.reset(seed=0)
    for _ in range(3):
        *_, terminated, _, infos = env.step(np.zeros(2, int))
    assert terminated.all() and infos["state"].tolist() == ["complete"] * 2
    env.close()
