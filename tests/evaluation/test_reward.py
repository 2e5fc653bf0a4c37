"""Rewards: the paper's golden values, and nothing that is not finite."""

import math

import pytest

from nas_env.evaluation.reward import Reward, cubed, identity, inverse_square


@pytest.mark.parametrize(("accuracy", "expected"), [(0.80, 0.512), (0.90, 0.729), (0.95, 0.857)])
def test_cubed_gives_the_papers_image_rewards(accuracy: float, expected: float) -> None:
    assert cubed(accuracy) == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize(
    ("perplexity", "expected"),
    [(40, 0.05), (60, 0.0222), (80, 0.0125), (100, 0.0080), (200, 0.0020)],
)
def test_inverse_square_gives_the_papers_language_rewards(
    perplexity: float, expected: float
) -> None:
    assert inverse_square(perplexity) == pytest.approx(expected, abs=5e-5)


def test_inverse_square_takes_the_papers_constant() -> None:
    assert inverse_square(10.0, c=200.0) == 2.0


@pytest.mark.parametrize("reward", [cubed, inverse_square, identity])
@pytest.mark.parametrize("metric", [math.nan, math.inf, -math.inf])
def test_a_metric_that_is_not_finite_earns_nothing(reward: Reward, metric: float) -> None:
    assert reward(metric) == 0.0


@pytest.mark.parametrize("perplexity", [0.0, -3.0])
def test_an_impossible_perplexity_earns_nothing(perplexity: float) -> None:
    assert inverse_square(perplexity) == 0.0


def test_better_children_earn_more() -> None:
    assert cubed(0.9) > cubed(0.8)
    assert inverse_square(60.0) > inverse_square(80.0)
