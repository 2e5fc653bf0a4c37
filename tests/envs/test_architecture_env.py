import copy
import json
import pickle
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import stable_baselines3.common.env_checker as sb3_checker
from gymnasium.utils import env_checker

from nas_env import ArchitectureEnv, ChoiceSpace, architecture_from_json
from nas_env.errors import ConfigurationError, ResetNeededError, StoreError
from nas_env.evaluation.evaluation import Evaluation, MetricName
from nas_env.space.choices import ChoiceArchitecture
from nas_env.space.conv import ConvSpace
from nas_env.space.layer_types import LayerTypesSpace
from nas_env.space.layout import Architecture
from tests.envs.choices import WIDTHS, make_choices, play


class Recorder:
    """An evaluator that remembers what it was asked."""

    metric_name: MetricName = "metric"

    def __init__(self, error: Exception | None = None) -> None:
        self.calls: list[tuple[list[Architecture], int]] = []
        self.error = error
        self.closed = 0

    def evaluate(self, architectures: Sequence[Architecture], run_seed: int) -> list[Evaluation]:
        self.calls.append((list(architectures), run_seed))
        if self.error is not None:
            raise self.error
        return [Evaluation("{}", 0, "metric", 0.5, "complete") for _ in architectures]

    def close(self) -> None:
        self.closed += 1


def test_gymnasiums_checker_passes_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env_checker.check_env(make_choices(), skip_render_check=True)


def test_stable_baselines_checker_passes_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sb3_checker.check_env(make_choices(render_mode="ansi"), skip_render_check=False)


def test_the_observation_holds_every_token_chosen_so_far() -> None:
    env = make_choices()
    obs, _ = env.reset()
    assert obs["tokens"].tolist() == [0, 0, 0] and obs["position"] == 0
    env.step(2)
    obs, *_ = env.step(0)
    assert obs["tokens"].tolist() == [3, 1, 0] and obs["position"] == 2
    obs, *_ = env.step(3)
    assert obs["tokens"].tolist() == [3, 1, 4] and obs["position"] == 3


def test_different_histories_never_give_the_same_observation() -> None:
    env = make_choices()
    seen = set()
    for first in range(3):
        for second in range(2):
            env.reset()
            env.step(first)
            obs, *_ = env.step(second)
            seen.add((tuple(obs["tokens"].tolist()), int(obs["position"])))
    assert len(seen) == 6


def test_observations_stay_in_the_space_until_the_end_at_every_depth() -> None:
    env = ArchitectureEnv(LayerTypesSpace(num_layers=2, max_layers=4), lambda a, s: 0.5)
    for depth in range(1, 5):
        obs, _ = env.reset(options={"num_layers": depth})
        terminated = False
        while not terminated:
            assert obs in env.observation_space
            left = env.search_space.length(depth) - obs["position"]
            assert obs["remaining"] == left > 0
            obs, _, terminated, _, _ = env.step(env.action_space.sample())
        assert obs in env.observation_space
        assert obs["position"] == env.search_space.length(depth) and obs["remaining"] == 0


def test_episodes_of_different_depth_differ_from_their_first_observation() -> None:
    env = ArchitectureEnv(ConvSpace(2, 12), lambda a, s: 0.5)
    left = [int(env.reset(options={"num_layers": n})[0]["remaining"]) for n in (1, 6, 12)]
    assert left == [env.search_space.length(n) for n in (1, 6, 12)] and len(set(left)) == 3


def test_one_child_is_trained_per_episode_and_none_before_the_last_token() -> None:
    recorder = Recorder()
    env = ArchitectureEnv(ChoiceSpace(WIDTHS), recorder)
    env.reset(seed=5)
    env.step(0)
    env.step(1)
    assert recorder.calls == []
    env.step(2)
    architecture = ChoiceArchitecture({"width": 8, "activation": "tanh", "depth": 3})
    assert recorder.calls == [([architecture], 5)]


