"""One episode, one reward: alone, in our vector environment, in Gymnasium's, in any wrapper."""

from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv, VectorEnv

import agents
from nas_env import ArchitectureEnv, ArchitectureVectorEnv
from nas_env.errors import ConfigurationError
from nas_env.space.conv import ConvSpace
from nas_env.space.layer_types import LayerTypesSpace
from nas_env.space.layout import SearchSpace

CHEAP = ConvSpace(num_layers=2, max_layers=3)
TYPED = LayerTypesSpace(num_layers=2, max_layers=3)  # masks depend on earlier tokens


def seeded(architecture: Any, seed: int) -> float:
    """A metric with every bit of the child's seed that a float holds."""
    return seed / 2.0**63 + len(architecture.layers)


def plain(env: Any) -> Any:
    return env


WRAPPERS: dict[str, Callable[[Any], Any]] = {
    "none": plain,
    "statistics": gym.wrappers.RecordEpisodeStatistics,
    "time limit": partial(gym.wrappers.TimeLimit, max_episode_steps=1000),
    "order": gym.wrappers.OrderEnforcing,
    "flat": gym.wrappers.FlattenObservation,
    "statistics of the flat": lambda env: gym.wrappers.RecordEpisodeStatistics(
        gym.wrappers.FlattenObservation(env)
    ),
}


def single(space: SearchSpace[Any], wrapper: str = "none") -> Any:
    return WRAPPERS[wrapper](ArchitectureEnv(space, seeded))


def vector(kind: str, space: SearchSpace[Any], wrapper: str, count: int = 3) -> Any:
    """A vector environment: ours, or Gymnasium's of wrapped single ones."""
    if kind == "ours":
        return ArchitectureVectorEnv(space, seeded, num_envs=count)
    makes = [partial(single, space, wrapper)] * count
    if kind == "sync":
        return SyncVectorEnv(makes)
    return AsyncVectorEnv(makes, context="fork", shared_memory=kind == "async")


KINDS = ["ours", "sync", "async", "async without shared memory"]
COMBINATIONS = [("ours", "none"), *((kind, name) for kind in KINDS[1:] for name in WRAPPERS)]


def outcome(infos: dict[str, Any], row: int) -> tuple[str, float]:
    return infos["architecture"][row], float(infos["metric"][row])


def alone(tokens: Any, seed: int) -> tuple[str, float, float]:
    """Architecture, metric and reward of an episode in a plain environment."""
    env = ArchitectureEnv(CHEAP, seeded)
    env.reset(seed=seed)
    for token in tokens:
        *_, info = (result := env.step(token))
    return info["architecture"], info["metric"], float(result[1])


@pytest.mark.parametrize(("kind", "wrapper"), COMBINATIONS)
@pytest.mark.parametrize(
    ("reset", "run_seeds"),
    [
        ({"seed": [7, 7, 7]}, [7, 7, 7]),
        ({"seed": [7, 8, 9]}, [7, 8, 9]),
        ({"seed": 3, "options": {"run_seed": 7}}, [7, 7, 7]),
    ],
)
def test_every_vector_environment_gives_the_rewards_of_the_single_one(
    kind: str, wrapper: str, reset: dict[str, Any], run_seeds: list[int]
) -> None:
    rng = np.random.default_rng(0)
    episodes = np.array([CHEAP.sample(rng) for _ in range(3)])  # (3, tokens)
    env: VectorEnv[Any, Any, Any] = vector(kind, CHEAP, wrapper)
    env.reset(**reset)
    for tokens in episodes.T:
        _, rewards, _, _, infos = env.step(tokens)
    env.close()
    for row, (tokens, seed) in enumerate(zip(episodes, run_seeds, strict=True)):
        assert (*outcome(infos, row), float(rewards[row])) == alone(tokens, seed)


def test_ours_counts_no_seed_up_and_gymnasiums_do() -> None:
    tokens = np.zeros(3, int)
    metrics = []
    for kind in ("ours", "sync"):
        env = vector(kind, CHEAP, "none")
        env.reset(seed=7)
        for _ in range(CHEAP.length()):
            *_, infos = env.step(tokens)
        metrics.append([outcome(infos, row)[1] for row in range(3)])
    ours, theirs = metrics
    assert ours == [ours[0]] * 3 and theirs[0] == ours[0] and len(set(theirs)) == 3


