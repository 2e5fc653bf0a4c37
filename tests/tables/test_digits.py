"""The table that comes with the package: complete, informative, repeatable."""

import gymnasium as gym
import numpy as np
import pytest

import nas_env
from nas_env.tables.file import read_table
from nas_env.tables.held_out import load_held_out_metrics

TABLE = read_table("digits")


def test_every_member_has_every_training() -> None:
    assert TABLE.metrics.shape[0] == TABLE.search_space.size == 5832
    assert np.isfinite(TABLE.metrics).all() and TABLE.parameters is not None
    test = load_held_out_metrics("digits")
    assert test.shape == TABLE.metrics.shape and np.isfinite(test).all()


def test_members_are_architectures_of_the_big_environment() -> None:
    space = gym.make("NAS-Digits-v0").unwrapped.search_space  # type: ignore[attr-defined]
    for row in (0, 1234, 5831):
        space.encode(TABLE.architecture(row))


def test_trainings_agree_about_who_is_good_and_nobody_is_perfect() -> None:
    correlation = np.corrcoef(TABLE.metrics.T)
    assert correlation.min() > 0.8
    spread, noise = TABLE.metrics.mean(axis=1).std(), TABLE.metrics.std(axis=1).mean()
    assert spread > 2 * noise
    assert TABLE.metrics.max() < 0.95  # not saturated


def test_held_out_figures_follow_the_validation_metric() -> None:
    test = load_held_out_metrics("digits").mean(axis=1)
    assert np.corrcoef(TABLE.metrics.mean(axis=1), test)[0, 1] > 0.9


def test_the_table_says_where_it_comes_from() -> None:
    about = TABLE.about
    assert "scripts/build_table.py" in about["command"]
    assert about["versions"]["torch"] and about["hardware"]["processor"] and about["finished"]


@pytest.mark.slow
def test_training_again_gives_the_table_again() -> None:
    """Up to the arithmetic of another processor, which moves single images."""
    recipe = TABLE.about["recipe"]
    for row in (10, 2900, 5800):
        architecture = TABLE.architecture(row)
        found = nas_env.evaluate(architecture, "digits", recipe, seed=0, device="cpu")
        assert found.metric == pytest.approx(TABLE.metrics[row, 0], abs=0.1)
        assert TABLE.parameters is not None and found.parameters == TABLE.parameters[row]
