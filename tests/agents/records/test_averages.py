"""Means over seeds and their intervals, against figures worked out by hand and by simulation."""

import math

import numpy as np
import pytest

from agents.records.averages import across_seeds, estimate, half_width


def test_standard_error_is_the_sample_deviation_over_root_n() -> None:
    found = estimate([1.0, 2.0, 3.0, 4.0])
    assert found.mean == 2.5
    assert found.standard_error == pytest.approx(math.sqrt(5 / 3) / 2)


@pytest.mark.parametrize(("seeds", "quantile"), [(2, 12.706), (5, 2.776), (20, 2.093)])
def test_half_of_an_interval_is_students_t_times_the_standard_error(
    seeds: int, quantile: float
) -> None:
    values = np.arange(float(seeds))[:, None]
    error = values.std(ddof=1) / math.sqrt(seeds)
    assert half_width(values)[0] == pytest.approx(quantile * error, rel=1e-3)


@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
def test_a_band_holds_the_true_mean_95_times_in_100(seeds: int) -> None:
    """20,000 simulated comparisons; the standard error of the share is .0015."""
    curves = np.random.default_rng(seeds).normal(0.7, 0.05, (seeds, 20_000))
    band = across_seeds(curves, range(1, 20_001))
    assert band.edges is not None
    low, high = (np.array(edge) for edge in band.edges)
    assert np.mean((low <= 0.7) & (high >= 0.7)) == pytest.approx(0.95, abs=0.006)


def test_a_band_is_where_every_seed_has_a_value() -> None:
    band = across_seeds([np.array([math.nan, 1.0, 2.0]), np.array([5.0, 3.0])], (10, 20, 30))
    assert (band.checkpoints, band.mean.tolist()) == ((20,), [2.0])


def test_a_single_seed_has_a_line_and_no_band() -> None:
    band = across_seeds([np.array([1.0, 2.0])], (1, 2))
    assert band.mean.tolist() == [1.0, 2.0] and band.edges is None