@pytest.mark.parametrize("wrapper", ["none", "statistics", "time limit"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("space", [CHEAP, TYPED])
def test_samples_of_every_batched_space_are_valid(
    kind: str, wrapper: str, space: SearchSpace[Any]
) -> None:
    env = vector(kind, space, wrapper)
    env.action_space.seed(0)
    observations, _ = env.reset(seed=0)
    ended, drawn = 0, set()
    for _ in range(60):
        masks = observations["action_mask"].astype(bool)
        tokens = env.action_space.sample()
        assert masks[np.arange(3), tokens].all()
        drawn |= {(int(masks[0].sum()), int(tokens[0]))}
        observations, _, terminated, _, _ = env.step(tokens)  # raises for an invalid token
        ended += int(terminated.sum())
    env.close()
    assert ended >= 3
    assert {token for options, token in drawn if options == 4} == {0, 1, 2, 3}


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_where_masks_are_flattened_samples_are_legal_and_with_a_mask_they_are_all(
    kind: str,
) -> None:
    env = vector(kind, CHEAP, "flat")
    env.action_space.seed(0)
    _, infos = env.reset(seed=0)
    legal: set[int] = set()
    masked: set[int] = set()
    for step in range(80):
        tokens = env.action_space.sample()
        if step % 2:
            tokens = env.action_space.sample(mask=tuple(infos["action_mask"]))
        (masked if step % 2 else legal).update(tokens.tolist())
        *_, infos = env.step(tokens)
    env.close()
    assert legal == {0, 1} and masked == {0, 1, 2, 3}


def test_batched_spaces_equal_gymnasiums_own() -> None:
    env = vector("sync", CHEAP, "none")
    plain_space = gym.vector.utils.batch_space(gym.spaces.Discrete(4), 3)
    assert (
        env.action_space
        == plain_space
        == ArchitectureVectorEnv(CHEAP, seeded, num_envs=3).action_space
    )
    assert env.action_space.dtype == plain_space.dtype


@pytest.mark.parametrize(
    ("seed", "message"),
    [
        ([1, 2], "one whole number or 3"),
        ("1", "whole number"),
        (-1, "at least 0"),
        ([1, 2, -3], "at least 0"),
        (True, "whole number"),
        (1.5, "whole number"),
    ],
)
def test_what_is_no_seed_is_refused(seed: Any, message: str) -> None:
    env = vector("ours", CHEAP, "none")
    with pytest.raises(ConfigurationError, match=message):
        env.reset(seed=seed)
    with pytest.raises(ConfigurationError, match=message):
        env.reset(options={"run_seed": seed})


def test_seeds_of_some_rows_stay_those_of_the_others() -> None:
    env = ArchitectureVectorEnv(CHEAP, seeded, num_envs=3, autoreset_mode="DISABLED")
    env.reset(seed=[1, None, 3])
    assert env.get_attr("run_seed") == (1, 0, 3)
    mask = np.array([False, True, True])
    env.reset(seed=9, options={"reset_mask": mask})
    assert env.get_attr("run_seed") == (1, 9, 9) and env.run_seed == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda: single(CHEAP),
        lambda: single(CHEAP, "statistics"),
        lambda: vector("ours", CHEAP, "none", 4),
        lambda: vector("sync", CHEAP, "statistics", 4),
        lambda: vector("async", CHEAP, "time limit", 4),
        lambda: gym.wrappers.vector.RecordEpisodeStatistics(vector("ours", CHEAP, "none", 4)),
    ],
)
def test_a_search_trains_the_same_children_in_every_wrapper(make: Callable[[], Any]) -> None:
    env = make()
    result = agents.run_search(env, agent="random", children=8, children_per_update=4, seed=5)
    env.close()
    for episode in result.episodes:
        architecture, metric, reward = alone(episode.tokens, 5)
        assert (episode.architecture, episode.metric) == (architecture, metric)
        assert episode.reward == reward


DIGITS: dict[str, Any] = {
    "num_layers": 1,
    "evaluator": "local",
    "device": "cpu",
    "recipe": {
        "name": "quick",
        "epochs": 1,
        "reward_epochs": 1,
        "train_images": 64,
        "numerics": "float32",
    },
}


def digits(wrapper: str = "none") -> Any:
    return WRAPPERS[wrapper](gym.make("NAS-Digits-v0", **DIGITS))


def trained(env: Any, reset: dict[str, Any]) -> list[tuple[float, float]]:
    """Metric and reward of one real child, of every row if there are several."""
    env.reset(**reset)
    many = isinstance(env, VectorEnv)
    for _ in range(3):
        _, reward, _, _, info = env.step(np.full(env.num_envs, 1) if many else 1)
    env.close()
    if not many:
        return [(info["metric"], reward)]
    return [(float(m), float(r)) for m, r in zip(info["metric"], reward, strict=True)]


def test_real_children_are_trained_the_same_to_the_last_bit() -> None:
    (expected,) = trained(digits(), {"seed": 7})
    assert trained(digits("statistics"), {"seed": 7}) == [expected]
    assert trained(digits("flat"), {"seed": 3, "options": {"run_seed": 7}}) == [expected]
    for env in (
        gym.make_vec("NAS-Digits-v0", num_envs=2, **DIGITS),
        SyncVectorEnv([digits, partial(digits, "time limit")]),
    ):
        assert trained(env, {"seed": [7, 7]}) == [expected] * 2
    (other,) = trained(digits(), {"seed": 8})
    assert other != expected


@pytest.mark.slow
def test_real_children_in_other_processes_are_trained_the_same() -> None:
    (expected,) = trained(digits(), {"seed": 7})
    env = AsyncVectorEnv([digits, partial(digits, "statistics")], context="spawn")
    assert trained(env, {"seed": 3, "options": {"run_seed": 7}}) == [expected] * 2
    processes = {**DIGITS, "evaluator": "process", "workers": 1}
    vector_env = gym.make_vec("NAS-Digits-v0", num_envs=2, **processes)
    assert trained(vector_env, {"seed": 7}) == [expected] * 2
