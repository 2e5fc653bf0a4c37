"""What a person sees of a running search: a bar on a terminal, plain lines in a log file."""

import errno
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from agents.records.episode import Episode, best_of
from agents.reports.ticks import clock

RECENT = 20
"""Children in the mean that is shown."""
LINE_EVERY_S = 5.0
"""Shortest time between two plain lines."""


@dataclass
class Tally:
    """The figures of a search in progress.

    Attributes:
        children: budget in children, None without one.
        hours: budget in hours, None without one.
        elapsed_before_s: seconds searched before this process.
        metric_name: what is measured.
    """

    children: int | None
    hours: float | None
    elapsed_before_s: float = 0.0
    metric_name: str = "metric"
    best: Episode | None = None
    done: int = 0
    failed: int = 0
    _recent: list[float] = field(default_factory=list)
    _here: int = 0  # children of this process
    _start: float = field(default_factory=time.monotonic)

    def add(self, episodes: Sequence[Episode], here: bool = True) -> None:
        """Count episodes; ``here`` = this process has waited for them."""
        self.best = best_of([*([self.best] if self.best else []), *episodes])
        self.done += len(episodes)
        self._here += len(episodes) if here else 0
        self.failed += sum(episode.state == "failed" for episode in episodes)
        metrics = [episode.metric for episode in episodes if episode.metric is not None]
        self._recent = [*self._recent, *metrics][-RECENT:]

    @property
    def here_s(self) -> float:
        """Seconds of this process."""
        return time.monotonic() - self._start

    @property
    def elapsed_s(self) -> float:
        """Seconds of the whole search."""
        return self.elapsed_before_s + self.here_s

    @property
    def per_minute(self) -> float:
        """Children a minute in this process."""
        return 60.0 * self._here / max(self.here_s, 1e-9)

    @property
    def left_s(self) -> float | None:
        """Seconds until the nearer of the two budgets is spent; None before the first children."""
        limits = []
        if self.children is not None and self._here:
            limits.append((self.children - self.done) * self.here_s / self._here)
        if self.hours is not None:
            limits.append(3600.0 * self.hours - self.elapsed_s)
        return max(0.0, min(limits)) if limits else None

    def line(self) -> str:
        """Everything in one line."""
        total = "" if self.children is None else f"/{self.children}"
        parts = [f"{self.done}{total} children"]
        if self.best is not None and self.best.metric is not None:
            parts.append(f"best {self.metric_name} {self.best.metric:.4f}")
        if self._recent:
            parts.append(f"mean of last {len(self._recent)} {statistics.fmean(self._recent):.4f}")
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self._here:
            parts.append(f"{self.per_minute:.1f} children/min")
        if self.left_s is not None:
            parts.append(f"{clock(self.left_s)} left")
        return ", ".join(parts)


class Display:
    """Shows nothing: the search of a library call. The others inherit when to be called.

    Args:
        tally: the figures to show.
    """

    def __init__(self, tally: Tally) -> None:
        self.tally = tally

    def __enter__(self) -> "Display":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Show the final state."""

    def refresh(self) -> None:
        """Show the tally, which has changed."""


class LineDisplay(Display):
    """One plain line per update, but not more often than every few seconds."""

    def __init__(self, tally: Tally, console: Console) -> None:
        super().__init__(tally)
        self.console = console
        self._shown = ""
        self._next = 0.0

    def refresh(self) -> None:
        """Print a line if it is time for one."""
        if time.monotonic() >= self._next:
            self._print()

    def __exit__(self, *_: object) -> None:
        """Print the last state."""
        self._print()

    def _print(self) -> None:
        line = self.tally.line()
        if line != self._shown and self.tally.done:
            self.console.print(line, highlight=False, soft_wrap=True)
        self._shown, self._next = line, time.monotonic() + LINE_EVERY_S


class BarDisplay(Display):
    """A bar at the bottom of the terminal."""

    def __init__(self, tally: Tally, console: Console) -> None:
        super().__init__(tally)
        self._bar = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=20),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._task = self._bar.add_task("training the first children", total=self._total())

    def _total(self) -> float | None:
        """The budget in children; without one the bar only pulses."""
        return self.tally.children

    def __enter__(self) -> "BarDisplay":
        self._bar.start()
        self.refresh()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the last state on the screen."""
        self.refresh()
        self._bar.stop()

    def refresh(self) -> None:
        """Redraw."""
        if self.tally.done:
            text = self.tally.line()
            self._bar.update(self._task, completed=self.tally.done, description=text)


class _PlainConsole(Console):
    """Leaves it to the command what happens when nobody reads the output any more."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError(errno.EPIPE, "nobody reads the output any more")


def make_display(tally: Tally, show: bool) -> Display:
    """The display that fits where the output goes."""
    if not show:
        return Display(tally)
    console = _PlainConsole()
    return BarDisplay(tally, console) if console.is_terminal else LineDisplay(tally, console)
