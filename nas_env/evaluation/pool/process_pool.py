"""The process executor: long-lived worker processes, each training one child at a time.

Workers are separate programs, not forks or ``multiprocessing`` children: the user's ``__main__`` is
not imported again, so unguarded scripts and notebooks work. Each loads the data once. The parent
watches time and memory, and replaces a worker that dies, hangs or outgrows its limit; only that
worker's child is affected.
"""

import os
import pickle
import queue
import time
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import cloudpickle  # type: ignore[import-untyped]

from nas_env.errors import ExecutorError
from nas_env.evaluation.evaluation import Evaluation, Failure
from nas_env.evaluation.evaluator import Job, Task
from nas_env.evaluation.failures import failed
from nas_env.evaluation.pool.messages import Message
from nas_env.evaluation.pool.order import largest_first
from nas_env.evaluation.pool.worker_process import Events, WorkerProcess, WorkerState
from nas_env.system.machine import available_cores, worker_memory_limit_mb

_TICK_S = 0.2  # how often limits are looked at
_ASLEEP_S = 5.0  # a gap between two looks that says that nobody was looking
_LAST_WORDS_S = 0.5  # what a dead worker wrote is read by then
_ATTEMPTS = 2  # a child whose worker dies is tried once more
_FAILED_STARTS = 3  # in a row, until the pool gives up
_STARTING = (WorkerState.STARTING, WorkerState.LOADED, WorkerState.PREPARING)


@dataclass(frozen=True)
class WorkerLimits:
    """When the parent steps in.

    Attributes:
        time_limit_s: seconds a child may train; None = the limit of the task or of its recipe.
        grace_s: how much longer the parent waits, so that a task that keeps the time itself comes
            first.
        memory_limit_mb: resident memory of one worker in MiB; None = 80% of the machine's, shared.
        start_timeout_s: for the process to start and import.
        prepare_timeout_s: for loading data, which may include a download.
    """

    time_limit_s: float | None = None
    grace_s: float = 30.0
    memory_limit_mb: float | None = None
    start_timeout_s: float = 120.0
    prepare_timeout_s: float = 3600.0


@dataclass
class _Batch:
    """The jobs of one ``run`` and where they stand."""

    jobs: Sequence[Job]
    task: Task
    pending: deque[int] = field(default_factory=deque)
    attempts: list[int] = field(default_factory=list)
    finished: deque[tuple[int, Evaluation]] = field(default_factory=deque)
    unfinished: int = 0

    def __post_init__(self) -> None:
        self.pending.extend(largest_first(self.jobs, getattr(self.task, "cost", None)))
        self.attempts = [0] * len(self.jobs)
        self.unfinished = len(self.jobs)

    def finish(self, index: int, evaluation: Evaluation) -> None:
        self.finished.append((index, evaluation))
        self.unfinished -= 1


