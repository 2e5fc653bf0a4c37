"""The process executor: long-lived worker processes, each training one child at a time.

Workers are separate programs, not forks or ``multiprocessing`` children: the user's ``__main__`` is
not imported again, so unguarded scripts and notebooks work. Each loads the data once. The parent
watches time and memory, and replaces a worker that dies, hangs or outgrows its limit; only that
worker's child is affected. What is then made of the child is decided in ``batch.py``.

No limit depends on the number of workers or on how busy the machine is: a child's time is its own
processor time, and its memory that of the whole machine.
"""

import math
import os
import pickle
import queue
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import cloudpickle  # type: ignore[import-untyped]

from nas_env.errors import ExecutorError
from nas_env.evaluation.evaluation import Evaluation
from nas_env.evaluation.evaluator import Job, Task, time_limit_of
from nas_env.evaluation.pool.batch import Batch
from nas_env.evaluation.pool.messages import Message
from nas_env.evaluation.pool.room import Places, places_of
from nas_env.evaluation.pool.worker_process import Events, WorkerProcess, WorkerState
from nas_env.system.machine import MEMORY_SHARE, available_cores, machine_memory_mb
from nas_env.training.time_limit import PATIENCE

_TICK_S = 0.2  # how often limits are looked at
_ASLEEP_S = 5.0  # a gap between two looks that says that nobody was looking
_LAST_WORDS_S = 0.5  # what a dead worker wrote is read by then
_FAILED_STARTS = 3  # in a row, until the pool gives up
_STARTING = (WorkerState.STARTING, WorkerState.LOADED, WorkerState.PREPARING)


