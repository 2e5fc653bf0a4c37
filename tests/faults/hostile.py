"""What the tests of hostile input share: how a call ends, and what must not come of it."""

import os
import random
import socket
import subprocess
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from nas_env.errors import NasEnvError
from tests.faults.outcome import DONE, LONGEST_S, REFUSED, Outcome, at_most

LONGEST_MESSAGE = 3000


def attempt(body: Callable[..., object], *arguments: object) -> Outcome:
    """Call a function: done, refused in one message of bounded length, or a fault."""
    try:
        with warnings.catch_warnings(), at_most(LONGEST_S):
            warnings.simplefilter("error")
            body(*arguments)
    except NasEnvError as error:
        message = f"error: {error}".replace("error: ", "", 1).replace("error: ", "")
        status = REFUSED if len(message) < LONGEST_MESSAGE else None
        return Outcome(status, "", f"error: {message}"[: 2 * LONGEST_MESSAGE])
    except BaseException:
        return Outcome(None, "", traceback.format_exc())
    return Outcome(DONE, "", "")


@contextmanager
def nothing_started_or_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Within it no process is started, and nothing appears in the working folder, an empty one."""
    started: list[Any] = []
    popen = subprocess.Popen.__init__

    def noticed(self: Any, *arguments: Any, **settings: Any) -> None:
        started.append(arguments)
        popen(self, *arguments, **settings)

    monkeypatch.setattr(subprocess.Popen, "__init__", noticed)
    monkeypatch.setenv("NAS_ENV_CACHE", str(folder / "cache"))
    working = folder / "working"
    working.mkdir()
    monkeypatch.chdir(working)
    yield
    assert not started
    assert not [*working.iterdir()]


def put_special(path: Path, rng: random.Random) -> str:
    """Something in the place of a file that is no file, or is endless."""
    path.unlink(missing_ok=True)
    kind = rng.choice(("pipe", "socket", "device", "loop", "nowhere", "folder", "endless"))
    special(kind, path)
    return f"{path.name}: {kind}"


def special(kind: str, path: Path) -> None:
    """Make what is no file, or is endless, where nothing is yet."""
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        here = os.getcwd()
        os.chdir(path.parent)  # the address of a socket is short
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
        os.chdir(here)
    elif kind == "folder":
        path.mkdir()
    elif kind == "endless":
        path.touch()
        os.truncate(path, 2**40)  # takes no room on the disk
    else:
        targets = {"device": "/dev/zero", "loop": path.name, "nowhere": "not-there"}
        path.symlink_to(targets[kind])
