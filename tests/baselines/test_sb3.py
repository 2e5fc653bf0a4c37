"""SB3's algorithms as agents: SB3's own updates, exact budgets, exact resume, valid tokens."""

import os
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

import agents
import nas_env
from agents.agent import Agent, Problem
from agents.records.checkpoint import load_checkpoint
from agents.registry import make_agent
from agents.search.environment import open_environment
from agents.search.play import Order, make_player, to_batch
from baselines.any_token import nth_valid
from baselines.sb3 import find_algorithm
from baselines.sb3_settings import A2CSettings, PPOSettings, RecurrentPPOSettings, minibatch
from baselines.sb3_vec_env import ArchitectureVecEnv, IntegerCombinedExtractor
from baselines.table import AGENTS
from nas_env.envs.vector_env import ArchitectureVectorEnv
from nas_env.errors import CheckpointError, ConfigurationError, MissingDependencyError

SPACE = nas_env.ChoiceSpace(
    {"width": [8, 16, 32, 64], "activation": ["relu", "tanh"], "size": [1, 3, 5]}
)
BATCH, LENGTH = 16, 3


def worth(architecture: Any, seed: int) -> float:
    noise = np.random.default_rng(seed % 2**32).normal(0, 0.01)
    return float(architecture["width"] / 64 + architecture["size"] / 5 + noise)


def environment() -> nas_env.ArchitectureEnv:
    return nas_env.ArchitectureEnv(SPACE, worth)


def outcome(result: Any) -> list[Any]:
    return [(e.number, e.tokens, e.metric, e.reward, e.state) for e in result.episodes]


def weights(run: Path) -> dict[str, bytes]:
    checkpoint = load_checkpoint(run / "checkpoint")
    assert checkpoint is not None
    return {name: array.tobytes() for name, array in checkpoint.agent.arrays.items()}


@pytest.fixture
def one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def sb3_learns(name: str, updates: int) -> dict[str, torch.Tensor]:
    """Weights after SB3's own ``learn`` with the settings of the agent's defaults."""
    kinds = {"a2c": A2CSettings(), "recurrent_ppo": RecurrentPPOSettings()}
    settings: Any = kinds.get(name, PPOSettings())
    policy: dict[str, Any] = {
        "net_arch": [settings.hidden_size] * 2,
        "features_extractor_class": IntegerCombinedExtractor,
    }
    arguments = settings.sb3_arguments()
    if name != "a2c":
        arguments["batch_size"] = minibatch(BATCH * LENGTH, settings.batch_size)
    if name == "recurrent_ppo":
        policy["lstm_hidden_size"] = settings.lstm_size
    inner = ArchitectureVectorEnv(
        SPACE, worth, num_envs=BATCH, autoreset_mode=AutoresetMode.SAME_STEP
    )
    env = ArchitectureVecEnv(inner, invalid_tokens="error" if "mask" in name else "modulo")
    algorithm = {"ppo": "PPO", "a2c": "A2C"}.get(name, "")
    package = "stable_baselines3" if algorithm else "sb3_contrib"
    algorithm = algorithm or {"maskable_ppo": "MaskablePPO"}.get(name, "RecurrentPPO")
    model = find_algorithm(f"{package}:{algorithm}")(
        "MultiInputLstmPolicy" if "recurrent" in name else "MultiInputPolicy",
        env,
        n_steps=LENGTH,
        seed=5,
        device="cpu",
        policy_kwargs=policy,
        **arguments,
    )
    model.learn(updates * BATCH * LENGTH)
    return dict(model.policy.state_dict())


@pytest.mark.parametrize("name", AGENTS)
def test_weights_are_bit_for_bit_those_of_sb3s_own_learn(name: str, one_thread: Any) -> None:
    agent: Any = play(name, updates=2, seed=5)
    expected = sb3_learns(name, updates=2)
    found = agent.model.policy.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)


def play(name: str, updates: int, seed: int) -> Agent:
    player = make_player(environment())
    agent = make_agent(name, player.problem, seed)
    for update in range(updates):
        played = player.play(agent, Order(BATCH, BATCH * update, seed))
        agent.learn(to_batch(played))
    return agent


@pytest.mark.parametrize("name", AGENTS)
def test_budget_is_exact_and_the_same_seed_gives_the_same_episodes(name: str) -> None:
    runs: list[list[Any]] = []
    for seed in (3, 3, 4):
        np.random.seed(seed + len(runs))  # what others draw has no part in it
        torch.manual_seed(seed + len(runs))
        runs.append(outcome(agents.run_search(environment(), name, 21, seed=seed)))
    assert [number for number, *_ in runs[0]] == list(range(1, 22))
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_global_randomness_is_left_alone() -> None:
    np.random.seed(1)
    torch.manual_seed(1)
    expected = np.random.random(), torch.rand(1)
    np.random.seed(1)
    torch.manual_seed(1)
    agents.run_search(environment(), "ppo", 16)
    assert (np.random.random(), torch.rand(1)) == expected


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("name", AGENTS)
def test_a_killed_and_resumed_search_is_the_uninterrupted_one(name: str, tmp_path: Path) -> None:
    calls = [0]

    def mortal(architecture: Any, seed: int) -> float:
        calls[0] += 1
        if calls[0] == 20:  # in the middle of the third batch
            raise Killed
        return worth(architecture, seed)

    whole, run = tmp_path / "whole", tmp_path / "run"
    expected = agents.run_search(environment(), name, 28, 8, 1, whole)
    with pytest.raises(Killed):
        agents.run_search(nas_env.ArchitectureEnv(SPACE, mortal), name, 28, 8, 1, run)
    resumed = agents.run_search(environment(), name, 28, 8, 1, run, resume=True)
    assert outcome(resumed) == outcome(expected)
    assert weights(run) == weights(whole)
    assert {"updates.csv", "episodes.csv", "best_architecture.json"} <= set(os.listdir(run))