def test_the_reward_comes_with_the_last_token_only() -> None:
    env = make_choices(reward=lambda metric: metric / 100)
    env.reset()
    assert [env.step(token)[1:4] for token in (2, 1, 3)] == [
        (0.0, False, False),
        (0.0, False, False),
        (1.28, True, False),
    ]


def test_the_terminal_info_is_what_the_contract_says() -> None:
    info = play(make_choices(), [1, 0, 3])[-1]
    assert set(info) == {
        *("architecture", "metric", "parameters", "macs", "state", "failure", "message"),
        *("train_seconds", "cached", "reward_missing", "machine_fault", "action_mask"),
    }
    assert architecture_from_json(json.loads(info["architecture"])) == (
        ChoiceArchitecture({"width": 16, "activation": "relu", "depth": 4})
    )
    assert (info["metric"], info["state"], info["failure"]) == (64.0, "complete", "")
    assert type(info["cached"]) is bool and type(info["train_seconds"]) is float


def test_the_metric_also_stands_under_its_own_name() -> None:
    info = play(make_choices(metric_name="accuracy"), [0, 0, 0])[-1]
    assert info["accuracy"] == info["metric"] == 8.0


def test_a_child_that_raises_is_a_failed_episode_with_reward_zero() -> None:
    def explode(architecture: Any, seed: int) -> float:
        raise RuntimeError("no such layer")

    env = ArchitectureEnv(ChoiceSpace(WIDTHS), explode, reward=lambda metric: metric + 1)
    _, reward, terminated, truncated, info = play(env, [0, 0, 0])
    assert (reward, terminated, truncated) == (0.0, True, False)
    assert (info["state"], info["failure"]) == ("failed", "error")
    assert "no such layer" in info["message"] and np.isnan(info["metric"])


def test_a_metric_that_is_not_finite_is_a_diverged_child() -> None:
    env = ArchitectureEnv(ChoiceSpace(WIDTHS), lambda a, s: float("nan"))
    *_, info = play(env, [0, 0, 0])
    assert (info["state"], info["failure"]) == ("failed", "diverged")


def test_errors_that_are_not_the_childs_are_raised_and_the_step_can_be_repeated() -> None:
    recorder = Recorder(StoreError("disk full"))
    env = ArchitectureEnv(ChoiceSpace(WIDTHS), recorder)
    env.reset()
    env.step(0)
    env.step(0)
    with pytest.raises(StoreError, match="disk full"):
        env.step(3)
    recorder.error = None
    obs, reward, terminated, *_ = env.step(2)
    assert (reward, terminated, obs["tokens"].tolist()) == (0.5, True, [1, 1, 3])


@pytest.mark.parametrize("reward", [lambda m: float("nan"), lambda m: None])
def test_a_reward_function_that_gives_no_number_is_reported(reward: Any) -> None:
    env = make_choices(reward=reward)
    with pytest.raises(ConfigurationError, match=r"reward function returned .* metric 8\.0"):
        play(env, [0, 0, 0])


def test_the_run_seed_is_kept_until_another_is_given() -> None:
    recorder = Recorder()
    env = ArchitectureEnv(ChoiceSpace(WIDTHS), recorder)
    play(env, [0, 0, 0])
    env.reset(seed=7)
    play(env, [0, 0, 0])
    play(env, [0, 0, 0])
    env.reset(seed=8)
    play(env, [0, 0, 0])
    assert [seed for _, seed in recorder.calls] == [0, 7, 7, 8]


def test_the_same_run_seed_and_tokens_give_the_same_child_seed() -> None:
    seeds: list[int] = []

    def note(architecture: Any, seed: int) -> float:
        seeds.append(seed)
        return 1.0

    env = ArchitectureEnv(ChoiceSpace(WIDTHS), note)
    for run_seed in (1, 2, 1):
        env.reset(seed=run_seed)
        play(env, [1, 1, 1])
    assert seeds[0] == seeds[2] != seeds[1]


