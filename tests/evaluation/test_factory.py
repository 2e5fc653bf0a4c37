"""Words of a command line become evaluators, or one clear error."""

from pathlib import Path

import pytest

from nas_env.errors import ConfigurationError, StoreError
from nas_env.evaluation.callable_evaluator import CallableTask
from nas_env.evaluation.factory import callable_evaluator, make_evaluator, make_executor
from nas_env.evaluation.local import LocalExecutor
from nas_env.evaluation.pool.process_pool import ProcessExecutor
from nas_env.system.machine import available_cores

TASK = CallableTask(lambda *_: 1.0, "one")


def test_names_give_their_executors() -> None:
    assert isinstance(make_executor(TASK, "local"), LocalExecutor)
    executor = make_executor(TASK, "process", workers=3)
    assert isinstance(executor, ProcessExecutor)
    assert executor.workers == 3


def test_workers_default_to_the_cores_that_can_be_used() -> None:
    executor = make_executor(TASK, "process")
    assert isinstance(executor, ProcessExecutor)
    assert executor.workers == available_cores() >= 1


def test_an_unknown_evaluator_suggests_the_near_miss() -> None:
    with pytest.raises(ConfigurationError, match=r"'proces'.*'local', 'process'.*mean 'process'"):
        make_evaluator(TASK, "proces")


def test_a_name_beyond_all_names_is_cut_in_the_message() -> None:
    with pytest.raises(ConfigurationError) as told:
        make_evaluator(TASK, "process" * 10_000)
    assert len(str(told.value)) < 500


@pytest.mark.parametrize("workers", [0, -1, True])
def test_impossible_numbers_of_workers_are_refused(workers: int) -> None:
    with pytest.raises(ConfigurationError, match="at least 1"):
        make_evaluator(TASK, "process", workers=workers)


def test_a_store_that_cannot_be_used_fails_before_any_training(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is a folder"):
        make_evaluator(TASK, store=tmp_path)


def test_something_that_cannot_be_called_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="Not a callable"):
        callable_evaluator(0.5)  # type: ignore[arg-type]