class ProcessExecutor:
    """Runs jobs of one task in worker processes, started on first use.

    Args:
        task: how a child is trained; sent to each worker once. Tasks defined in ``__main__`` work.
        workers: number of processes; None = the task's ``suggested_workers`` if it has them, else
            the cores that this process may use.
        limits: time and memory limits.
    """

    def __init__(
        self, task: Task, workers: int | None = None, limits: WorkerLimits | None = None
    ) -> None:
        limits = limits or WorkerLimits()
        self._task = task
        self.workers = workers or getattr(task, "suggested_workers", None) or available_cores()
        self._limits = limits
        self._memory_limit_mb = limits.memory_limit_mb or worker_memory_limit_mb(self.workers)
        self._time_limit_s = limits.time_limit_s
        self._events: Events = queue.SimpleQueue()
        self._pool: list[WorkerProcess] = []
        self._owner = os.getpid()
        self._prepared = False  # a worker of this pool has prepared: data and caches are there
        self._failed_starts = 0
        self._last_check = 0.0
        self._current: _Batch | None = None
        self._finalizer = weakref.finalize(self, _kill_all, self._pool, self._owner)

    def run(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Evaluation]]:
        """Yield (index into ``jobs``, evaluation) in the order in which children finish.

        A worker gets its next job before its result is handed out, so none waits for the caller.

        Raises:
            ExecutorError: workers cannot be started.
            DatasetNotFoundError: the task's data are missing.
        """
        self._time_limit_s = self._limits.time_limit_s or _time_limit_of(self._task)
        self._forget_foreign_workers()
        self._kill_busy()  # left over if an earlier run was not read to its end
        self._last_check, self._failed_starts = time.monotonic(), 0
        batch = self._current = _Batch(jobs, self._task)
        try:
            while batch.unfinished or batch.finished:
                self._check_alone(batch)
                self._start_workers(batch)
                self._assign(batch)
                if batch.finished:
                    yield batch.finished.popleft()
                else:
                    self._wait(batch)
        except Exception:
            if self._current is batch:
                self.close()
            raise
        finally:
            if self._current is batch:
                self._kill_busy()  # an interrupted run must leave no child training

    def close(self) -> None:
        """Stop all workers; the next ``run`` starts new ones."""
        self._forget_foreign_workers()
        _kill_all(self._pool, self._owner)

    def _check_alone(self, batch: _Batch) -> None:
        if self._current is not batch:
            raise ExecutorError(
                "Another run of this executor has begun; read one to its end first, or use one "
                "executor for each."
            )

    def _start_workers(self, batch: _Batch) -> None:
        while len(self._pool) < min(self.workers, batch.unfinished):
            try:
                payload = cloudpickle.dumps(self._task)
            except Exception as error:
                raise ExecutorError(
                    f"{type(self._task).__name__} cannot be sent to worker processes "
                    f"({type(error).__name__}: {error}). Use the local evaluator."
                ) from error
            try:
                self._pool.append(WorkerProcess(payload, self._events))
            except OSError as error:
                raise ExecutorError(
                    f"Worker process {len(self._pool) + 1} of {self.workers} cannot be started: "
                    f"{error}. Use fewer workers, or the local evaluator."
                ) from error

    def _assign(self, batch: _Batch) -> None:
        for worker in self._pool:
            if worker.state is WorkerState.READY and batch.pending and not worker.has_ended():
                job = batch.pending.popleft()
                batch.attempts[job] += 1
                worker.begin(job, cloudpickle.dumps(batch.jobs[job]))

    def _wait(self, batch: _Batch) -> None:
        """Handle the next message, if one comes soon; look at the limits now and then."""
        event = self._next_event(batch)
        if event is None or event[0].state is WorkerState.DEAD:  # dead: was killed and replaced
            return
        worker, message = event
        if message is None:
            self._bury(worker, batch)
        elif worker.wrote(message):  # else: a fork of it speaks, or of a child that is over
            self._handle(worker, message.name, message.payload, batch)

    def _next_event(self, batch: _Batch) -> "tuple[WorkerProcess, Message | None] | None":
        """Messages that are there already come first: a finished child is in no limit's reach."""
        with suppress(queue.Empty):
            return self._events.get_nowait()
        idle_s = time.monotonic() - self._last_check
        if idle_s >= _TICK_S:
            if idle_s > _ASLEEP_S:  # the process was stopped, or the caller kept the results
                for worker in self._pool:
                    worker.since += idle_s
            self._check_limits(batch)
            self._last_check = time.monotonic()
        with suppress(queue.Empty):
            return self._events.get(timeout=_TICK_S)
        return None

    def _handle(self, worker: WorkerProcess, name: str, payload: bytes, batch: _Batch) -> None:
        if name == "raise":
            error, trace = pickle.loads(payload)
            raise error from ExecutorError(f"In a worker process:\n{trace}")
        if name == "done" and worker.state is WorkerState.BUSY:
            batch.finish(worker.job, pickle.loads(payload))
            worker.enter(WorkerState.READY)
        elif name == "loaded":
            worker.enter(WorkerState.LOADED)
        elif name == "ready":
            worker.enter(WorkerState.READY)
            self._prepared, self._failed_starts = True, 0
        self._let_prepare()

    def _let_prepare(self) -> None:
        """The first worker prepares alone: it may download, and times the numerics undisturbed."""
        for worker in self._pool:
            alone = all(other.state is not WorkerState.PREPARING for other in self._pool)
            if worker.state is WorkerState.LOADED and (self._prepared or alone):
                worker.enter(WorkerState.PREPARING)
                worker.send("prepare")

    def _bury(self, worker: WorkerProcess, batch: _Batch) -> None:
        """Take a worker that died by itself out of the pool."""
        state, how = worker.state, worker.describe_exit()
        self._remove(worker)
        if state in _STARTING:
            self._count_failed_start(state, how)
        elif state is WorkerState.READY:
            return  # killed while idle: replaced when there is work
        elif batch.attempts[worker.job] < _ATTEMPTS:
            batch.pending.appendleft(worker.job)
        else:
            message = f"The worker process died {_ATTEMPTS} times while training it ({how})."
            self._fail(worker.job, batch, "worker_lost", message)

    def _check_limits(self, batch: _Batch) -> None:
        for worker in list(self._pool):
            state, seconds = worker.state, worker.seconds()
            if self._has_died(worker):
                self._events.put((worker, None))
            elif state is WorkerState.BUSY:
                self._check_child(worker, seconds, batch)
            elif (state is WorkerState.STARTING and seconds > self._limits.start_timeout_s) or (
                state is WorkerState.PREPARING and seconds > self._limits.prepare_timeout_s
            ):
                self._remove(worker)
                self._count_failed_start(state, f"no answer within {seconds:.0f} s")

    def _has_died(self, worker: WorkerProcess) -> bool:
        """Whether a worker is dead although its pipe is open: a process it forked may hold that.

        What it had written before is given a moment to arrive.
        """
        if worker.ended is None:
            worker.ended = time.monotonic() if worker.has_ended() else None
            return False
        return time.monotonic() - worker.ended > _LAST_WORDS_S

    def _check_child(self, worker: WorkerProcess, seconds: float, batch: _Batch) -> None:
        limit = self._time_limit_s
        if limit is not None and seconds > limit + self._limits.grace_s:
            self._remove(worker)
            message = f"Stopped after {seconds:.0f} s; the limit is {limit:g} s."
            self._fail(worker.job, batch, "timeout", message)
            return
        memory = worker.memory_mb()
        if memory > self._memory_limit_mb:
            self._remove(worker)
            if worker.children > 1:  # perhaps what earlier children left behind: try it alone
                batch.attempts[worker.job] -= 1
                batch.pending.appendleft(worker.job)
                return
            message = f"Stopped at {memory:.0f} MiB; the limit is {self._memory_limit_mb:.0f} MiB."
            self._fail(worker.job, batch, "out_of_memory", message)

    def _fail(self, index: int, batch: _Batch, failure: Failure, message: str) -> None:
        batch.finish(index, failed(batch.jobs[index], self._task.metric_name, failure, message))

    def _count_failed_start(self, state: WorkerState, how: str) -> None:
        self._failed_starts += 1
        if self._failed_starts >= _FAILED_STARTS:
            raise ExecutorError(
                f"Worker processes do not start: the last of {_FAILED_STARTS} ended while "
                f"{state.value} ({how}). What they printed is above. The local evaluator needs no "
                "worker processes."
            )
        self._let_prepare()

    def _remove(self, worker: WorkerProcess) -> None:
        worker.kill()
        self._pool.remove(worker)

    def _kill_busy(self) -> None:
        for worker in list(self._pool):
            if worker.state is WorkerState.BUSY:
                self._remove(worker)

    def _forget_foreign_workers(self) -> None:
        """In a fork of the process that started them, workers belong to the other process."""
        if self._owner != os.getpid():
            self._owner, self._pool = os.getpid(), []
            self._events = queue.SimpleQueue()
            self._finalizer = weakref.finalize(self, _kill_all, self._pool, self._owner)


def _time_limit_of(task: Task) -> float | None:
    recipe = getattr(task, "recipe", None)
    limit: float | None = getattr(task, "time_limit_s", getattr(recipe, "time_limit_s", None))
    return limit


def _kill_all(pool: list[WorkerProcess], owner: int) -> None:
    if owner == os.getpid():
        for worker in pool:
            worker.kill()
        pool.clear()
