"""Starts worker processes from a thread that lives as long as this process.

Linux kills a worker when the *thread* that started it ends (``worker.py`` asks for that). Started
from the caller's own thread, workers would die with it: environments may be stepped from a pool of
threads. Beside the workers runs one guard (``guard.py``), which outlives this process by a moment.
"""

import atexit
import os
import queue
import signal
import subprocess
import sys
import threading
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

_Request: TypeAlias = "tuple[list[str], dict[str, str], Future[subprocess.Popen[bytes]]]"

_GUARD = Path(__file__).parent / "guard.py"
_lock = threading.Lock()
_requests: "queue.SimpleQueue[_Request]" = queue.SimpleQueue()
_guard: "subprocess.Popen[bytes] | None" = None
_owner = 0  # the process whose thread serves the queue: a fork has no thread


def launch(command: list[str], environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    """Start a process in a session of its own, its stdin and stdout pipes.

    Its session is its own so that it can be killed with all that it has started, and Ctrl-C in a
    terminal does not reach it.

    Raises:
        OSError: it cannot be started.
    """
    global _owner, _requests
    with _lock:
        if _owner != os.getpid():
            _owner, _requests = os.getpid(), queue.SimpleQueue()
            _forget_guard()  # of the process that this one was forked from
            threading.Thread(target=_serve, args=(_requests,), daemon=True).start()
    started: Future[subprocess.Popen[bytes]] = Future()
    _requests.put((command, environment, started))
    return started.result()


def ended(pid: int) -> None:
    """A worker and all of its process group have been killed."""
    _tell_guard(f"-{pid}")


def _start_guard() -> None:
    """Where it cannot be started, programs of children may outlive a parent that is killed."""
    global _guard
    command = [sys.executable, "-I", "-S", str(_GUARD), str(os.getpid())]
    with suppress(OSError):
        _guard = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
        )
        atexit.register(_stop_guard, _guard, os.getpid())


def _tell_guard(line: str) -> None:
    if _guard is not None and _guard.stdin is not None and _owner == os.getpid():
        with suppress(OSError, ValueError):
            _guard.stdin.write(f"{line}\n".encode())
            _guard.stdin.flush()


def _stop_guard(guard: "subprocess.Popen[bytes]", owner: int) -> None:
    if owner == os.getpid() and guard.stdin is not None:
        with suppress(OSError, ValueError):
            guard.stdin.close()
        guard.wait()


def _forget_guard() -> None:
    global _guard
    if _guard is not None:
        _guard.returncode = 0  # it is no child of this process
        _guard = None


def _serve(requests: "queue.SimpleQueue[_Request]") -> None:
    if hasattr(signal, "pthread_sigmask"):  # workers inherit it until they ignore the signal
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    while True:
        command, environment, started = requests.get()
        if _guard is None and hasattr(os, "killpg"):
            _start_guard()
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment,
                start_new_session=True,
            )
            _tell_guard(f"+{process.pid}")
            started.set_result(process)
        except BaseException as error:
            started.set_exception(error)