@dataclass(frozen=True)
class WorkerLimits:
    """When the parent steps in.

    Attributes:
        time_limit_s: processor seconds a child may train; None = the limit of the task or of its
            recipe.
        grace_s: how much longer the parent waits, so that a task that keeps the time itself comes
            first.
        patience: a child may take so many times the limit by the clock. What takes longer waits
            for something: it is stopped and has no result.
        memory_limit_mb: resident memory of one worker in MiB; None = 80% of the machine's. However
            many workers there are, a child that needs it has it all, alone.
        start_timeout_s: for the process to start and import.
        prepare_timeout_s: for loading data, which may include a download.
    """

    time_limit_s: float | None = None
    grace_s: float = 30.0
    patience: float = PATIENCE
    memory_limit_mb: float | None = None
    start_timeout_s: float = 120.0
    prepare_timeout_s: float = 3600.0


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
        self._machine_mb = MEMORY_SHARE * machine_memory_mb()
        self._memory_limit_mb = limits.memory_limit_mb or self._machine_mb
        self._time_limit_s = limits.time_limit_s
        self._events: Events = queue.SimpleQueue()
        self._pool: list[WorkerProcess] = []
        self._owner = os.getpid()
        self._prepared = False  # a worker of this pool has prepared: data and caches are there
        self._failed_starts = 0
        self._last_check = 0.0
        self._where: Places | None = None
        self._current: Batch | None = None
        self._solo: WorkerProcess | None = None  # trains a child alone
        self._finalizer = weakref.finalize(self, _kill_all, self._pool, self._owner)

    def run(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Evaluation]]:
        """Yield (index into ``jobs``, evaluation) in the order in which children finish.

        A worker gets its next job before its result is handed out, so none waits for the caller.

        Raises:
            ExecutorError: workers cannot be started.
            DatasetNotFoundError: the task's data are missing.
        """
        self._time_limit_s = self._limits.time_limit_s or time_limit_of(self._task)
        self._forget_foreign_workers()
        self._kill_busy()  # left over if an earlier run was not read to its end
        self._last_check, self._failed_starts = time.monotonic(), 0
        batch = self._current = Batch(jobs, self._task)
        self._solo = None
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

    def granted(self, failure: str) -> float:
        """See ``nas_env.evaluation.grants.Grants``."""
        if failure == "timeout":
            return self._limits.time_limit_s or time_limit_of(self._task) or math.inf
        return self._places.capacity_mb if self._places.on_gpus else self._memory_limit_mb

    @property
    def _places(self) -> Places:
        """Asked for late: a task may have to load torch to count GPUs."""
        if self._where is None:
            self._where = places_of(self._task)
        return self._where

    def close(self) -> None:
        """Stop all workers; the next ``run`` starts new ones."""
        self._forget_foreign_workers()
        _kill_all(self._pool, self._owner)

    def _check_alone(self, batch: Batch) -> None:
        if self._current is not batch:
            raise ExecutorError(
                "Another run of this executor has begun; read one to its end first, or use one "
                "executor for each."
            )

    def _start_workers(self, batch: Batch) -> None:
        """As many as are of use; one new one, and no other, for a child that must be alone."""
        if self._solo is not None and self._solo.state is WorkerState.BUSY:
            return
        if batch.alone and not batch.together:
            if self._solo not in self._pool or (self._solo and self._solo.children):
                self.close()
                self._solo = self._start_worker()
            return
        self._solo = None
        fitting = self._places.most_at_once(batch.memory_mb)
        while len(self._pool) < min(self.workers, batch.together, fitting):
            self._start_worker()

    def _start_worker(self) -> WorkerProcess:
        try:
            payload = cloudpickle.dumps(self._task)
        except Exception as error:
            raise ExecutorError(
                f"{type(self._task).__name__} cannot be sent to worker processes "
                f"({type(error).__name__}: {error}). Use the local evaluator."
            ) from error
        place = self._places.emptiest([worker.place for worker in self._pool])
        try:
            worker = WorkerProcess(payload, self._events, place, self._places.environment(place))
        except OSError as error:
            raise ExecutorError(
                f"Worker process {len(self._pool) + 1} of {self.workers} cannot be started: "
                f"{error}. Use fewer workers, or the local evaluator."
            ) from error
        self._pool.append(worker)
        return worker

    def _assign(self, batch: Batch) -> None:
        for worker in self._pool:
            if worker.state is not WorkerState.READY or worker.has_ended():
                continue
            if self._solo is not None:
                if worker is self._solo and batch.alone and not worker.children:
                    self._begin(worker, batch.alone.popleft(), batch, alone=True)
            elif (job := self._fitting(worker, batch)) is not None:
                batch.pending.remove(job)
                # One worker that has trained nothing yet has the whole machine anyway.
                self._begin(worker, job, batch, self.workers == 1 and not worker.children)

    def _begin(self, worker: WorkerProcess, job: int, batch: Batch, alone: bool) -> None:
        worker.memory_mb_expected = batch.memory_mb[job]
        worker.begin(job, cloudpickle.dumps(batch.jobs[job]), alone)

    def _fitting(self, worker: WorkerProcess, batch: Batch) -> int | None:
        """The first job for which there is room where this worker is."""
        taken = [
            other.memory_mb_expected
            for other in self._pool
            if other.state is WorkerState.BUSY and other.place == worker.place
        ]
        for job in batch.pending:
            if self._places.fits(batch.memory_mb[job], taken):
                return job
        return None

    def _wait(self, batch: Batch) -> None:
        """Handle the next message, if one comes soon; look at the limits now and then."""
        event = self._next_event(batch)
        if event is None or event[0].state is WorkerState.DEAD:  # dead: was killed and replaced
            return
        worker, message = event
        if message is None:
            self._bury(worker, batch)
        elif worker.wrote(message):  # else: a fork of it speaks, or of a child that is over
            self._handle(worker, message.name, message.payload, batch)

    def _next_event(self, batch: Batch) -> "tuple[WorkerProcess, Message | None] | None":
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

    def _handle(self, worker: WorkerProcess, name: str, payload: bytes, batch: Batch) -> None:
        if name == "raise":
            error, trace = pickle.loads(payload)
            raise error from ExecutorError(f"In a worker process:\n{trace}")
        if name == "done" and worker.state is WorkerState.BUSY:
            if batch.take(pickle.loads(payload), worker.job, worker.alone):
                worker.enter(WorkerState.READY)
            else:  # its disk is full, or its device out of order: the next child would fail too
                self._remove(worker)
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

    def _bury(self, worker: WorkerProcess, batch: Batch) -> None:
        """Take a worker that died by itself out of the pool."""
        state, how = worker.state, worker.describe_exit()
        self._remove(worker)
        if state in _STARTING:
            self._count_failed_start(state, how)
        elif state is WorkerState.READY:
            return  # killed while idle: replaced when there is work
        else:
            message = f"The worker process died while training it ({how})."
            batch.fail(worker.job, "worker_lost", message, worker.alone)

    def _check_limits(self, batch: Batch) -> None:
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
        self._check_neighbours(batch)

    def _has_died(self, worker: WorkerProcess) -> bool:
        """Whether a worker is dead although its pipe is open: a process it forked may hold that.

        What it had written before is given a moment to arrive.
        """
        if worker.ended is None:
            worker.ended = time.monotonic() if worker.has_ended() else None
            return False
        return time.monotonic() - worker.ended > _LAST_WORDS_S

    def _check_child(self, worker: WorkerProcess, seconds: float, batch: Batch) -> None:
        limit, job, alone = self._time_limit_s, worker.job, worker.alone
        if limit is not None:
            own = 0.0 if self._places.on_gpus else worker.processor_s()
            if own > limit + self._limits.grace_s:
                self._remove(worker)
                message = f"Stopped after {own:.0f} s of processor time; the limit is {limit:g} s."
                batch.fail(job, "timeout", message, alone)
                return
            if seconds > self._limits.patience * limit + self._limits.grace_s:
                self._remove(worker)
                message = (
                    f"Stopped after {seconds:.0f} s, {own:.0f} s of processor time among them; the "
                    f"limit is {limit:g} s: the machine is too busy, or it waits for something."
                )
                batch.fail(job, "timeout", message, alone, missing=True)
                return
        memory = worker.memory_mb()
        if memory > self._memory_limit_mb:
            self._remove(worker)
            message = f"Stopped at {memory:.0f} MiB; the limit is {self._memory_limit_mb:.0f} MiB."
            batch.fail(job, "out_of_memory", message, alone)

    def _check_neighbours(self, batch: Batch) -> None:
        """Where children together outgrow the machine, the youngest starts again, alone."""
        busy = [worker for worker in self._pool if worker.state is WorkerState.BUSY]
        if len(busy) < 2:
            return
        if sum(worker.own_memory_mb() for worker in self._pool) > self._machine_mb:
            youngest = max(busy, key=lambda worker: worker.number)
            self._remove(youngest)
            message = "The machine's memory was short."
            batch.fail(youngest.job, "out_of_memory", message, alone=False)

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


def _kill_all(pool: list[WorkerProcess], owner: int) -> None:
    if owner == os.getpid():
        for worker in pool:
            worker.kill()
        pool.clear()
