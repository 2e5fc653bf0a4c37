"""The parent's handle on one worker process: start, talk, watch, kill."""

import itertools
import json
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import BinaryIO, TypeAlias, cast

import psutil

import nas_env
from nas_env.evaluation.pool.launcher import ended, launch
from nas_env.evaluation.pool.messages import Message, read_message, write_message
from nas_env.system.threads import ONE_THREAD_ENVIRONMENT

_START = Path(__file__).parent / "start.py"
_NUMBERS = itertools.count(1)
_EXIT_S = 5.0  # until a process that has closed its pipe has ended


class WorkerState(Enum):
    """Where a worker is in its life."""

    STARTING = "starting"  # the process imports and loads the task
    LOADED = "loaded"  # waits for the word to prepare
    PREPARING = "preparing"  # loads data
    READY = "ready"
    BUSY = "busy"
    DEAD = "dead"


Events: TypeAlias = "queue.SimpleQueue[tuple[WorkerProcess, Message | None]]"
"""Messages of all workers; None = the worker's output ended, or the worker itself: it is dead."""


class WorkerProcess:
    """One worker process. Starts at once; everything it says arrives in ``events``.

    Args:
        task: the pickled task.
        events: queue shared by the workers of a pool.
        place: where its children train, see ``nas_env.evaluation.pool.room``.
        environment: variables that it gets besides this process's.
    """

    def __init__(
        self,
        task: bytes,
        events: Events,
        place: int = 0,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.state = WorkerState.STARTING
        self.since = time.monotonic()  # when it entered this state
        self.job = -1  # index of the job it is busy with
        self.number = 0  # of that job: unlike any other that this process sends
        self.ended: float | None = None  # when the pool saw that the process has ended
        self.children = 0  # jobs it was given
        self.place = place
        self.alone = False  # whether its job has the whole machine
        self.memory_mb_expected = 0.0  # of its job
        self._processor_s_before = 0.0  # when its job began
        # This process was told of packages that clash (system/name_clash.py); once is enough.
        quiet = ("-W", "ignore:nas_env")
        command = [sys.executable, *quiet, str(_START), str(os.getpid())]
        self._process = launch(command, {**_environment(), **(environment or {})})
        self._stdin = cast(BinaryIO, self._process.stdin)
        threading.Thread(
            target=_talk, args=(self, self._process.stdout, task, events), daemon=True
        ).start()

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def enter(self, state: WorkerState) -> None:
        """Note that the worker is now in ``state``."""
        self.state = state
        self.since = time.monotonic()

    def send(self, name: str, payload: bytes = b"", job: int = 0) -> None:
        """Send a message; if the worker is gone, ``events`` will tell."""
        with suppress(OSError):
            write_message(self._stdin, name, payload, job)

    def begin(self, job: int, payload: bytes, alone: bool = False) -> None:
        """Give it the job with this index in the batch; ``alone``: no other trains meanwhile."""
        self.job, self.number, self.alone = job, next(_NUMBERS), alone
        self._processor_s_before = self._processor_s()
        self.children += 1
        self.enter(WorkerState.BUSY)
        self.send("job", payload, self.number)

    def wrote(self, message: Message) -> bool:
        """Whether the worker itself says this, of what it was asked last."""
        return message.sender == self.pid and message.job in (0, self.number)

    def seconds(self) -> float:
        """How long it has been in its state."""
        return time.monotonic() - self.since

    def processor_s(self) -> float:
        """Processor seconds of its job so far, with those of processes that have ended in it."""
        return max(0.0, self._processor_s() - self._processor_s_before)

    def _processor_s(self) -> float:
        try:
            times = psutil.Process(self.pid).cpu_times()
        except psutil.Error:
            return 0.0
        ended = getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
        return float(times.user + times.system + ended)

    def memory_mb(self) -> float:
        """Resident memory in MiB, 0 if the process is gone."""
        try:
            return float(psutil.Process(self.pid).memory_info().rss) / 2**20
        except psutil.Error:
            return 0.0

    def own_memory_mb(self) -> float:
        """Resident memory in MiB without what it shares with others, such as code."""
        try:
            memory = psutil.Process(self.pid).memory_info()
        except psutil.Error:
            return 0.0
        return float(memory.rss - getattr(memory, "shared", 0)) / 2**20

    def has_ended(self) -> bool:
        """Whether the process has ended. It is not reaped: its number stays its own."""
        if not hasattr(os, "waitid") or self._process.returncode is not None:
            return self._process.poll() is not None
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def kill(self) -> None:
        """End the process and all that it has started, now, and reap it; safe to call twice."""
        self.enter(WorkerState.DEAD)
        if self._process.returncode is None and hasattr(os, "killpg"):
            with suppress(OSError):
                os.killpg(self.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        ended(self.pid)
        with suppress(OSError):
            self._stdin.close()

    def describe_exit(self) -> str:
        """How a process that went silent ended, for a message; it is given a moment to do so.

        To be called before ``kill``, which it calls.
        """
        deadline = time.monotonic() + _EXIT_S
        while not (ended := self.has_ended()) and time.monotonic() < deadline:
            time.sleep(0.01)
        self.kill()
        if not ended:
            return "it closed its pipe"
        code = self._process.returncode
        if code >= 0:
            return f"exit code {code}"
        with suppress(ValueError):
            return f"signal {signal.Signals(-code).name}"
        return f"signal {-code}"


def _talk(worker: WorkerProcess, stdout: BinaryIO, task: bytes, events: Events) -> None:
    """Thread: send the task (it may be larger than a pipe holds), then pass on what comes."""
    worker.send("path", json.dumps(_import_path()).encode())
    worker.send("task", task)
    with stdout:
        while (message := read_message(stdout)) is not None:
            events.put((worker, message))
    events.put((worker, None))


def _import_path() -> list[str]:
    """``sys.path``, relative folders made absolute; entries of import hooks as they are."""
    entries = [os.fspath(entry) for entry in sys.path]
    return [
        os.path.abspath(entry) if not entry or os.path.isdir(entry) else entry for entry in entries
    ]


def _environment() -> dict[str, str]:
    """One compute thread, and nas_env importable even where it is not installed."""
    root = str(Path(nas_env.__file__).parents[1])
    path = os.environ.get("PYTHONPATH")
    python_path = {"PYTHONPATH": os.pathsep.join([root, path] if path else [root])}
    return {**os.environ, **ONE_THREAD_ENVIRONMENT, **python_path}