def test_maskable_ppo_finds_the_best_of_a_small_space() -> None:
    result = agents.run_search(environment(), "maskable_ppo", 480, 16, learning_rate=3e-3)
    last = result.episodes[-32:]
    assert np.mean([episode.tokens[0] == 3 and episode.tokens[2] == 2 for episode in last]) > 0.9


def test_episodes_of_different_lengths_and_one_after_another() -> None:
    """A wrapped environment is played one episode at a time, here of 3 or 7 tokens."""
    from nas_env.space.conv import ConvSpace

    class Depths(gym.Wrapper[Any, Any, Any, Any]):
        def reset(self, *, seed: Any = None, options: Any = None) -> Any:
            return self.env.reset(seed=seed, options={"num_layers": 1 + seed % 2})

    space = ConvSpace(num_layers=1, max_layers=2)
    env = Depths(nas_env.ArchitectureEnv(space, lambda architecture, seed: 1.0))
    for name in AGENTS:
        result = agents.run_search(env, name, 9)
        assert {len(episode.tokens) for episode in result.episodes} == {3, 7}


def test_a_space_of_one_token_and_one_child_gives_finite_weights() -> None:
    env = nas_env.ArchitectureEnv(nas_env.ChoiceSpace({"a": [1, 2, 3]}), lambda a, seed: 1.0)
    for name in AGENTS:
        player = make_player(env)
        agent: Any = make_agent(name, player.problem)
        agent.learn(to_batch(player.play(agent, Order(1, 0, 0))))
        assert all(p.isfinite().all() for p in agent.model.policy.parameters())


def test_an_agent_learns_only_from_what_it_played() -> None:
    player = make_player(environment())
    agent = make_agent("ppo", player.problem)
    batch = to_batch(player.play(make_agent("random", player.problem), Order(4, 0, 0)))
    with pytest.raises(ConfigurationError, match="just played"):
        agent.learn(batch)


def test_a_checkpoint_of_other_settings_or_another_problem_is_refused() -> None:
    problem = make_player(environment()).problem
    state = make_agent("ppo", problem).state()
    with pytest.raises(CheckpointError, match="hyper-parameters"):
        make_agent("ppo", problem, options={"clip_range": 0.1}).load_state(state)
    with pytest.raises(CheckpointError):
        make_agent("maskable_ppo", problem).load_state(state)
    with pytest.raises(CheckpointError):
        make_agent("ppo", Problem(9, 9)).load_state(state)


@pytest.mark.parametrize(
    "options",
    [{"learning_rate": 0.0}, {"n_epochs": 0}, {"batch_size": 1}, {"clip": 0.2}, {"gamma": 2.0}],
)
def test_settings_that_cannot_be_are_refused_before_anything_is_made(
    options: dict[str, Any],
) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        agents.run_search(lambda: pytest.fail("made"), "ppo", 8, **options)


def test_a_missing_package_is_named() -> None:
    with pytest.raises(MissingDependencyError, match="pip install no-such-sb3"):
        find_algorithm("no_such_sb3:MaskablePPO")


def test_actions_wrap_around_the_valid_tokens() -> None:
    masks: NDArray[np.bool_] = np.array([[1, 1, 0, 0], [0, 1, 0, 1], [1, 1, 1, 1]], np.bool_)
    played = [nth_valid(np.full(3, action), masks).tolist() for action in range(4)]
    assert played == [[0, 1, 0], [1, 3, 1], [0, 1, 2], [1, 3, 3]]


@pytest.mark.parametrize(("steps", "size"), [(264, 53), (64, 64), (65, 33), (9, 3), (1, 1)])
def test_minibatches_are_equal_and_none_is_a_single_step(steps: int, size: int) -> None:
    largest = 2 if steps == 9 else 64
    assert minibatch(steps, largest) == size


def test_a_registered_id_is_searched_by_name() -> None:
    env = open_environment("NAS-Digits-v0", 4, None, {"evaluator": size, "num_layers": 1})
    result = agents.run_search(env, "maskable_ppo", 6, 4)
    assert {episode.reward for episode in result.episodes} == {1.0}
    env.close()


def size(architecture: Any, seed: int) -> float:
    return float(len(architecture.layers))
