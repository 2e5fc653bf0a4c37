"""A process executor that is closed whatever the test does."""

from collections.abc import Iterator

import pytest

from nas_env.evaluation.callable_evaluator import CallableTask
from nas_env.evaluation.evaluator import Task
from nas_env.evaluation.pool.process_pool import ProcessExecutor, WorkerLimits
from tests.evaluation.pool.pools import Function, MakePool


@pytest.fixture
def make_pool() -> Iterator[MakePool]:
    made: list[ProcessExecutor] = []

    def build(
        task: Function | Task, workers: int = 2, limits: WorkerLimits | None = None
    ) -> ProcessExecutor:
        task = CallableTask(task, "test") if callable(task) else task
        made.append(ProcessExecutor(task, workers, limits))
        return made[-1]

    yield build
    for pool in made:
        pool.close()
