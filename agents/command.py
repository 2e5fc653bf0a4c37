"""How a command ends: results on stdout, one message on stderr, an exit status; never a traceback.

Exit statuses: 0 done; 1 done, but nothing came of it; 2 an error; 128 + N stopped by signal N, as
shells count: 130 for Ctrl-C, 143 for SIGTERM, 141 when whoever read the output has gone (SIGPIPE).

Imports the standard library only: what it takes to load the rest, a signal may already end.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from types import FrameType
from typing import Any, NoReturn, TextIO

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
                stops.listen()
                status = body()
                sys.stdout.flush()
                return status
            finally:
                stops.listening = False  # a second Ctrl-C must not cut off the last words
        except _own_errors() as error:
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


def run_script(target: str | Callable[[], int]) -> NoReturn:
    """Run a script's ``main`` and end the process; a signal on the way prints no traceback.

    Args:
        target: calls ``run_command``, or is a body for it; as ``"module:function"`` it is imported
            first, and Ctrl-C while its modules load ends the command as quietly as later on.
    """
    STOPPING.enter()  # for good: the interpreter's own last steps are not to be interrupted either
    body = target if callable(target) else lambda: _load(target)()
    status = run_command(body, lambda: "interrupted")
    _be_deaf()
    sys.exit(status)


def _load(target: str) -> Callable[[], int]:
    module, _, name = target.partition(":")
    function: Callable[[], int] = getattr(import_module(module), name)
    return function


def _own_errors() -> tuple[type[BaseException], ...]:
    """Nothing while the module of our errors is not loaded: then none was raised."""
    module = sys.modules.get("nas_env.errors")
    return () if module is None else (module.NasEnvError,)


@contextlib.contextmanager
def _no_signals() -> Iterator[None]:
    """Stops wait until handlers are swapped.

    One that comes between CPython's look at what has arrived and its swap of the handler would be
    lost, with "Signal 2 ignored due to race condition" on stderr.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _be_deaf() -> None:
    """Ignore stops from here to the end of the process."""
    report = sys.unraisablehook

    def unless_late(note: Any) -> None:
        """Where threads run, the kernel hands a blocked signal to one of them: not worth a word."""
        if "ignored due to race condition" not in str(note.exc_value):
            report(note)

    sys.unraisablehook = unless_late
    with _no_signals():
        for number in STOPS:
            signal.signal(number, signal.SIG_IGN)


class _Stopping:
    """While entered (once or more), SIGINT and SIGTERM raise, as long as ``listening``."""

    def __init__(self) -> None:
        self.listening = False
        self._missed = 0
        self._depth = 0
        self._before: dict[signal.Signals, Any] = {}

    def enter(self) -> None:
        self._depth += 1
        if self._depth == 1:
            self._missed = 0
            with _no_signals():
                for number in STOPS:
                    self._before[number] = signal.signal(number, self._stop)

    def __enter__(self) -> "_Stopping":
        self.enter()
        return self

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if self._depth == 0:
            with _no_signals():
                for number, handler in self._before.items():
                    signal.signal(number, handler)

    def listen(self) -> None:
        """From here on a signal raises; one that came since ``enter`` does so now."""
        self.listening = True
        if self._missed:
            self._stop(self._missed, None)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self.listening:
            raise KeyboardInterrupt if number == signal.SIGINT else Terminated
        self._missed = number


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
