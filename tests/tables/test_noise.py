"""Regret against the mean of all trainings, and how much of a difference is luck."""

import math
from typing import Any

import numpy as np
import pytest

from nas_env.tables.file import read_table, space_from_json
from nas_env.tables.noise import best_mean, mean_metrics, noise_of, regrets
from nas_env.tables.table import Table

SPACE = space_from_json({"kind": "choices", "choices": {"a": [0, 1], "b": [0, 1]}})
METRICS = np.array([[0.9, 0.5], [0.8, 0.8], [0.1, 0.3], [np.nan, 0.6]])


def table(metrics: Any = METRICS, name: Any = "accuracy") -> Table:
    return Table(SPACE, np.asarray(metrics), name)


def test_a_member_is_told_by_the_mean_of_its_trainings_not_by_its_luckiest() -> None:
    assert mean_metrics(table()).tolist() == pytest.approx([0.7, 0.8, 0.2, 0.6])
    assert best_mean(table()) == pytest.approx(0.8)
    assert regrets(table()).tolist() == pytest.approx([0.1, 0.0, 0.6, 0.2])


def test_of_a_perplexity_less_is_better() -> None:
    ppl = table(100 * (1 - METRICS), "perplexity")
    assert best_mean(ppl) == pytest.approx(20)
    assert regrets(ppl).tolist() == pytest.approx([10, 0, 60, 20])
    assert noise_of(ppl).best_single == pytest.approx(10)


def test_what_failed_every_time_has_no_regret() -> None:
    found = regrets(table([[0.5, 0.5], [np.nan, np.nan], [0.1, 0.1], [0.2, 0.2]]))
    assert math.isnan(found[1]) and found[0] == 0
    nothing = noise_of(table(np.full((4, 2), np.nan)))
    assert math.isnan(nothing.best_mean) and math.isnan(nothing.regret_of_best)


def test_the_best_single_training_is_told_apart_from_the_best_member() -> None:
    noise = noise_of(table())
    assert [noise.best_single, noise.best_mean] == pytest.approx([0.9, 0.8])
    # The first trainings choose member 0 (regret .1), the second member 1 (0): .05 on average.
    assert noise.regret_of_best == pytest.approx(0.05)
    # The best tenth of three whole members is one: .8 and .8 do not differ.
    assert noise.standard_error == 0
    assert noise_of(table(METRICS[[0, 0, 0, 0]])).standard_error == pytest.approx(
        math.sqrt(0.08) / math.sqrt(2)
    )


def test_one_training_tells_no_noise() -> None:
    noise = noise_of(table(METRICS[:, 1:]))
    assert noise.best_mean == noise.best_single == 0.8
    assert all(map(math.isnan, (noise.standard_error, noise.agreement, noise.regret_of_best)))


def test_choosing_the_top_does_not_make_trainings_disagree() -> None:
    """Chosen by their mean, the best of pure signal and noise would seem to correlate less."""
    rng = np.random.default_rng(0)
    names = {name: [0, 1, 2] for name in "abcdefgh"}
    space = space_from_json({"kind": "choices", "choices": names})
    worth = rng.normal(size=(space.size, 1)) + 0.5 * rng.normal(size=(space.size, 3))
    noise = noise_of(Table(space, worth))
    assert noise.agreement == pytest.approx(0.8, abs=0.02)
    (share, top), _ = noise.agreement_of_top
    rows = np.argsort(worth.mean(axis=1))[-round(share * space.size) :]
    by_mean = np.corrcoef(worth[rows, 0], worth[rows, 1])[0, 1]
    assert by_mean < 0.3 < 0.4 < top < noise.agreement


def test_the_digits_table_cannot_tell_its_best_apart() -> None:
    """The figures of docs/results/tables.md."""
    noise = noise_of(read_table("digits"))
    assert noise.trainings == 3
    assert f"{noise.best_single:.3f} {noise.best_mean:.3f}" == "0.900 0.875"
    assert f"{noise.standard_error:.3f} {noise.regret_of_best:.3f}" == "0.033 0.013"
    assert f"{noise.agreement:.2f}" == "0.80"
    assert [f"{value:.2f}" for _, value in noise.agreement_of_top] == ["0.60", "0.48"]
    assert "best single training 0.9002" in str(noise) and "0.48 in the best 1%" in str(noise)
