import copy
import pickle
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from nas_env import ArchitectureEnv, ChoiceSpace
from nas_env.envs.vector_env import ArchitectureVectorEnv
from nas_env.errors import ConfigurationError, InvalidTokenError, ResetNeededError, StoreError
from nas_env.evaluation.evaluation import Evaluation, MetricName
from nas_env.space.conv import ConvSpace
from nas_env.space.layer_types import LayerTypesSpace
from nas_env.space.layout import Architecture, SearchSpace

CHOICES: dict[str, list[Any]] = {"width": [8, 16, 32], "depth": [1, 2]}


def area(architecture: Any, seed: int) -> float:
    return float(architecture["width"] * architecture["depth"])


def seeded(architecture: Any, seed: int) -> float:
    """A metric that tells both the network and its seed."""
    return len(architecture.layers) + seed % 1000 / 1000


def make(num_envs: int = 2, **arguments: Any) -> ArchitectureVectorEnv:
    return ArchitectureVectorEnv(ChoiceSpace(CHOICES), area, num_envs=num_envs, **arguments)


class Recorder:
    """An evaluator that remembers its batches."""

    metric_name: MetricName = "metric"

    def __init__(self) -> None:
        self.batches: list[list[Architecture]] = []
        self.closed = 0
        self.error: Exception | None = None

    def evaluate(self, architectures: Sequence[Architecture], run_seed: int) -> list[Evaluation]:
        if self.error is not None:
            raise self.error
        self.batches.append(list(architectures))
        return [Evaluation("{}", 0, "metric", 0.5, "complete") for _ in architectures]

    def close(self) -> None:
        self.closed += 1


def test_children_that_finish_in_one_step_are_evaluated_as_one_batch() -> None:
    recorder = Recorder()
    env = ArchitectureVectorEnv(ConvSpace(num_layers=2, max_layers=2), recorder, num_envs=3)
    env.reset(options={"num_layers": [1, 2, 1]})
    for _ in range(3):
        env.step(np.zeros(3, int))
    assert [len(batch) for batch in recorder.batches] == [2]
    for _ in range(4):
        env.step(np.zeros(3, int))
    # rows 0 and 2: one step of reset, three tokens, so they end together with row 1's seventh
    assert [len(batch) for batch in recorder.batches] == [2, 3]


@pytest.mark.parametrize("space", [ConvSpace(num_layers=3, max_layers=4), LayerTypesSpace(2, 3)])
@pytest.mark.parametrize("mode", AutoresetMode)
def test_it_behaves_like_gymnasiums_own_vector_of_single_environments(
    space: SearchSpace[Any], mode: AutoresetMode
) -> None:
    ours = ArchitectureVectorEnv(space, seeded, num_envs=3, autoreset_mode=mode)
    theirs = SyncVectorEnv([lambda: ArchitectureEnv(space, seeded)] * 3, autoreset_mode=mode)
    assert_equal(ours.observation_space, theirs.observation_space)
    assert_equal(ours.action_space, theirs.action_space)
    # [4, 4, 4]: one run seed for all, as ours has it
    assert_equal(ours.reset(seed=4), theirs.reset(seed=[4, 4, 4]))
    for _ in range(150):
        actions = ours.action_space.sample()
        our, their = ours.step(actions), theirs.step(actions)
        assert_equal(our, their)
        ended = our[2]
        if mode == AutoresetMode.DISABLED and ended.any():
            options = {"reset_mask": ended, "num_layers": 1 + int(actions.sum()) % 3}
            assert_equal(ours.reset(options=options), theirs.reset(options=dict(options)))


def assert_equal(ours: Any, theirs: Any) -> None:
    """Equal in values, kinds of arrays and keys; times are not compared."""
    if isinstance(theirs, dict):
        assert set(ours) == set(theirs)
        for key in theirs:
            if key != "train_seconds":
                assert_equal(ours[key], theirs[key])
    elif isinstance(theirs, tuple | list):
        assert len(ours) == len(theirs)
        for our, their in zip(ours, theirs, strict=True):
            assert_equal(our, their)
    elif isinstance(theirs, np.ndarray) and theirs.dtype == object:
        assert_equal(list(ours), list(theirs))
    elif isinstance(theirs, np.ndarray):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)
    else:
        assert ours == theirs


def test_the_same_run_seed_and_tokens_give_the_rewards_of_the_single_environment() -> None:
    space = ConvSpace(num_layers=2, max_layers=2)
    tokens = np.random.default_rng(0)
    sequences = np.array([space.sample(tokens) for _ in range(4)])
    vector = ArchitectureVectorEnv(space, seeded, num_envs=4)
    vector.reset(seed=11)
    for column in sequences.T:
        _, rewards, *_ = vector.step(column)
    single = ArchitectureEnv(space, seeded)
    single.reset(seed=11)
    expected = []
    for sequence in sequences:
        single.reset()
        expected.append([single.step(token)[1] for token in sequence][-1])
    assert rewards.tolist() == expected


