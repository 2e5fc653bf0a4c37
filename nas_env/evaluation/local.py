"""The local executor: children train in this process, one after another. For debugging."""

import math
from collections.abc import Iterator, Sequence

from nas_env.evaluation.evaluation import Evaluation
from nas_env.evaluation.evaluator import Job, Task, time_limit_of
from nas_env.evaluation.failures import run_here
from nas_env.evaluation.pool.room import places_of
from nas_env.system.machine import machine_memory_mb
from nas_env.system.threads import limit_torch_threads, one_torch_thread


class LocalExecutor:
    """Runs jobs in this process with one torch thread, as the worker processes do."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._prepared = False

    def run(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Evaluation]]:
        """Yield (index into ``jobs``, evaluation), in order.

        Raises:
            DatasetNotFoundError: the task's data are missing.
        """
        for index, job in enumerate(jobs):
            with one_torch_thread():
                self._prepare()
                evaluation = run_here(self._task.run, job, self._task.metric_name)
            yield index, evaluation

    def granted(self, failure: str) -> float:
        """See ``nas_env.evaluation.grants.Grants``."""
        if failure == "timeout":
            return time_limit_of(self._task) or math.inf
        places = places_of(self._task)
        return places.capacity_mb if places.on_gpus else machine_memory_mb()

    def close(self) -> None:
        """Nothing to release; the next run works again."""

    def _prepare(self) -> None:
        if not self._prepared:
            self._task.prepare()
            self._prepared = True
        limit_torch_threads()  # preparing may have been what loaded torch
