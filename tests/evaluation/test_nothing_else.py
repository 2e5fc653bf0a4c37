"""One training, whatever surrounds it: the metric is the same to the last bit.

Executor, number of workers, limits and neighbours are the states here; those of torch are in
``tests/training/test_clean_state.py``.
"""

from collections.abc import Callable

import pytest

from nas_env.evaluation.evaluation import Evaluation
from nas_env.evaluation.evaluator import Executor
from nas_env.evaluation.local import LocalExecutor
from nas_env.evaluation.pool.process_pool import ProcessExecutor, WorkerLimits
from nas_env.evaluation.stored_evaluator import StoredEvaluator
from nas_env.space.conv_architecture import ConvArchitecture, Convolution
from nas_env.space.layout import Architecture
from nas_env.tasks.image_task import ImageTask

RECIPE = {"name": "quick", "train_images": 256, "valid_images": 128, "numerics": "float32"}


def network(filters: int) -> ConvArchitecture:
    return ConvArchitecture((Convolution(3, 3, filters, inputs=(0,)),))


def task(**changes: float) -> ImageTask:
    return ImageTask("digits", recipe={**RECIPE, **changes}, device="cpu")


def train(executor: Executor, of: ImageTask, *filters: int) -> list[Evaluation]:
    evaluator = StoredEvaluator(of, executor)
    try:
        batch: list[Architecture] = [network(count) for count in filters]
        return evaluator.evaluate(batch, 0)
    finally:
        evaluator.close()


@pytest.fixture(scope="module")
def reference() -> float:
    metric = train(LocalExecutor(task()), task(), 8)[0].metric
    assert metric is not None
    return metric


STATES: dict[str, Callable[[], tuple[ImageTask, Executor]]] = {
    "again": lambda: (task(), LocalExecutor(task())),
    "a higher limit of time": lambda: (
        task(time_limit_s=1e6),
        LocalExecutor(task(time_limit_s=1e6)),
    ),
    "one worker": lambda: (task(), ProcessExecutor(task(), 1)),
    "three workers": lambda: (task(), ProcessExecutor(task(), 3)),
    "workers with limits of their own": lambda: (
        task(),
        ProcessExecutor(task(), 2, WorkerLimits(time_limit_s=900.0, memory_limit_mb=4000.0)),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("state", STATES)
def test_executor_workers_and_limits_change_no_bit(state: str, reference: float) -> None:
    of, executor = STATES[state]()
    first = train(executor, of, 24, 8, 16, 12)[1]
    assert (first.metric, first.failure) == (reference, "")


def test_neighbours_and_order_change_no_bit(reference: float) -> None:
    for filters in ((8, 12), (12, 8)):
        metrics = [item.metric for item in train(LocalExecutor(task()), task(), *filters)]
        assert metrics[filters.index(8)] == reference


def test_a_limit_of_estimated_memory_is_a_refusal_and_part_of_the_identity() -> None:
    """It decides before anything is built, the same on every machine: who grants more, trains."""
    refused = train(LocalExecutor(task(max_memory_mb=0.001)), task(max_memory_mb=0.001), 8)[0]
    assert (refused.failure, refused.missing) == ("too_large", False)
    assert task(max_memory_mb=0.001).key() != task(max_memory_mb=4000.0).key()
    assert task(time_limit_s=1.0).key() == task(time_limit_s=2.0).key(), "this one decides nothing"
