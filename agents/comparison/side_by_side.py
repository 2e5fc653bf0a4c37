"""Searches of a comparison side by side: processes that take one search after another.

What a search finds does not depend on which process runs it, or when. The processes end with the
one that started them; a search that was cut off is run again, or goes on from its run folder.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import gymnasium as gym

import nas_env  # noqa: F401 - registers the ids
from agents.comparison.run import ComparisonRunner, Contender, Contest
from agents.records.trace import Trace
from agents.registry import Registered, find_agent, register_agent
from agents.search.environment import find_spec
from nas_env.errors import ExecutorError
from nas_env.system.machine import available_cores

WORTH_IT = 10_000
"""Children still to be played on tables from which on other processes are started: they take
seconds to load."""
LOOK_S = 1.0
"""How often a process looks whether its parent is still there."""


@dataclass(frozen=True)
class Job:
    """One search: of one agent, with one seed, kept in one folder."""

    contest: Contest
    folder: Path
    contender: Contender
    seed: int

    @property
    def runner(self) -> ComparisonRunner:
        """What runs it."""
        return ComparisonRunner(self.contest, self.folder)

    def found(self) -> Trace | None:
        """What it found, if it has run."""
        return self.runner.found(self.contender, self.seed)

    def run(self) -> Trace:
        """Run it, or read what it found."""
        return self.runner.run(self.contender, self.seed)


def run_jobs(
    jobs: Sequence[Job], at_once: int | None, done: Callable[[int, int], None] = lambda n, of: None
) -> list[Trace]:
    """All searches, each from its file or now; in the order given.

    Args:
        jobs: what to run.
        at_once: searches at the same time; None = as many as there are cores where children are
            looked up, else one, whose children train side by side.
        done: is told how many of those that had to run are finished, and how many there are.

    Raises:
        NasEnvError: of the first search that fails; those that are finished are kept.
    """
    waiting = [job for job in jobs if job.found() is None]
    count = min(len(waiting), _at_once(waiting) if at_once is None else at_once)
    if count > 1:
        with _processes(count, waiting) as pool:
            futures = [pool.submit(_run, job) for job in waiting]
            for number, future in enumerate(as_completed(futures), 1):
                _check(future)
                done(number, len(waiting))
    else:
        for number, job in enumerate(waiting, 1):
            job.run()
            done(number, len(waiting))
    return [job.run() for job in jobs]


def _at_once(waiting: Sequence[Job]) -> int:
    looked_up = all(job.runner.looks_up for job in waiting)
    children = sum(job.contest.children for job in waiting)
    return available_cores() if looked_up and children >= WORTH_IT else 1


def _check(future: "Future[None]") -> None:
    try:
        future.result()
    except BrokenProcessPool as error:
        raise ExecutorError(
            "A process that ran a search has died, perhaps for want of memory. What is finished is "
            "kept: the same command goes on, with fewer at once by --at-once 1."
        ) from error


@contextmanager
def _processes(count: int, jobs: Sequence[Job]) -> Iterator[ProcessPoolExecutor]:
    """Processes that know the environments and agents that this one registered."""
    specs = {job.contest.env: find_spec(job.contest.env) for job in jobs}
    agents = {job.contender.name: find_agent(job.contender.name) for job in jobs}
    given = (os.getpid(), list(specs.values()), agents)
    pool = ProcessPoolExecutor(count, get_context("spawn"), _begin, given)
    try:
        yield pool
    except BaseException:  # Ctrl-C too: nobody waits for searches that were begun
        for process in list((pool._processes or {}).values()):
            process.terminate()
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def _begin(parent: int, specs: Sequence[Any], agents: dict[str, Registered]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears Ctrl-C, and ends us
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    for spec in specs:
        gym.registry.setdefault(spec.id, spec)
    for name, row in agents.items():
        register_agent(name, row.agent, row.settings)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_S)
    os._exit(1)


def _run(job: Job) -> None:
    job.run()
