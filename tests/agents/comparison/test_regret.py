"""Normalised regret of searches on a table, by hand."""

import numpy as np
import pytest

from agents.comparison.regret import regrets, worths
from agents.records.trace import Trace
from nas_env.errors import ConfigurationError
from nas_env.space.choices import ChoiceSpace
from nas_env.tables.table import Table

SPACE = ChoiceSpace({"a": [0, 1], "b": [0, 1]})
METRICS = np.array([[0.1, 0.3], [0.9, 0.1], [0.7, 0.8], [0.3, 0.4]])  # worth .2, .5, .75, .35


def trace(tokens: list[list[int]], rewards: list[float]) -> Trace:
    values = np.array(rewards)
    count = np.arange(len(rewards))
    return Trace("x", 0, count, values, values, values, np.array(tokens, np.int16), "accuracy")


def test_what_was_found_is_worth_its_mean_and_not_its_lucky_training() -> None:
    table = Table(SPACE, METRICS, "accuracy")
    found = trace([[0, 0], [0, 1], [1, 0], [1, 1]], [0.3, 0.9, 0.8, 0.4])
    best, average = 0.75, 0.45
    expected = [(best - w) / (best - average) for w in (0.2, 0.5, 0.5, 0.5)]
    np.testing.assert_allclose(regrets(table, [found]), [expected])


def test_a_low_perplexity_is_worth_much() -> None:
    np.testing.assert_allclose(
        worths(Table(SPACE, METRICS, "perplexity")), [-0.2, -0.5, -0.75, -0.35]
    )


def test_a_member_that_always_failed_is_worth_the_least_and_one_that_did_once_its_other() -> None:
    metrics = METRICS.copy()
    metrics[1] = np.nan
    metrics[2, 0] = np.nan
    np.testing.assert_allclose(worths(Table(SPACE, metrics, "accuracy")), [0.2, 0.2, 0.8, 0.35])


def test_an_infinite_perplexity_counts_as_a_failure_as_an_environment_counts_it() -> None:
    metrics = METRICS.copy()
    metrics[2, 0] = np.inf
    found = worths(Table(SPACE, metrics, "perplexity"))
    np.testing.assert_allclose(found, [-0.2, -0.5, -0.8, -0.35])


def test_a_table_without_a_difference_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="worth the same"):
        worths(Table(SPACE, np.ones((4, 2)), "accuracy"))
