"""How one case of the fault suite ended: refused in one message with status 2, or done.

Anything else is a fault: a traceback, several messages, another status, a hang.
"""

import contextlib
import io
import signal
import subprocess
import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).parents[2]
LONGEST_S = 300
"""A case that takes longer hangs: far longer than a busy machine needs."""
DONE, NOTHING, REFUSED = 0, 1, 2


@dataclass(frozen=True)
class Outcome:
    """What a command said and how it ended.

    Attributes:
        status: its exit status; None: a traceback, or killed for hanging.
        output: what it printed.
        error: what it said on stderr.
    """

    status: int | None
    output: str
    error: str

    @property
    def refused(self) -> bool:
        """One message that begins with ``error:``, no traceback, status 2."""
        messages = self.error.count("error: ")
        return self.status == REFUSED and messages == 1 and "Traceback" not in self.error

    @property
    def clean(self) -> bool:
        """Done, or refused."""
        return self.refused or (self.status == DONE and "Traceback" not in self.error)


class Hang(BaseException):
    """A case took too long."""


@contextlib.contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Raise ``Hang`` in the main thread where it takes longer."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise Hang(f"longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def call(
    command: Callable[[Sequence[str]], int], *flags: object, longest_s: int = LONGEST_S
) -> Outcome:
    """Run a command's ``main`` in this process: two hundred times as fast as a process each."""
    output, error = io.StringIO(), io.StringIO()
    status: int | None = None
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(error):
        try:
            with warnings.catch_warnings(), at_most(longest_s):
                warnings.simplefilter("default")
                status = command([str(flag) for flag in flags])
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else REFUSED
        except BaseException:
            traceback.print_exc()
    return Outcome(status, output.getvalue(), error.getvalue())


def spawn(
    *words: object, longest_s: int = LONGEST_S, environment: Mapping[str, str] | None = None
) -> Outcome:
    """Run ``python WORDS`` in a process of its own, from the root of the repository."""
    command = [sys.executable, *map(str, words)]
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, timeout=longest_s
        )
    except subprocess.TimeoutExpired as error:
        return Outcome(None, str(error.stdout), f"Hang: {error}\n{error.stderr!r}")
    return Outcome(
        done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    )


@dataclass
class Count:
    """How many cases ended in which way, and what was wrong with those that did not end well."""

    ended: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def add(self, case: str, outcome: Outcome, same: Callable[[], bool] | None = None) -> None:
        """Judge a case.

        Args:
            case: what was done, for a message.
            outcome: how it ended.
            same: for a case that ended well: whether the result is that of no damage.
        """
        if outcome.refused:
            self.ended["refused"] += 1
        elif not outcome.clean:
            self.ended["unclean"] += 1
            self.faults.append(f"{case}: status {outcome.status}\n{outcome.error[-3000:]}")
        elif same is None or same():
            self.ended["identical"] += 1
        else:
            self.ended["silent difference"] += 1
            self.faults.append(f"{case}: ended well, but otherwise than without it")

    def check(self) -> None:
        """Print the count; fail where a case was neither refused nor identical."""
        print(dict(self.ended))
        assert not self.faults, f"{len(self.faults)} faults\n\n" + "\n\n".join(self.faults[:20])
