"""A worker process: ``python -m nas_env.evaluation.pool.worker PARENT_PID``, started by the pool.

It loads the task once and then trains one child after another. It dies with its parent: a thread
waits for the end of stdin, another watches the parent, and either ends the process even while a
child trains.
"""

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
from nas_env.evaluation.failures import run_safely
from nas_env.evaluation.pool.messages import Message, read_message, write_message
from nas_env.system.threads import limit_torch_threads

_WATCH_INTERVAL_S = 1.0


def main(parent: int) -> NoReturn:
    """Serve the parent until it goes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the parent decides
    if hasattr(signal, "pthread_sigmask"):  # the pool blocked it until this handler was in place
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    receive, send = _take_over_pipes()
    _be_killed_first()
    inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
    threading.Thread(target=_read_until_end, args=(receive, inbox), daemon=True).start()
    threading.Thread(target=_watch_parent, args=(parent,), daemon=True).start()
    task: Task | None = None
    while True:
        name, payload = inbox.get()
        try:
            task, answer = _serve(task, name, payload)
        except Exception as error:
            answer = ("raise", _pickled_error(error))
        if answer is not None:
            write_message(send, *answer)


def _serve(task: Task | None, name: str, payload: bytes) -> tuple[Task | None, Message | None]:
    """Act on one message; return the task and the answer."""
    if name == "path":
        sys.path[:] = json.loads(payload)
        return task, None
    if name == "task":
        task = _loads(payload)
        limit_torch_threads()
        return task, ("loaded", b"")
    assert task is not None, "the pool sends the task first"
    if name == "prepare":
        task.prepare()
        limit_torch_threads()  # preparing may have been what loaded torch
        return task, ("ready", b"")
    job: Job = _loads(payload)
    evaluation = run_safely(task.run, job, task.metric_name)
    return task, ("done", pickle.dumps(evaluation))


def _loads(payload: bytes) -> Any:
    try:
        return pickle.loads(payload)
    except Exception as error:
        raise ExecutorError(
            f"A worker process cannot load what it was sent ({type(error).__name__}: {error}). "
            "Define the task in a module that can be imported, or use the local evaluator."
        ) from error


def _pickled_error(error: Exception) -> bytes:
    """The exception, or an ExecutorError of the same text if it does not survive pickling."""
    text = "".join(traceback.format_exception(error))
    with suppress(Exception):
        payload = pickle.dumps((error, text))
        pickle.loads(payload)
        return payload
    return pickle.dumps((ExecutorError(f"{type(error).__name__}: {error}"), text))


def _take_over_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The protocol's two pipes; from here on stdin is empty and whatever prints goes to stderr."""
    receive, send = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return receive, send


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


if __name__ == "__main__":
    main(int(sys.argv[1]))
