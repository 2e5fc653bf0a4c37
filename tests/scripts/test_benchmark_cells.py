"""The benchmark of recurrent cells pairs equal parameter counts and measures every figure."""

import pytest

from scripts.benchmarks.cells import CellOptions, lstm_hidden_size, run


def test_the_lstm_has_as_many_parameters_as_the_cell() -> None:
    for size in (128, 256, 533):
        hidden = lstm_hidden_size(size, size)
        lstm = 4 * hidden * (size + hidden) + 8 * hidden
        assert lstm == pytest.approx(16 * size * size, rel=0.01)


def test_a_small_run_measures_every_figure() -> None:
    options = CellOptions(hidden_sizes=(16,), cells=2, naive_cells=1, time=4, batch=2, rounds=1)
    figures = run(options)
    sizes = figures["hidden_size"]
    assert isinstance(sizes, dict)
    measured = sizes["16"]
    assert measured["parameters"] == 16 * 16 * 16
    assert measured["nas_cell_speed"] > 0
    for name in ("lstm_ms", "cell_ms", "random_cell_speed", "naive_speed"):
        assert measured[name]["least"] > 0
    assert "median" in measured["first_step_extra_ms"]
