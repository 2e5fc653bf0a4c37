"""Statistics against values worked out by hand, against SciPy, and where the truth is known."""

import numpy as np
import pytest
from scipy import stats

from agents.ranking.statistics import (
    Figure,
    between_repeats,
    bootstrap,
    hit_rate,
    kendall,
    mean_over_repeats,
    partial,
    partial_of_ranks,
    pearson,
    ranks,
    spearman,
)

X = np.array([1.0, 2.0, 3.0, 4.0])
Y = np.array([1.0, 3.0, 2.0, 10.0])


def test_correlations_by_hand() -> None:
    # Ranks of Y are 1, 3, 2, 4: 1 - 6 * (0 + 1 + 1 + 0) / (4 * 15) = 0.8; 5 pairs agree, 1 not.
    assert spearman(X, Y) == pytest.approx(0.8)
    assert kendall(X, Y) == pytest.approx(4 / 6)
    # Deviations (-1.5, -.5, .5, 1.5) and (-3, -1, -2, 6): 13 / sqrt(5 * 50).
    assert pearson(X, Y) == pytest.approx(13 / 250**0.5)


def test_equal_values_share_their_ranks() -> None:
    assert ranks(np.array([5.0, 1.0, 5.0, 9.0])).tolist() == [2.5, 1.0, 2.5, 4.0]


def test_correlations_agree_with_scipy_where_values_are_tied() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 8, (2, 40)).astype(float)
    assert pearson(x, y) == pytest.approx(stats.pearsonr(x, y).statistic)
    assert spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic)
    assert kendall(x, y) == pytest.approx(stats.kendalltau(x, y).statistic)


def test_a_constant_score_orders_nothing() -> None:
    flat = np.ones(4)
    assert np.isnan([pearson(X, flat), spearman(flat, X), kendall(X, flat)]).all()
    assert str(Figure(pearson(X, flat))) == "-"


def test_partial_correlation_is_that_of_the_residuals() -> None:
    rng = np.random.default_rng(1)
    size, x = rng.normal(size=(2, 30))
    y = x + 2 * size + rng.normal(size=30)
    left_x, left_y = (v - np.polyval(np.polyfit(size, v, 1), size) for v in (x, y))
    assert partial(x, y, size) == pytest.approx(pearson(left_x, left_y))
    assert partial_of_ranks(x, y, size) == pytest.approx(partial(ranks(x), ranks(y), ranks(size)))


def test_size_explains_a_correlation_away() -> None:
    rng = np.random.default_rng(2)
    size = rng.normal(size=4000)
    short, long = size + rng.normal(size=(2, 4000))
    assert pearson(short, long) == pytest.approx(0.5, abs=0.05)
    assert partial(short, long, size) == pytest.approx(0.0, abs=0.05)


def test_repeats_are_averaged_and_gaps_left_out() -> None:
    long = np.array([1.0, 2.0, 3.0, 4.0, np.nan])
    short = np.array([[1.0, 4.0], [2.0, 3.0], [3.0, 2.0], [4.0, 2.0], [9.0, 9.0]])
    second = pearson(short[:4, 1], long[:4])
    assert mean_over_repeats(pearson, short, long) == pytest.approx((1.0 + second) / 2)
    short[0, 1] = np.nan  # three are left: too few
    assert mean_over_repeats(pearson, short, long) == pytest.approx(1.0)


def test_between_repeats_is_the_mean_over_pairs() -> None:
    table = np.array([[1.0, 1.0, 4.0], [2.0, 2.0, 3.0], [3.0, 3.0, 2.0], [4.0, 4.0, 1.0]])
    assert between_repeats(table) == pytest.approx((1 - 1 - 1) / 3)
    assert np.isnan(between_repeats(table[:, :1]))


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Short and long scores share the true quality, so that their correlation is 0.7."""
    rng, held = np.random.default_rng(3), 0
    for trial in range(60):
        quality = rng.normal(size=32)
        noise = (1 / 0.7 - 1) ** 0.5
        short, long = quality + noise * rng.normal(size=(2, 32))
        figure = bootstrap(lambda at, x=short, y=long: pearson(x[at], y[at]), 32, trial)  # type: ignore[misc]
        held += figure.low <= 0.7 <= figure.high
    assert 51 <= held <= 60  # 95% of 60 is 57


def test_the_interval_of_a_perfect_score_is_a_point() -> None:
    figure = bootstrap(lambda at: spearman(X[at], X[at] ** 3), 4)
    assert [figure.value, figure.low, figure.high] == pytest.approx([1.0] * 3)
    assert str(figure) == "1.00 (1.00 to 1.00)"
    assert str(Figure(-0.05, -0.3, 0.2)) == "-.05 (-.30 to .20)"


@pytest.mark.parametrize("count", [20, 200])
def test_picks_by_a_perfect_score_always_hit_and_by_a_blind_one_by_chance(count: int) -> None:
    rng = np.random.default_rng(4)
    long = rng.normal(size=count)
    assert hit_rate(long, long) == 1.0
    assert hit_rate(-long, long) == 0.0
    blind = [hit_rate(rng.normal(size=count), long, seed=n) for n in range(60)]
    assert np.mean(blind) == pytest.approx(0.1, abs=0.07)
