"""Episodes become films through Gymnasium's own wrapper."""

import warnings
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from nas_env import ArchitectureEnv, ChoiceSpace


@pytest.mark.parametrize("env_id", ["NAS-CIFAR10-v0", "NAS-PyDocs-v0", None])
def test_record_video_films_an_episode(env_id: str | None, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # moviepy's own
        pytest.importorskip("moviepy")
    env: Any
    if env_id is None:
        space = ChoiceSpace({"width": [8, 16], "activation": ["relu", "tanh"]})
        env = ArchitectureEnv(space, lambda architecture, seed: 0.5, render_mode="rgb_array")
    else:
        env = gym.make(env_id, evaluator=lambda a, seed: 0.5, render_mode="rgb_array")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        film: Any = gym.wrappers.RecordVideo(
            env, str(tmp_path / "film"), episode_trigger=lambda n: True
        )
        film.reset(seed=0)
        terminated = False
        while not terminated:
            terminated = film.step(film.action_space.sample())[2]
        film.close()
    (file,) = (tmp_path / "film").glob("*.mp4")
    assert file.stat().st_size > 1000


def test_frames_are_collected_through_rgb_array_list() -> None:
    env = gym.make("NAS-Digits-v0", evaluator=lambda a, s: 0.5, render_mode="rgb_array_list")
    env.reset(options={"num_layers": 2})
    for token in (0, 1, 2, 0, 1, 2, 1):
        env.step(token)
    frames = env.render()
    assert isinstance(frames, list) and len(frames) == 8
    assert len({np.shape(frame) for frame in frames}) == 1
