"""Starts worker processes from a thread that lives as long as this process.

Linux kills a worker when the *thread* that started it ends (``worker.py`` asks for that). Started
from the caller's own thread, workers would die with it: environments may be stepped from a pool of
threads.
"""

import os
import queue
import signal
import subprocess
import threading
from concurrent.futures import Future
from typing import TypeAlias

_Request: TypeAlias = "tuple[list[str], dict[str, str], Future[subprocess.Popen[bytes]]]"

_lock = threading.Lock()
_requests: "queue.SimpleQueue[_Request]" = queue.SimpleQueue()
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
            threading.Thread(target=_serve, args=(_requests,), daemon=True).start()
    started: Future[subprocess.Popen[bytes]] = Future()
    _requests.put((command, environment, started))
    return started.result()


def _serve(requests: "queue.SimpleQueue[_Request]") -> None:
    if hasattr(signal, "pthread_sigmask"):  # workers inherit it until they ignore the signal
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    while True:
        command, environment, started = requests.get()
        try:
            started.set_result(
                subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    env=environment,
                    start_new_session=True,
                )
            )
        except BaseException as error:
            started.set_exception(error)
