"""A user's function as an evaluator: sees each architecture once, and cannot break a search."""

import logging
import math
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas_env.errors import ChildOutOfMemory, DatasetNotFoundError
from nas_env.evaluation.callable_evaluator import CallableEvaluator
from nas_env.evaluation.evaluation import Failure
from nas_env.space.choices import ChoiceArchitecture
from nas_env.space.layout import Architecture

ARCHITECTURES = [ChoiceArchitecture({"units": units}) for units in (8, 16)]


def test_function_is_called_with_architecture_and_its_own_seed() -> None:
    seen: list[tuple[Architecture, int]] = []

    def function(architecture: Architecture, seed: int) -> float:
        seen.append((architecture, seed))
        return 0.5

    evaluations = CallableEvaluator(function).evaluate(ARCHITECTURES, run_seed=0)
    assert [architecture for architecture, _ in seen] == ARCHITECTURES
    assert [seed for _, seed in seen] == [evaluation.seed for evaluation in evaluations]
    assert len({seed for _, seed in seen}) == 2
    assert [evaluation.metric for evaluation in evaluations] == [0.5, 0.5]


def test_seed_follows_run_seed_and_architecture_alone() -> None:
    evaluator = CallableEvaluator(lambda architecture, seed: 0.0)
    first = [item.seed for item in evaluator.evaluate(ARCHITECTURES, run_seed=0)]
    reversed_ = [item.seed for item in evaluator.evaluate(ARCHITECTURES[::-1], run_seed=0)]
    other = [item.seed for item in evaluator.evaluate(ARCHITECTURES, run_seed=1)]
    assert first == reversed_[::-1]
    assert not set(first) & set(other)


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (RuntimeError("two\nlines"), "error"),
        (MemoryError("no room"), "out_of_memory"),
        (ChildOutOfMemory("no room"), "out_of_memory"),
        (ZeroDivisionError("by zero"), "error"),
    ],
)
def test_an_exception_is_a_typed_failure_of_that_child_alone(
    error: Exception, failure: Failure
) -> None:
    def function(architecture: Any, seed: int) -> float:
        if architecture["units"] == 8:
            raise error
        return 1.0

    bad, good = CallableEvaluator(function).evaluate(ARCHITECTURES, run_seed=0)
    assert (bad.state, bad.failure, bad.metric) == ("failed", failure, None)
    assert str(error).split()[0] in bad.message
    assert "\n" not in bad.message
    assert good.metric == 1.0


@pytest.mark.parametrize("metric", [math.nan, math.inf])
def test_a_metric_that_is_not_finite_is_divergence(metric: float) -> None:
    evaluation = CallableEvaluator(lambda *_: metric).evaluate(ARCHITECTURES[:1], run_seed=0)[0]
    assert (evaluation.metric, evaluation.failure) == (None, "diverged")


def test_missing_data_and_ctrl_c_reach_the_caller() -> None:
    for error in (DatasetNotFoundError("no data"), KeyboardInterrupt()):

        def function(architecture: Architecture, seed: int, error: Any = error) -> float:
            raise error

        with pytest.raises(type(error)):
            CallableEvaluator(function).evaluate(ARCHITECTURES, run_seed=0)


def test_numbers_of_other_libraries_come_out_as_python_floats() -> None:
    evaluator = CallableEvaluator(lambda *_: np.float32(0.25))  # type: ignore[arg-type]
    assert type(evaluator.evaluate(ARCHITECTURES[:1], 0)[0].metric) is float


@pytest.mark.parametrize("metric", ["0.75", b"0.75", None, [0.75], 1j, np.array("0.75")])
def test_a_metric_that_is_no_number_is_a_failure_that_says_so(metric: Any) -> None:
    evaluation = CallableEvaluator(lambda *_: metric).evaluate(ARCHITECTURES[:1], 0)[0]
    assert (evaluation.state, evaluation.failure, evaluation.metric) == ("failed", "error", None)
    assert f"must be a real number, got {type(metric).__name__}" in evaluation.message


def test_an_evaluator_that_leaves_python_is_a_failure_of_that_child() -> None:
    def function(architecture: Any, seed: int) -> float:
        sys.exit("I have had enough")

    for evaluation in CallableEvaluator(function).evaluate(ARCHITECTURES, 0):
        assert evaluation.failure == "error"
        assert evaluation.message == "SystemExit: I have had enough"


def test_an_exception_that_cannot_be_printed_is_a_failure_of_that_child() -> None:
    class SilentError(RuntimeError):
        def __str__(self) -> str:
            raise ValueError("no text")

    def function(architecture: Any, seed: int) -> float:
        raise SilentError

    (evaluation,) = CallableEvaluator(function).evaluate(ARCHITECTURES[:1], 0)
    assert evaluation.message == "SilentError: (its text raises ValueError)"


def test_metric_name_is_the_users() -> None:
    evaluator = CallableEvaluator(lambda *_: 70.0, metric_name="perplexity")
    assert evaluator.metric_name == "perplexity"
    assert evaluator.evaluate(ARCHITECTURES[:1], 0)[0].metric_name == "perplexity"


def test_a_message_that_is_not_valid_text_can_still_be_stored() -> None:
    def function(architecture: Any, seed: int) -> float:
        raise RuntimeError("bad \udcff byte " * 1000)

    message = CallableEvaluator(function).evaluate(ARCHITECTURES[:1], 0)[0].message
    assert message.startswith("RuntimeError: bad ? byte")
    assert len(message.encode()) <= 500


def test_an_unforeseen_error_is_explained_once_not_for_every_child(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def function(architecture: Any, seed: int) -> float:
        raise LookupError(f"no width in {architecture}")

    evaluator = CallableEvaluator(function)
    with caplog.at_level(logging.WARNING):
        evaluations = [*evaluator.evaluate(ARCHITECTURES, 0), *evaluator.evaluate(ARCHITECTURES, 1)]
    assert [evaluation.failure for evaluation in evaluations] == ["error"] * 4
    (record,) = caplog.records
    assert record.exc_info is not None


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_that_an_evaluator_makes_does_not_go_on_with_the_search(tmp_path: Path) -> None:
    def function(architecture: Any, seed: int) -> float:
        fork = os.fork()
        if fork:
            os.waitpid(fork, 0)
        return float(bool(fork))

    evaluation = CallableEvaluator(function).evaluate(ARCHITECTURES[:1], 0)[0]
    with (tmp_path / "went on").open("a") as file:
        file.write("once\n")
    assert (evaluation.metric, (tmp_path / "went on").read_text()) == (1.0, "once\n")
