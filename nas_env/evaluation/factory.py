"""From the words of a command line or ``gym.make`` to an evaluator."""

from pathlib import Path

from nas_env.checks import near_miss, shown
from nas_env.errors import ConfigurationError
from nas_env.evaluation.callable_evaluator import CallableEvaluator
from nas_env.evaluation.evaluator import Evaluator, Executor, MetricFunction, Task
from nas_env.evaluation.local import LocalExecutor
from nas_env.evaluation.store import EvaluationStore, open_store
from nas_env.evaluation.stored_evaluator import StoredEvaluator

EXECUTORS = ("local", "process")


def make_evaluator(
    task: Task,
    evaluator: str = "local",
    workers: int | None = None,
    store: str | Path | EvaluationStore | None = None,
) -> StoredEvaluator:
    """An evaluator of ``task`` with cache, store and executor.

    Args:
        task: how a child is trained.
        evaluator: ``"local"`` (this process) or ``"process"`` (long-lived worker processes).
        workers: number of worker processes; None = as many as there are cores to use.
        store: path of an SQLite file, created if missing, shared by any number of processes.

    Raises:
        ConfigurationError: an unknown evaluator, or a number of workers that cannot be.
        StoreError: the store cannot be opened.
    """
    return StoredEvaluator(task, make_executor(task, evaluator, workers), open_store(store))


def make_executor(task: Task, evaluator: str = "local", workers: int | None = None) -> Executor:
    """The executor of that name; it starts nothing before it runs something."""
    if workers is not None and (isinstance(workers, bool) or workers < 1):
        raise ConfigurationError(f"workers must be at least 1, or None for all cores: {workers!r}.")
    if evaluator == "local":
        return LocalExecutor(task)
    if evaluator == "process":
        from nas_env.evaluation.pool.process_pool import ProcessExecutor

        return ProcessExecutor(task, workers)
    hint = near_miss(evaluator, EXECUTORS)
    raise ConfigurationError(
        f"Unknown evaluator {shown(evaluator)}. Allowed: {', '.join(map(repr, EXECUTORS))}, or a "
        f"callable (architecture, seed) -> metric.{hint}"
    )


def callable_evaluator(function: MetricFunction) -> Evaluator:
    """An evaluator that calls ``function(architecture, seed)`` in this process."""
    if not callable(function):
        raise ConfigurationError(f"Not a callable (architecture, seed) -> metric: {function!r}.")
    return CallableEvaluator(function)
