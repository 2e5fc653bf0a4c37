"""How a command ends: results on stdout, one message on stderr, an exit status; never a traceback.

Exit statuses: 0 done; 1 done, but nothing came of it; 2 an error; 128 + N stopped by signal N, as
shells count: 130 for Ctrl-C, 143 for SIGTERM, 141 when whoever read the output has gone (SIGPIPE).
"""

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from types import FrameType
from typing import Any, NoReturn, TextIO

from nas_env.errors import NasEnvError

ERROR = 2
READER_GONE = 141
STOPS = {signal.SIGINT: 130, signal.SIGTERM: 143}
"""Signals that stop a command in good order -> exit status."""


class Terminated(BaseException):
    """SIGTERM: stop as on Ctrl-C."""

    exit_code = STOPS[signal.SIGTERM]


def run_command(body: Callable[[], int], stopped: Callable[[], str] = lambda: "stopped") -> int:
    """Run the body of a command; turn whatever ends it into a message and an exit status.

    SIGINT stops it even where a script started it in the background (``command &``), for which
    shells have it ignored: who sends the signal to this very process wants it to stop.

    Args:
        body: does the work; returns the exit status.
        stopped: what to say after a signal.
    """
    with STOPPING as stops:
        try:
            try:
                stops.listening = True
                status = body()
                sys.stdout.flush()
                return status
            finally:
                stops.listening = False  # a second Ctrl-C must not cut off the last words
        except NasEnvError as error:
            return _end(f"error: {error}", ERROR)
        except (KeyboardInterrupt, Terminated) as error:
            return _end(stopped(), getattr(error, "exit_code", STOPS[signal.SIGINT]))
        except BrokenPipeError:
            return _end("", READER_GONE)
        except OSError as error:
            what = error if error.filename else f"The output, or a file, cannot be used: {error}"
            return _end(f"error: {what}. Mend that and run the command again.", ERROR)
        except SystemExit:  # --help, or a wrong flag, which the parser has explained
            _end("", 0)
            raise


def run_script(main: str | Callable[[], int]) -> NoReturn:
    """Run a script's ``main`` and end the process; a signal on the way out prints no traceback.

    Args:
        main: calls ``run_command``, or is a body for it; or its "module:function", so that Ctrl-C
            while modules load ends as quietly.
    """
    STOPPING.enter()  # for good: the interpreter's own last steps are not to be interrupted either
    if callable(main):
        status = run_command(main)
    else:
        status = run_command(lambda: _called(main), lambda: "")
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)
    sys.exit(status)


def _called(name: str) -> int:
    """Import "module:function" and call it."""
    module, _, function = name.partition(":")
    return int(getattr(import_module(module), function)())


class _Stopping:
    """While entered (once or more), SIGINT and SIGTERM raise, as long as ``listening``."""

    def __init__(self) -> None:
        self.listening = True
        self._depth = 0
        self._before: dict[signal.Signals, Any] = {}

    def enter(self) -> None:
        self._depth += 1
        if self._depth == 1:
            for number in STOPS:
                self._before[number] = signal.signal(number, self._stop)

    def __enter__(self) -> "_Stopping":
        self.enter()
        return self

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if self._depth == 0:
            for number, handler in self._before.items():
                signal.signal(number, handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self.listening:
            raise KeyboardInterrupt if number == signal.SIGINT else Terminated


STOPPING = _Stopping()
"""Of this process: signals belong to all of it."""


def _end(message: str, status: int) -> int:
    """Say the last words where somebody still listens."""
    with contextlib.suppress(OSError):
        if message:
            print(message, file=sys.stderr, flush=True)
    for stream in (sys.stdout, sys.stderr):
        _flush_or_drop(stream)
    return status


def _flush_or_drop(stream: TextIO) -> None:
    """Flush; what a closed pipe or a full disk does not take is dropped, or exit would trip on it.

    Source: the note on SIGPIPE in Python's documentation of ``signal``.
    """
    try:
        stream.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