def test_next_step_ignores_the_action_after_an_end() -> None:
    env = make()
    env.reset()
    env.step(np.array([0, 1]))
    *_, terminated, _, _ = env.step(np.array([1, 0]))
    assert terminated.tolist() == [True, True]
    obs, rewards, terminated, _, infos = env.step(np.array([99, -1]))
    assert obs["position"].tolist() == [0, 0] and not obs["tokens"].any()
    assert not rewards.any() and not terminated.any()
    assert set(infos) == {"action_mask", "_action_mask", "num_layers", "_num_layers"}


def test_disabled_restarts_only_the_rows_in_the_mask() -> None:
    env = ArchitectureVectorEnv(
        ConvSpace(2, 3), lambda a, s: 1.0, num_envs=2, autoreset_mode="DISABLED"
    )
    env.reset(options={"num_layers": [1, 2]})
    for _ in range(3):
        *_, terminated, _, _ = env.step(np.zeros(2, int))
    assert terminated.tolist() == [True, False]
    with pytest.raises(ResetNeededError, match=r"\[0\].*reset_mask"):
        env.step(np.zeros(2, int))
    options = {"reset_mask": terminated, "num_layers": 3}
    obs, infos = env.reset(options=options)
    space = ConvSpace(2, 3)
    assert obs["remaining"].tolist() == [space.length(3), space.length(2) - 3]
    assert obs["position"].tolist() == [0, 3] and infos["_num_layers"].tolist() == [True, False]
    assert set(options) == {"reset_mask", "num_layers"}  # the caller's dict stays as it is
    for _ in range(4):
        *_, terminated, _, _ = env.step(np.zeros(2, int))
    assert terminated.tolist() == [False, True]


def test_same_step_hands_over_the_end_of_the_last_episode() -> None:
    env = make(autoreset_mode="SameStep")
    env.reset()
    env.step(np.array([2, 1]))
    obs, rewards, _, _, infos = env.step(np.array([1, 1]))
    assert rewards.tolist() == [64.0, 32.0] and obs["position"].tolist() == [0, 0]
    assert infos["final_obs"][0]["tokens"].tolist() == [3, 2]
    assert infos["final_obs"][0]["remaining"] == 0 and obs["remaining"].tolist() == [2, 2]
    assert infos["final_info"]["metric"].tolist() == [64.0, 32.0]


def test_a_depth_given_to_reset_lasts_until_the_next_reset() -> None:
    env = ArchitectureVectorEnv(ConvSpace(2, 3), seeded, num_envs=1)
    env.reset(options={"num_layers": 1})
    ends = [bool(env.step(np.zeros(1, int))[2][0]) for _ in range(7)]
    assert ends == [False, False, True, False, False, False, True]
    env.reset()
    ends = [bool(env.step(np.zeros(1, int))[2][0]) for _ in range(7)]
    assert ends == [False] * 6 + [True]


def test_infos_tell_which_rows_have_a_value() -> None:
    env = ArchitectureVectorEnv(ConvSpace(2, 3), seeded, num_envs=2)
    env.reset(options={"num_layers": [1, 2]})
    for _ in range(3):
        *_, infos = env.step(np.zeros(2, int))
    assert infos["_state"].tolist() == [True, False]
    assert infos["state"].tolist() == ["complete", None]
    assert infos["action_mask"].shape == (2, 4) and infos["_action_mask"].all()


def test_failed_children_have_reward_zero_and_a_type() -> None:
    def odd(architecture: Any, seed: int) -> float:
        if architecture["width"] == 16:
            raise MemoryError("too big")
        return 1.0

    env = ArchitectureVectorEnv(ChoiceSpace(CHOICES), odd, num_envs=2, metric_name="accuracy")
    env.reset()
    env.step(np.array([0, 1]))
    _, rewards, terminated, _, infos = env.step(np.array([0, 0]))
    assert rewards.tolist() == [1.0, 0.0] and terminated.all()
    assert infos["failure"].tolist() == ["", "out_of_memory"]
    assert infos["accuracy"][0] == 1.0 and np.isnan(infos["accuracy"][1])


def test_a_masked_token_names_its_row_and_changes_nothing() -> None:
    env = make()
    env.reset()
    env.step(np.array([0, 1]))
    with pytest.raises(InvalidTokenError, match=r"Sub-environment 1: Token 2 .*\(depth\)"):
        env.step(np.array([1, 2]))
    obs, rewards, *_ = env.step(np.array([1, 0]))
    assert obs["tokens"].tolist() == [[1, 2], [2, 1]] and rewards.tolist() == [16.0, 16.0]


