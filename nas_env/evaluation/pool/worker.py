"""A worker process, started by the pool through ``start.py``.

It loads the task once and then trains one child after another. It dies with its parent: Linux kills
it then, whatever it is doing; elsewhere a thread waits for the end of stdin and another watches the
parent, and either ends the process even while a child trains.
"""

import ctypes
import json
import os
import pickle
import queue
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from typing import Any, BinaryIO, NoReturn

from nas_env.errors import ExecutorError
from nas_env.evaluation.evaluator import Job, Task
from nas_env.evaluation.failures import run_safely, text_of
from nas_env.evaluation.pool.messages import Message, read_message, write_message
from nas_env.system.threads import limit_torch_threads

_WATCH_INTERVAL_S = 1.0
_PR_SET_PDEATHSIG = 1  # a number of the kernel


def main(parent: int) -> NoReturn:
    """Serve the parent until it goes."""
    _die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to decide on
    if hasattr(signal, "pthread_sigmask"):  # the pool blocked it until this handler was in place
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    receive, send = _take_over_pipes()
    _be_killed_first()
    inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
    threading.Thread(target=_read_until_end, args=(receive, inbox), daemon=True).start()
    threading.Thread(target=_watch_parent, args=(parent,), daemon=True).start()
    me = os.getpid()
    task: Task | None = None
    while True:
        message = inbox.get()
        try:
            task, name, payload = _serve(task, message)
        except BaseException as error:
            name, payload = "raise", _pickled_error(error)
        if os.getpid() != me:  # a fork made while preparing has come here: it has no say
            os._exit(0)
        if name:
            write_message(send, name, payload, message.job)


def _serve(task: Task | None, message: Message) -> tuple[Task | None, str, bytes]:
    """Act on one message; return the task, and the answer's name and payload."""
    if message.name == "path":
        sys.path[:] = json.loads(message.payload)
        return task, "", b""
    if message.name == "task":
        task = _loads(message.payload)
        limit_torch_threads()
        return task, "loaded", b""
    assert task is not None, "the pool sends the task first"
    if message.name == "prepare":
        task.prepare()
        limit_torch_threads()  # preparing may have been what loaded torch
        return task, "ready", b""
    job: Job = _loads(message.payload)
    # Ctrl-C does not reach a worker: a KeyboardInterrupt here is the evaluator's own.
    evaluation = run_safely(task.run, job, task.metric_name, faults=(BaseException,))
    return task, "done", pickle.dumps(evaluation)


def _loads(payload: bytes) -> Any:
    try:
        return pickle.loads(payload)
    except Exception as error:
        raise ExecutorError(
            f"A worker process cannot load what it was sent ({type(error).__name__}: {error}). "
            "Define the task in a module that can be imported, or use the local evaluator."
        ) from error


def _pickled_error(error: BaseException) -> bytes:
    """The exception, or an ExecutorError of the same text where it cannot travel as it is."""
    text = "".join(traceback.format_exception(error))
    if isinstance(error, Exception):  # the parent must not take a worker's exit for its own
        with suppress(Exception):
            payload = pickle.dumps((error, text))
            pickle.loads(payload)
            return payload
    return pickle.dumps((ExecutorError(f"{type(error).__name__}: {text_of(error)}"), text))


def _take_over_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The protocol's two pipes; from here on stdin is empty and whatever prints goes to stderr."""
    receive, send = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return receive, send


def _die_with(parent: int) -> None:
    """Ask Linux for SIGKILL when the parent ends: it reaches a stopped or computing process too."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library: the threads watch
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.name == "posix" and os.getppid() != parent:  # it ended before the request
        os._exit(0)


def _be_killed_first() -> None:
    """Ask Linux to kill a worker rather than the parent when the machine is out of memory."""
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("500")


def _read_until_end(receive: BinaryIO, inbox: "queue.SimpleQueue[Message]") -> None:
    while (message := read_message(receive)) is not None:
        inbox.put(message)
    os._exit(0)


def _watch_parent(parent: int) -> None:
    """End with the parent even if a fork of it keeps the pipe open."""
    while os.name != "posix" or os.getppid() == parent:
        time.sleep(_WATCH_INTERVAL_S)
    os._exit(0)
