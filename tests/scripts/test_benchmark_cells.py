"""The benchmark of recurrent cells pairs equal parameter counts and meets its floor."""

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
    assert measured["first_step_extra_ms"]["median"] < 50


@pytest.mark.slow
@pytest.mark.parametrize(("size", "least"), [(128, 0.6), (256, 0.7)])
def test_cells_keep_up_with_torch_lstm_without_a_compile_for_each(size: int, least: float) -> None:
    figures = run(CellOptions(hidden_sizes=(size,), cells=5, naive_cells=0))
    sizes = figures["hidden_size"]
    assert isinstance(sizes, dict)
    assert sizes[str(size)]["random_cell_speed"]["median"] > least
    assert sizes[str(size)]["first_step_extra_ms"]["median"] < 50
