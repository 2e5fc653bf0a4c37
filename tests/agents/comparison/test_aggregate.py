"""Figures over tables against values worked out by hand."""

import numpy as np
import pytest

from agents.comparison.aggregate import (
    interquartile_mean,
    interval,
    probability_of_improvement,
    profile,
)


def test_the_interquartile_mean_is_that_of_the_middle_half_over_all_tables() -> None:
    scores = np.array([[8.0, 1.0, 5.0, 100.0], [3.0, 4.0, -50.0, 2.0]])
    assert interquartile_mean(scores) == pytest.approx((2 + 3 + 4 + 5) / 4)
    five = np.array([[0.0, 1.0, 2.0, 3.0, 100.0]])
    assert interquartile_mean(five) == pytest.approx(2.0)  # one is cut at each end
    curves = np.stack([scores, scores + 1], axis=2)
    np.testing.assert_allclose(interquartile_mean(curves), [3.5, 4.5])


def test_the_probability_of_improvement_counts_pairs_and_halves_of_equal_ones() -> None:
    """First table: 1 < 2, 1 < 3, 2 = 2, 2 < 3: 3.5 of 4. Second: none of 4."""
    ours, theirs = np.array([[1.0, 2.0], [9.0, 9.0]]), np.array([[2.0, 3.0], [1.0, 2.0]])
    assert probability_of_improvement(ours, theirs) == pytest.approx((3.5 / 4 + 0) / 2)
    assert probability_of_improvement(ours, ours) == pytest.approx(0.5)
    back = probability_of_improvement(theirs, ours)
    assert back == pytest.approx(1 - probability_of_improvement(ours, theirs))


def test_a_profile_is_the_share_of_searches_that_are_as_good() -> None:
    scores = np.array([[0.0, 1.0], [1.0, 4.0]])
    assert profile(scores, [0.0, 0.5, 1.0, 4.0]).tolist() == [0.25, 0.25, 0.75, 1.0]


def test_the_bootstrap_draws_seeds_within_each_table() -> None:
    """Two tables without spread of their own: no draw can mix them, so the interval is a point."""
    scores = np.array([[1.0] * 4, [5.0] * 4])
    low, high = interval(interquartile_mean, scores, draws=50)
    assert low == high == 3.0
    low, high = interval(interquartile_mean, np.array([[0.0, 1.0] * 10]), draws=400)
    assert 0.0 <= low < 0.5 < high <= 1.0


@pytest.mark.parametrize("seeds", [10, 20])
def test_intervals_hold_the_true_mean_about_as_often_as_they_say(seeds: int) -> None:
    """The percentile bootstrap is a little too narrow with few seeds: 83 to 99 of 100 here."""
    rng = np.random.default_rng(seeds)
    held = 0
    for _ in range(120):
        scores = rng.normal(size=(3, seeds))
        low, high = interval(interquartile_mean, scores, draws=150)
        held += bool(low <= 0.0 <= high)
    assert 0.83 <= held / 120 <= 0.99
