"""Tokens: which are valid, which are refused, and that a sample is always valid."""

from typing import Any

import numpy as np
import pytest

from nas_env import ArchitectureEnv
from nas_env.envs.token_space import TokenSpace
from nas_env.errors import InvalidTokenError, ResetNeededError
from nas_env.space.layer_types import LayerTypesSpace
from tests.envs.choices import make_choices, play


@pytest.mark.parametrize("token", [2, 3, -1, 4, 1000])
def test_a_token_out_of_range_or_masked_out_is_refused_by_name(token: int) -> None:
    env = make_choices()
    env.reset()
    env.step(0)
    with pytest.raises(InvalidTokenError, match=rf"Token {token} .*position 1 \(activation\)"):
        env.step(token)
    obs, *_ = env.step(1)  # the episode goes on as if nothing had happened
    assert obs["tokens"].tolist() == [1, 2, 0]


@pytest.mark.parametrize("token", [1.0, "1", None, np.array([1])])
def test_a_token_that_is_no_integer_is_refused(token: Any) -> None:
    env = make_choices()
    env.reset()
    with pytest.raises(InvalidTokenError, match="integer"):
        env.step(token)


def test_tokens_that_mean_nothing_for_the_layer_type_are_masked() -> None:
    env = ArchitectureEnv(LayerTypesSpace(num_layers=1), lambda a, s: 0.5)
    env.reset()
    env.step(0)
    env.step(1)  # a max pooling has no filter height
    assert env.action_masks().tolist() == [True, False, False, False, False]
    with pytest.raises(InvalidTokenError, match="filter_height"):
        env.step(1)


def test_the_mask_is_given_three_ways_each_a_fresh_copy() -> None:
    env = make_choices()
    env.reset()
    obs, _, _, _, info = env.step(0)
    masks = [obs["action_mask"], info["action_mask"], env.action_masks()]
    assert [mask.tolist() for mask in masks] == [[1, 1, 0, 0]] * 3
    assert [mask.dtype for mask in masks] == [np.int8, np.int8, np.bool_]
    for mask in masks:
        mask[:] = 0
    assert env.action_masks().tolist() == [True, True, False, False]
    with pytest.raises(InvalidTokenError):
        env.step(2)
    env.reset()
    obs, _, _, _, info = env.step(0)  # what was written over is not the next episode's
    assert obs["action_mask"].tolist() == info["action_mask"].tolist() == [1, 1, 0, 0]


def test_the_mask_that_ends_an_episode_is_that_of_the_next_one() -> None:
    obs, *_, info = play(make_choices(), [0, 0, 3])
    assert obs["action_mask"].tolist() == info["action_mask"].tolist() == [1, 1, 1, 0]


def test_sampling_without_a_mask_draws_every_valid_token_and_no_other() -> None:
    space = TokenSpace(5, seed=0)
    space.valid = np.array([False, True, False, True, True])
    draws = [int(space.sample()) for _ in range(300)]
    assert set(draws) == {1, 3, 4} and min(map(draws.count, (1, 3, 4))) > 70
    assert space.sample(np.array([1, 0, 0, 0, 0], np.int8)) == 0


def test_no_order_of_calls_leaves_the_episode_in_doubt() -> None:
    """Resets, good and bad tokens in any order, against a model of a few lines."""
    space = LayerTypesSpace(num_layers=2, max_layers=3)
    env = ArchitectureEnv(space, lambda a, s: 0.5)
    rng = np.random.default_rng(0)
    written: list[int] = []
    length = 0
    for _ in range(4000):
        if rng.random() < 0.02:
            depth = int(rng.integers(1, 4))
            obs, _ = env.reset(options={"num_layers": depth})
            written, length = [], space.length(depth)
        else:
            token = int(rng.integers(-1, 6))
            valid = 0 <= token < 5 and bool(env.action_masks()[token])
            if len(written) == length:
                with pytest.raises(ResetNeededError):
                    env.step(token)
                continue
            if not valid:
                with pytest.raises(InvalidTokenError):
                    env.step(token)
                continue
            obs, reward, terminated, _, _ = env.step(token)
            written.append(token)
            assert terminated == (len(written) == length) == (reward == 0.5)
        expected = [token + 1 for token in written] + [0] * (len(space.layout) - len(written))
        assert obs["tokens"].tolist() == expected and obs["position"] == len(written)
