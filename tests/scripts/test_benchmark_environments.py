from typing import Any

from scripts.benchmarks.environments import EnvironmentOptions, run


def test_every_figure_of_the_environments_is_measured() -> None:
    options = EnvironmentOptions(num_layers=6, num_envs=(64,), seconds=0.02, repeats=1)
    figures: dict[str, Any] = run(options)
    assert set(figures) == {"single", "table", "vector_64"}
    assert all(value > 0 for group in figures.values() for value in group.values())