def test_depth_is_chosen_per_episode() -> None:
    def depth_of(architecture: Any, seed: int) -> float:
        return float(len(architecture.layers))

    env = ArchitectureEnv(ConvSpace(num_layers=2, max_layers=3), depth_of)
    lengths = []
    for options in ({"num_layers": 1}, {"num_layers": np.int64(3)}, None, {}):
        _, info = env.reset(options=options)
        steps, terminated = 0, False
        while not terminated:
            _, reward, terminated, _, _ = env.step(0)
            steps += 1
        assert reward == info["num_layers"]
        lengths.append(steps)
    assert lengths == [3, 12, 7, 7]


@pytest.mark.parametrize("depth", [0, 4, -1, 2.5, "2", None, True])
def test_a_depth_out_of_range_is_refused_with_the_range(depth: Any) -> None:
    env = ArchitectureEnv(ConvSpace(num_layers=2, max_layers=3, min_layers=2), lambda a, s: 1.0)
    with pytest.raises(ConfigurationError, match="from 2 to 3"):
        env.reset(options={"num_layers": depth})


def test_unknown_reset_options_are_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match=r"depth.*allowed: num_layers"):
        make_choices().reset(options={"depth": 3})


def test_stepping_without_a_running_episode_says_to_reset() -> None:
    env = make_choices()
    with pytest.raises(ResetNeededError, match="reset"):
        env.step(0)
    play(env, [0, 0, 0])
    with pytest.raises(ResetNeededError, match="reset"):
        env.step(0)


@pytest.mark.parametrize("evaluator", [None, 3, "local"])
def test_an_evaluator_that_cannot_evaluate_is_refused(evaluator: Any) -> None:
    with pytest.raises(ConfigurationError, match="callable"):
        ArchitectureEnv(ChoiceSpace(WIDTHS), evaluator)


def test_an_unknown_render_mode_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"'rgb'.*'ansi', 'rgb_array', 'human'"):
        make_choices(render_mode="rgb")


def test_closing_closes_the_evaluator() -> None:
    recorder = Recorder()
    env = ArchitectureEnv(ChoiceSpace(WIDTHS), recorder)
    env.close()
    env.close()
    assert recorder.closed == 2


@pytest.mark.parametrize("clone", [lambda e: pickle.loads(pickle.dumps(e)), copy.deepcopy])
def test_a_copy_continues_the_episode_on_its_own(clone: Any) -> None:
    env = make_choices()
    env.reset(seed=3)
    env.step(2)
    other = clone(env)
    env.step(0)
    other.step(1)
    assert other.action_space.sample() in (0, 1, 2, 3)
    obs, reward, *_ = other.step(3)
    assert (obs["tokens"].tolist(), reward, other.run_seed) == ([3, 2, 4], 128.0, 3)
    assert env.step(0)[1] == 32.0


def test_ansi_rendering_returns_the_drawing_and_human_prints_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    env = make_choices(render_mode="ansi")
    env.reset()
    env.step(1)
    assert env.render() == "     width: 16\nactivation: ?\n     depth: ?"
    env.step(0)
    env.step(2)
    finished = "width: 16\nactivation: relu\ndepth: 3\nmetric 48, reward 48"
    assert env.render() == finished and capsys.readouterr().out == ""
    play(make_choices(render_mode="human"), [1, 0, 2])
    assert capsys.readouterr().out == f"{finished}\n"


def test_a_failed_child_is_drawn_with_its_reason() -> None:
    def explode(architecture: Any, seed: int) -> float:
        raise MemoryError("32 GB wanted")

    env = ArchitectureEnv(ChoiceSpace(WIDTHS), explode, render_mode="ansi")
    play(env, [0, 0, 0])
    assert str(env.render()).endswith("\nfailed (out_of_memory): MemoryError: 32 GB wanted")
