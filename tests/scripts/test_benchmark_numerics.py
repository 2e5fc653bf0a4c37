"""The benchmark of arithmetics compares the same children, and counts differences as it says."""

import numpy as np
import pytest

from scripts.benchmarks.measure import random_children
from scripts.benchmarks.numerics import NumericsOptions, accuracies, run, spread


def test_differences_by_hand() -> None:
    first = np.array([[0.5, 0.6], [0.7, 0.9], [0.1, 0.2]])
    second = np.array([[0.5, 0.5], [0.9, 0.9], [0.1, 0.5]])
    found = spread(first, second)
    # |differences| are 0, .1, .2, 0, 0, .3; means rank 2, 3, 1 and 2, 3, 1.
    assert found == pytest.approx({"median": 0.05, "largest": 0.3, "spearman": 1.0})


def test_every_arithmetic_trains_the_same_children(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.benchmarks.numerics.NUMERICS", ("float32", "float32"))
    options = NumericsOptions(networks=2, num_layers=1, recipe='{"train_images": 64}')
    found = run(options)
    assert found["absolute_difference"]["float32 and float32"]["largest"] == 0.0  # type: ignore[index]
    assert found["absolute_difference"]["two seeds"]["largest"] > 0.0  # type: ignore[index]
    table = accuracies("float32", random_children(2, 1, 0), options)
    assert table.tolist() == found["accuracies"]["float32"]  # type: ignore[index]
