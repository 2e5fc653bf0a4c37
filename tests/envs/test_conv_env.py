import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from nas_env.envs.conv_env import ConvEnv, ConvSettings, ConvVectorEnv
from nas_env.errors import ConfigurationError, DatasetNotFoundError
from nas_env.evaluation.callable_evaluator import CallableEvaluator

TINY = {
    "numerics": "float32",
    "epochs": 1,
    "reward_epochs": 1,
    "train_images": 64,
    "valid_images": 64,
}
SMALL: dict[str, Any] = {"num_layers": 1, "max_layers": 2, "filters": (4, 8)}


def measure(architecture: Any, seed: int) -> float:
    """A metric in [0, 1) that needs no training."""
    return seed % 1000 / 1000


def play(env: gym.Env[Any, Any], seed: int) -> tuple[float, dict[str, Any]]:
    """One random episode; actions and children both follow from ``seed``."""
    env.reset(seed=seed)
    env.action_space.seed(seed)
    terminated = False
    while not terminated:
        _, reward, terminated, _, info = env.step(env.action_space.sample())
    return float(reward), info


@pytest.mark.parametrize(
    ("env_id", "size", "tokens"),
    [
        ("NAS-CIFAR10-v0", 64**6 * 2**15, 33),
        ("NAS-CIFAR10-Strides-v0", (64 * 9) ** 6 * 2**15, 45),
        ("NAS-CIFAR10-Pooling-v0", 64**13 * 2**78, 117),
        ("NAS-Digits-v0", 64**6 * 2**15, 33),
    ],
)
def test_the_spaces_are_the_papers(env_id: str, size: int, tokens: int) -> None:
    space = gym.make(env_id).unwrapped.search_space  # type: ignore[attr-defined]
    assert (space.size, space.length()) == (size, tokens)


def test_the_pooling_id_is_39_layers_in_13_blocks_with_two_poolings() -> None:
    _, info = play(gym.make("NAS-CIFAR10-Pooling-v0", evaluator=measure), 0)
    architecture = json.loads(info["architecture"])
    assert len(architecture["layers"]) * architecture["block_size"] == 39
    assert architecture["pool_after"] == [4, 8]
    assert {layer["filters"] for layer in architecture["layers"]} <= {6, 12, 24, 36}


def test_the_layer_types_id_chooses_types_and_the_learning_rate() -> None:
    types = set()
    env = gym.make("NAS-CIFAR10-LayerTypes-v0", evaluator=measure)
    for seed in range(20):
        _, info = play(env, seed)
        architecture = json.loads(info["architecture"])
        types |= {layer["type"] for layer in architecture["layers"]}
        assert architecture["learning_rate"] > 0
    assert len(types) >= 4  # both poolings may be one type with an operation


def test_a_deeper_network_needs_no_other_argument() -> None:
    space = ConvSettings.of({"num_layers": 30}).search_space()
    assert (space.num_layers, space.max_layers) == (30, 30)


def test_paths_and_numbers_of_other_libraries_are_taken(tmp_path: Path) -> None:
    settings = ConvSettings.of(
        {"num_layers": np.int64(3), "filters": np.array([8, 16]), "dataset": tmp_path}
    )
    assert (settings.num_layers, settings.filters) == (3, (8, 16))
    assert settings.dataset == str(tmp_path) and settings.search_space().num_layers == 3


