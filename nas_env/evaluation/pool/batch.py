"""The children of one ``run`` of the pool: which wait, which must train alone, which are done.

Whose fault decides. A child whose worker dies, or meets a full disk or a device out of order, is
tried again on another worker, the last time alone; after that it has no result. A child that runs
out of memory may be its neighbours' victim: it trains once more, alone in a new worker, before that
is its result.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from nas_env.evaluation.evaluation import Evaluation, Failure
from nas_env.evaluation.evaluator import Job, Task
from nas_env.evaluation.failures import failed, worth_another_try
from nas_env.evaluation.pool.order import largest_first
from nas_env.evaluation.pool.room import memory_of

TRIES = 3
"""Of a child that the machine keeps from a result; the last one is alone."""


@dataclass
class Batch:
    """The jobs of one ``run`` and where they stand.

    Attributes:
        jobs: what to train.
        task: how.
        pending: indices of jobs that wait for a worker, the largest first.
        alone: those that wait until no other trains.
        finished: outcomes that nobody has taken yet.
        unfinished: jobs without an outcome.
        memory_mb: estimate for each job, 0 if unknown.
    """

    jobs: Sequence[Job]
    task: Task
    pending: deque[int] = field(default_factory=deque)
    alone: deque[int] = field(default_factory=deque)
    finished: deque[tuple[int, Evaluation]] = field(default_factory=deque)
    unfinished: int = 0
    memory_mb: list[float] = field(default_factory=list)
    _tries: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pending.extend(largest_first(self.jobs, getattr(self.task, "cost", None)))
        self.memory_mb = [memory_of(self.task, job) for job in self.jobs]
        self._tries = [0] * len(self.jobs)
        self.unfinished = len(self.jobs)

    @property
    def together(self) -> int:
        """Unfinished jobs that may train beside others."""
        return self.unfinished - len(self.alone)

    def take(self, evaluation: Evaluation, index: int, alone: bool) -> bool:
        """A worker says how a child ended; whether that worker can be used again."""
        if worth_another_try(evaluation):
            self._again(index, evaluation)
            return False
        if evaluation.failure == "out_of_memory" and not alone:
            self.alone.append(index)
        else:
            self._finish(index, evaluation)
        return True

    def fail(
        self, index: int, failure: Failure, message: str, alone: bool, missing: bool = False
    ) -> None:
        """The pool says how a child ended, whose worker is gone."""
        job, metric_name = self.jobs[index], self.task.metric_name
        self.take(failed(job, metric_name, failure, message, missing), index, alone)

    def _again(self, index: int, evaluation: Evaluation) -> None:
        self._tries[index] += 1
        if self._tries[index] >= TRIES:
            self._finish(index, evaluation)
        elif self._tries[index] == TRIES - 1:
            self.alone.append(index)
        else:
            self.pending.appendleft(index)

    def _finish(self, index: int, evaluation: Evaluation) -> None:
        self.finished.append((index, evaluation))
        self.unfinished -= 1
