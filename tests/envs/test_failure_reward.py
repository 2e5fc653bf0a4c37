"""What a failed child is worth, and when an episode has no reward at all."""

import math
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import agents
import nas_env
from nas_env.envs.architecture_env import ArchitectureEnv
from nas_env.envs.settings import settings_of
from nas_env.envs.vector_env import ArchitectureVectorEnv
from nas_env.envs.worth import worst_reward
from nas_env.errors import ConfigurationError, WorkerLost
from nas_env.evaluation.evaluation import MetricName
from nas_env.evaluation.evaluator import MetricFunction
from nas_env.evaluation.named_reward import AccuracyCubed, CostAware
from nas_env.evaluation.reward import cubed, identity, inverse_square
from nas_env.space.choices import ChoiceSpace

SPACE = {"units": [1, 2, 3, 4, 5, 6, 7, 8]}


def play(env: gym.Env[Any, Any], tokens: Sequence[int]) -> tuple[float, dict[str, Any]]:
    env.reset(seed=0)
    for token in tokens:
        _, reward, _, _, info = env.step(token)
    return float(reward), info


def explode(architecture: Any, seed: int) -> float:
    raise RuntimeError("no such layer")


def lose(architecture: Any, seed: int) -> float:
    raise WorkerLost("its machine went away")


@pytest.mark.parametrize(
    ("reward", "metric_name", "worst"),
    [
        (cubed, "accuracy", 0.0),
        (lambda m: -m, "accuracy", -1.0),
        (lambda m: m - 1, "accuracy", -1.0),
        (lambda m: math.log(m), "accuracy", None),
        (inverse_square, "perplexity", 0.0),
        (lambda m: 1 / m - 5, "perplexity", -5.0),
        (lambda m: -m, "perplexity", None),
        (lambda m: -math.log(m), "perplexity", None),
        (identity, "metric", None),
        (CostAware("macs", 2e6).for_metric("accuracy"), "accuracy", 0.0),
        (CostAware("macs", 2e6).for_metric("perplexity"), "perplexity", 0.0),
        (AccuracyCubed(), "accuracy", 0.0),
        (lambda m: -m, "metric", None),
    ],
)
def test_the_default_is_the_worst_metrics_reward_or_none(
    reward: Any, metric_name: MetricName, worst: float | None
) -> None:
    assert worst_reward(reward, metric_name) == worst
    env = ArchitectureEnv(ChoiceSpace(SPACE), explode, reward, metric_name=metric_name)
    earned, info = play(env, [0])
    assert (earned, info["reward_missing"]) == (worst or 0.0, worst is None)


def test_a_failed_child_earns_what_the_user_says() -> None:
    env = ArchitectureEnv(ChoiceSpace(SPACE), explode, lambda m: -m, failure_reward=-9)
    assert play(env, [0])[0] == env.failure_reward == -9.0
    assert not play(env, [0])[1]["reward_missing"]


@pytest.mark.parametrize("value", [math.nan, math.inf, True])
def test_a_failure_reward_that_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="failure_reward"):
        ArchitectureEnv(ChoiceSpace(SPACE), explode, failure_reward=value)


def test_what_the_machine_is_to_blame_for_has_no_reward_whatever_failing_costs() -> None:
    env = ArchitectureEnv(ChoiceSpace(SPACE), lose, failure_reward=-9.0)
    earned, info = play(env, [0])
    assert math.isfinite(earned), "learners take numbers only"
    assert info["reward_missing"] is True
    assert (info["state"], info["failure"]) == ("failed", "worker_lost")


def test_vector_environments_say_the_same() -> None:
    def some(architecture: Any, seed: int) -> float:
        outcomes: list[MetricFunction] = [explode, lose, lambda *_: 3.0]
        chosen = outcomes[architecture["units"] - 1]
        return float(chosen(architecture, seed))

    env = ArchitectureVectorEnv(ChoiceSpace(SPACE), some, num_envs=3, failure_reward=-2.0)
    env.reset(seed=0)
    _, rewards, _, _, infos = env.step(np.array([0, 1, 2]))
    assert rewards[0] == -2.0 and rewards[2] == 3.0
    assert infos["reward_missing"].tolist() == [False, True, False]
    assert infos["reward_missing"].dtype == np.bool_


@pytest.mark.parametrize("env_id", ["NAS-Digits-v0", "NAS-PyDocs-v0", "NAS-Digits-Table-v0"])
def test_every_id_takes_it_and_it_survives_json(env_id: str) -> None:
    env = gym.make(env_id, evaluator=explode, failure_reward=-0.5)
    assert env.unwrapped.failure_reward == -0.5  # type: ignore[attr-defined]
    spec = gym.make(env_id, failure_reward=-0.5).spec
    assert spec is not None
    again = gym.make(gym.envs.registration.EnvSpec.from_json(spec.to_json()))
    assert again.unwrapped.failure_reward == -0.5  # type: ignore[attr-defined]
    assert gym.make(env_id).unwrapped.failure_reward == 0.0  # type: ignore[attr-defined]
    settings = settings_of(env_id)
    assert settings is not None
    with pytest.raises(ConfigurationError, match="failure_reward"):
        settings.of({"failure_reward": "low"})


def test_a_reward_below_that_of_failing_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    def measure(architecture: Any, seed: int) -> float:
        return float(architecture["units"])

    env = ArchitectureEnv(ChoiceSpace(SPACE), measure, lambda m: -m, failure_reward=-4.5)
    for token in range(8):
        play(env, [token])
    assert [record.message for record in caplog.records if "learn to fail" in record.message] == [
        "A child with metric 5 earned -5, less than a failed one (-4.5): agents learn to fail. "
        "Give a lower failure_reward."
    ]


@pytest.mark.parametrize("failure_reward", [None, -20.0])
def test_reinforce_does_not_learn_to_fail_where_rewards_are_negative(
    failure_reward: float | None,
) -> None:
    """With reward -m and 0 for a failure, its last 100 children all failed."""

    def loss(architecture: Any, seed: int) -> float:
        if architecture["a"] == "broken" or architecture["b"] == "broken":
            raise RuntimeError("no such layer")
        return float(architecture["a"] + architecture["b"])

    space = ChoiceSpace({"a": [1, 2, 3, "broken"], "b": [1, 2, 3, "broken"]})
    env = nas_env.ArchitectureEnv(space, loss, lambda m: -m, failure_reward=failure_reward)
    result = agents.run_search(
        env, agent="reinforce", children=400, seed=0, learning_rate=0.02, children_per_update=8
    )
    last = result.episodes[-100:]
    failed = sum(episode.state == "failed" for episode in last)
    assert failed < 20, "44 by chance"
    good = [episode.metric for episode in last if episode.metric is not None]
    assert np.mean(good) < 3.0, "and it learns from the others: 4 by chance"
