"""``reward=`` of every id: by name, with settings, as a function; the store knows none of it."""

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
from gymnasium.envs.registration import EnvSpec

from nas_env import ArchitectureEnv, ChoiceSpace
from nas_env.errors import ConfigurationError
from nas_env.registration import REGISTRATIONS

IDS = [entry.id for entry in REGISTRATIONS]
COST_AWARE = {"name": "cost_aware", "cost": "parameters", "target": 3e4, "exponent": -0.5}


def half(architecture: Any, seed: int) -> float:
    return 0.5


def play(env: Any, seed: int = 0) -> tuple[float, dict[str, Any]]:
    """The episode of first tokens."""
    env.reset(seed=seed)
    terminated = False
    while not terminated:
        _, reward, terminated, _, info = env.step(0)
    return float(reward), info


@pytest.mark.parametrize("env_id", IDS)
def test_every_id_takes_a_function(env_id: str) -> None:
    env = gym.make(env_id, evaluator=half, reward=lambda metric: 10 * metric)
    assert play(env)[0] == 5.0


@pytest.mark.parametrize("env_id", IDS)
def test_every_id_takes_the_names_of_its_metric(env_id: str) -> None:
    named = {"accuracy": {"accuracy": 0.5, "accuracy_cubed": 0.125, "metric": 0.5}}
    named["perplexity"] = {"inverse_square_perplexity": 320.0}
    metric_name = gym.make(env_id).unwrapped.metric_name  # type: ignore[attr-defined]
    for reward, expected in named[metric_name].items():
        assert play(gym.make(env_id, evaluator=half, reward=reward))[0] == expected
    with pytest.raises(ConfigurationError, match="Rewards that fit"):
        other = named["perplexity" if metric_name == "accuracy" else "accuracy"]
        gym.make(env_id, reward=next(iter(other)))


@pytest.mark.parametrize("env_id", IDS)
def test_the_spec_keeps_the_reward_through_json_and_pickle(env_id: str) -> None:
    env: Any = gym.make(env_id, reward=COST_AWARE)
    again: Any = gym.make(EnvSpec.from_json(env.spec.to_json())).unwrapped
    assert again.reward == env.unwrapped.reward
    assert again.settings.reward == COST_AWARE
    for clone in (pickle.loads(pickle.dumps(env.unwrapped)), copy.deepcopy(env.unwrapped)):
        assert clone.reward == again.reward
    assert json.loads(json.dumps(again.settings.reward_json()))["target"] == 3e4


def test_single_and_vector_environments_pay_the_same_cost_aware_reward() -> None:
    reward, info = play(gym.make("NAS-Digits-Table-v0", reward=COST_AWARE))
    assert reward == info["metric"] * (info["parameters"] / 3e4) ** -0.5
    vector = gym.make_vec("NAS-Digits-Table-v0", num_envs=2, reward=COST_AWARE)
    vector.reset(seed=0)
    ended = [False]
    while not any(ended):
        _, rewards, ended, _, _ = vector.step([0, 0])
    assert rewards.tolist() == [reward, reward]


def test_an_environment_of_your_own_takes_names_too() -> None:
    space = ChoiceSpace({"width": [1, 2]})
    env = ArchitectureEnv(space, half, "accuracy_cubed", metric_name="accuracy")
    assert play(env)[0] == 0.125
    with pytest.raises(ConfigurationError, match="needs parameters of a child"):
        play(ArchitectureEnv(space, half, COST_AWARE))


def test_a_cost_that_a_table_lacks_is_refused_before_a_search_begins() -> None:
    with pytest.raises(ConfigurationError, match=r"holds \(parameters, train_seconds\)"):
        gym.make("NAS-Digits-Table-v0", reward={**COST_AWARE, "cost": "macs"})


def test_one_place_holds_the_constant_of_the_language_reward() -> None:
    assert play(gym.make("NAS-PyDocs-v0", evaluator=half, reward_constant=1))[0] == 4.0
    with pytest.raises(ConfigurationError, match="reward_constant must be left out"):
        gym.make("NAS-PyDocs-v0", reward="inverse_square_perplexity", reward_constant=1)


def test_another_reward_trains_no_child_again(tmp_path: Path) -> None:
    arguments: dict[str, Any] = {
        "num_layers": 1,
        "recipe": {"name": "quick", "epochs": 1, "reward_epochs": 1},
        "store": str(tmp_path / "store.sqlite"),
    }
    found = []
    for reward in ("accuracy_cubed", COST_AWARE, lambda accuracy: -accuracy):
        env = gym.make("NAS-Digits-v0", reward=reward, **arguments)
        found.append(play(env))
        env.close()
    (cubed, first), (weighted, second), (negative, third) = found
    assert (first["cached"], second["cached"], third["cached"]) == (False, True, True)
    accuracy = first["metric"]
    assert accuracy == second["metric"] == third["metric"]
    assert cubed == accuracy**3 and negative == -accuracy
    assert weighted == accuracy * (first["parameters"] / 3e4) ** -0.5
