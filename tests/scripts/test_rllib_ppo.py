"""RLlib's PPO on our environments: its masks hold, it learns, and it says what it found."""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import nas_env
from nas_env.errors import ConfigurationError
from scripts.examples.rllib_ppo import MaskedObservation, Options

SCRIPT = Path(__file__).parents[2] / "scripts" / "examples" / "rllib_ppo.py"
WITHOUT_MASKS = """
import numpy
from agents.command import run_script
from scripts.examples import rllib_ppo

class Blind(rllib_ppo.MaskedObservation):
    def observation(self, observation):
        seen = super().observation(observation)
        return {**seen, "action_mask": numpy.ones_like(seen["action_mask"])}

rllib_ppo.MaskedObservation = Blind
run_script(rllib_ppo.main)
"""


@pytest.fixture
def home() -> Iterator[Path]:
    """Where Ray writes; its sockets need a short path."""
    with tempfile.TemporaryDirectory(prefix="ray") as folder:
        yield Path(folder)


def run(home: Path, *arguments: object, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=SCRIPT.parents[2],
        env={**os.environ, "HOME": str(home), "RAY_TMPDIR": str(home), **environment},
    )


def rllib() -> None:
    pytest.importorskip("ray.rllib", reason='RLlib is not installed: pip install -e ".[rllib]"')


@pytest.mark.parametrize("env_id", ["NAS-Digits-Table-v0", "NAS-PyDocs-v0"])
def test_observations_are_what_rllibs_masked_module_expects(env_id: str) -> None:
    env: Any = MaskedObservation(gym.make(env_id, evaluator=lambda architecture, seed: 1.0))
    env.action_space.seed(0)
    seen, info = env.reset(seed=0)
    rows, ended = [], False
    while not ended:
        assert env.observation_space.contains(seen)
        assert np.array_equal(seen["action_mask"], info["action_mask"])
        rows.append(seen["observations"])
        seen, _, ended, _, info = env.step(env.action_space.sample(mask=info["action_mask"]))
    assert len(np.unique(rows, axis=0)) == len(rows), "no two steps look alike"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"env": "NAS-Digit-v0"}, "NAS-Digits"),
        ({"env": "CartPole-v1"}, "none of our environments"),
        ({"arguments": "{"}, "no JSON"),
        ({"arguments": '{"nonsense": 1}'}, "nonsense"),
        ({"arguments": "[1]"}, "list"),
        ({"episodes": 0}, "episodes must be at least 1, got 0"),
    ],
)
def test_what_cannot_be_played_is_said(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Options(**options).steps_of_an_update()


def test_an_update_is_a_whole_number_of_episodes_of_the_depth_that_is_played() -> None:
    assert Options(episodes=5).steps_of_an_update() == 5 * (3 + 4 + 5)
    shallow = Options("NAS-Digits-v0", '{"num_layers": 2}', episodes=5)
    assert shallow.steps_of_an_update() == 5 * (3 + 4)


def test_without_rllib_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "ray.py").write_text("raise ModuleNotFoundError(\"No module named 'ray'\")")
    done = run(tmp_path, SCRIPT, PYTHONPATH=str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and 'pip install -e ".[rllib]"' in done.stderr


@pytest.mark.ray
def test_it_learns_plays_only_valid_tokens_and_prints_the_best_architecture(home: Path) -> None:
    rllib()
    done = run(home, SCRIPT)
    assert done.returncode == 0, done.stderr
    means = [float(mean) for mean in re.findall(r"mean reward ([\d.]+)", done.stdout)]
    assert len(means) == 10 and np.mean(means[-3:]) > np.mean(means[:3]) + 0.05
    *_, counted, best = done.stdout.splitlines()
    assert counted.startswith("160 children, 0 failed; best accuracy ")
    env: Any = gym.make("NAS-Digits-Table-v0")
    env.reset(seed=1)
    for token in env.unwrapped.search_space.encode(
        nas_env.architecture_from_json(json.loads(best))
    ):
        *_, info = env.step(token)
    assert info["architecture"] == best


@pytest.mark.ray
def test_without_masks_it_would_have_stopped_at_an_invalid_token(home: Path) -> None:
    rllib()
    done = run(home, "-c", WITHOUT_MASKS)
    assert done.returncode == 2
    assert "InvalidTokenError" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: ")


@pytest.mark.ray
def test_children_that_fail_are_counted_and_stop_nothing(home: Path) -> None:
    rllib()
    recipe = {"name": "quick", "max_parameters": 10}
    arguments = json.dumps({"num_layers": 1, "recipe": recipe})
    flags = ("--env", "NAS-Digits-v0", "--arguments", arguments, "--updates", 1, "--episodes", 3)
    done = run(home, SCRIPT, *flags)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "update 1: mean reward 0.000\n3 children, 3 failed\n"