def test_an_evaluator_can_serve_several_environments() -> None:
    evaluator = CallableEvaluator(measure)
    rewards = [play(gym.make("NAS-Digits-v0", evaluator=evaluator), 0)[0] for _ in range(2)]
    assert rewards[0] == rewards[1] > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_layer": 3}, "Did you mean 'num_layers'"),
        ({"evaluator": "proces"}, "'local', 'process'"),
        ({"evaluator": 3}, "'local', 'process'"),
        ({"workers": 0}, "at least 1"),
        ({"recipe": "quikc"}, "'paper', 'fast', 'quick'"),
        ({"recipe": {"name": "slow"}}, "'paper', 'fast', 'quick'"),
        ({"recipe": 3}, "'paper', 'fast', 'quick'"),
        ({"store": 5}, "store must be text or None, got 5"),
        ({"device": None}, "device must be text, got None"),
        ({"data_dir": 5}, "data_dir must be text or None, got 5"),
        ({"num_layers": 0}, "num_layers"),
        ({"num_layers": 4, "max_layers": 3}, "num_layers"),
        ({"filters": ()}, "filters"),
        ({"filter_sizes": (0,)}, "filter_sizes"),
        ({"strides": "12"}, "strides"),
        ({"filters": 24}, "filters"),
        ({"max_layers": "20"}, "max_layers"),
        ({"skip_connections": "no"}, "skip_connections"),
        ({"dataset": None}, "dataset"),
        ({"layer_types": True, "block_size": 3}, "block_size"),
        ({"render_mode": "rgb"}, "render_mode"),
    ],
)
def test_wrong_arguments_are_refused_at_once(arguments: dict[str, Any], message: str) -> None:
    for make in (ConvEnv, ConvVectorEnv):
        with pytest.raises(ConfigurationError, match=message):
            make(**arguments)


def test_an_argument_that_nothing_has_is_a_type_error_in_pythons_words() -> None:
    """TorchRL tries ``frameskip`` and takes it back when it reads this."""
    with pytest.raises(TypeError, match="unexpected keyword argument 'frameskip'"):
        gym.make("NAS-Digits-v0", frameskip=1)


def test_a_data_set_that_is_not_there_is_an_error_when_the_first_child_needs_it(
    tmp_path: Path,
) -> None:
    env = gym.make("NAS-Digits-v0", dataset=str(tmp_path / "nowhere"), num_layers=1)
    with pytest.raises(DatasetNotFoundError, match="nowhere"):
        play(env, 0)


def test_a_real_child_earns_its_accuracy_cubed_and_is_known_the_second_time() -> None:
    env = gym.make("NAS-Digits-v0", recipe=TINY, device="cpu", **SMALL)
    reward, info = play(env, 0)
    assert info["state"] == "complete" and 0 <= info["accuracy"] <= 1
    assert reward == info["accuracy"] ** 3
    assert info["parameters"] > 0 and info["train_seconds"] > 0 and not info["cached"]
    again, info = play(env, 0)
    assert again == reward and info["cached"]
    env.close()


def test_a_store_makes_a_child_known_to_the_next_environment(tmp_path: Path) -> None:
    arguments: dict[str, Any] = {"recipe": TINY, "device": "cpu", **SMALL}
    rewards, cached = [], []
    for _ in range(2):
        env = gym.make("NAS-Digits-v0", store=str(tmp_path / "store.sqlite"), **arguments)
        reward, info = play(env, 0)
        rewards.append(reward)
        cached.append(info["cached"])
        env.close()
    assert rewards[0] == rewards[1] and cached == [False, True]


def run_alone(program: str) -> None:
    subprocess.run([sys.executable, "-c", program], check=True, timeout=600)


@pytest.mark.slow
def test_a_search_step_never_loads_the_test_split() -> None:
    run_alone(
        "import sys, gymnasium as gym, nas_env\n"
        f"env = gym.make('NAS-Digits-v0', recipe={TINY}, device='cpu', **{SMALL})\n"
        "env.reset()\n"
        "done = False\n"
        "while not done: _, _, done, _, info = env.step(0)\n"
        "assert info['state'] == 'complete' and not any('test' in key for key in info)\n"
        "assert 'nas_env.data.held_out_images' not in sys.modules\n"
    )


@pytest.mark.slow
def test_worker_processes_give_the_rewards_of_the_single_environment() -> None:
    arguments: dict[str, Any] = {"recipe": TINY, "device": "cpu", **SMALL}
    sequences = np.array([[0, 1, 1], [1, 0, 0]])
    vector = gym.make_vec("NAS-Digits-v0", num_envs=2, workers=2, **arguments)
    vector.reset(seed=6)
    for column in sequences.T:
        _, rewards, terminated, _, infos = vector.step(column)
    vector.close()
    assert terminated.all() and infos["state"].tolist() == ["complete"] * 2
    single = gym.make("NAS-Digits-v0", **arguments)
    single.reset(seed=6)
    expected = []
    for sequence in sequences:
        single.reset()
        expected.append([single.step(token)[1] for token in sequence][-1])
    assert rewards.tolist() == expected