def test_a_store_error_is_raised_and_the_step_can_be_repeated() -> None:
    recorder = Recorder()
    env = ArchitectureVectorEnv(ChoiceSpace(CHOICES), recorder, num_envs=2)
    env.reset()
    env.step(np.array([0, 1]))
    recorder.error = StoreError("disk full")
    with pytest.raises(StoreError, match="disk full"):
        env.step(np.array([1, 1]))
    recorder.error = None
    obs, _, terminated, *_ = env.step(np.array([0, 0]))
    assert terminated.all() and obs["tokens"].tolist() == [[1, 1], [2, 1]]


@pytest.mark.parametrize("actions", [[0], [[0], [0]], [0.0, 1.0], "ab", None])
def test_actions_of_a_wrong_shape_or_type_are_refused(actions: Any) -> None:
    env = make()
    env.reset()
    with pytest.raises(InvalidTokenError, match=r"shape \(2,\)"):
        env.step(actions)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_layers": [1]}, "one integer or 2"),
        ({"num_layers": [1, 9]}, "from 1 to 3"),
        ({"reset_mask": [True, False]}, "bool array"),
        ({"reset_mask": np.ones(3, bool)}, "bool array"),
        ({"reset_mask": np.zeros(2, bool)}, "no sub-environment"),
        ({"layers": 1}, "layers.*allowed: num_layers, reset_mask"),
    ],
)
def test_wrong_reset_options_are_refused(options: dict[str, Any], message: str) -> None:
    env = ArchitectureVectorEnv(ConvSpace(2, 3), seeded, num_envs=2)
    with pytest.raises(ConfigurationError, match=message):
        env.reset(options=options)


def test_stepping_before_the_first_reset_says_so() -> None:
    with pytest.raises(ResetNeededError, match="reset"):
        make().step(np.zeros(2, int))


@pytest.mark.parametrize("arguments", [{"num_envs": 0}, {"autoreset_mode": "never"}])
def test_wrong_arguments_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        make(**arguments)


def test_a_time_limit_that_a_user_asks_for_truncates() -> None:
    env = make(max_episode_steps=1)
    env.reset()
    _, rewards, terminated, truncated, _ = env.step(np.array([0, 1]))
    assert truncated.all() and not terminated.any() and not rewards.any()
    obs, *_ = env.step(np.array([0, 1]))
    assert obs["position"].tolist() == [0, 0]


def test_masks_handed_out_are_fresh_copies() -> None:
    env = make()
    env.reset()
    obs, *_, infos = env.step(np.array([0, 1]))
    for mask in (obs["action_mask"], infos["action_mask"], env.action_masks()):
        assert mask.tolist() == [[1, 1, 0]] * 2
        mask[:] = 0
    assert env.action_masks().tolist() == [[True, True, False]] * 2


def test_calls_reach_every_row() -> None:
    env = make(num_envs=3, render_mode="ansi")
    env.reset()
    assert len(env.call("action_masks")) == 3 and env.call("action_masks")[0].shape == (3,)
    assert env.get_attr("search_space") == (env.search_space,) * 3
    assert env.render() == ("width: ?\ndepth: ?",) * 3


def test_pictures_come_one_a_row_even_before_the_first_reset() -> None:
    env = make(num_envs=2, render_mode="rgb_array")
    before = np.array(env.render())  # (num_envs, height, width, 3)
    env.reset()
    env.step(np.array([0, 1]))
    after = np.array(env.render())
    assert before.shape == after.shape == (2, *before.shape[1:3], 3) and after.dtype == np.uint8
    assert (before[0] == before[1]).all() and (after[0] != after[1]).any()


@pytest.mark.parametrize("clone", [lambda e: pickle.loads(pickle.dumps(e)), copy.deepcopy])
def test_a_copy_continues_all_episodes_on_its_own(clone: Any) -> None:
    env = make()
    env.reset(seed=3)
    env.step(np.array([0, 2]))
    other = clone(env)
    assert env.step(np.array([1, 0]))[1].tolist() == [16.0, 32.0]
    assert other.step(np.array([0, 1]))[1].tolist() == [8.0, 64.0]


def test_closing_closes_the_evaluator_once() -> None:
    recorder = Recorder()
    env = ArchitectureVectorEnv(ChoiceSpace(CHOICES), recorder, num_envs=2)
    env.close()
    env.close()
    assert recorder.closed == 1


def test_an_evaluator_that_is_lent_stays_open() -> None:
    recorder = Recorder()
    env = ArchitectureVectorEnv(ChoiceSpace(CHOICES), recorder, num_envs=2, owns_evaluator=False)
    env.close()
    assert recorder.closed == 0


def test_gymnasiums_episode_statistics_count_every_episode() -> None:
    env = gym.wrappers.vector.RecordEpisodeStatistics(make(num_envs=4))
    env.reset(seed=0)
    ends = 0
    for _ in range(30):
        *_, infos = env.step(env.action_space.sample())
        if "episode" in infos:
            ends += int(infos["_episode"].sum())
            assert (infos["episode"]["l"][infos["_episode"]] == 2).all()
    assert ends == 40
