"""What a person sees of a running search: a bar on a terminal, plain lines in a log file."""

import errno
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from agents.records.direction import direction_of
from agents.records.episode import Episode, best_of, recent_metrics, recent_window
from agents.reports.ticks import clock

LINE_EVERY_S = 5.0
"""Shortest time between two plain lines."""
LATEST = 1000
"""Children by which a line tells whether metrics or rewards rank."""
BAR = range(6, 31)
"""Width of the bar: what the text leaves it; none at all where that is less."""


@dataclass
class Tally:
    """The figures of a search in progress.

    Attributes:
        children: budget in children, None without one.
        hours: budget in hours, None without one.
        elapsed_before_s: seconds searched before this process.
        metric_name: what is measured.
        best: best episode so far.
        done: children of finished updates.
        running: children of the running update that are finished.
        failed: failed children so far.
        now: the clock, in seconds.
        direction: what makes the best one the best; see ``agents.records.direction``.
    """

    children: int | None
    hours: float | None
    elapsed_before_s: float = 0.0
    metric_name: str = "metric"
    best: Episode | None = None
    done: int = 0
    running: int = 0
    failed: int = 0
    now: Callable[[], float] = time.monotonic
    direction: int = 1
    _metrics: list[float | None] = field(default_factory=list)
    _rewards: list[float] = field(default_factory=list)
    _here: int = 0  # children of this process, of finished updates
    _batch: int = 0  # size of the running update
    _start: float = field(init=False)
    _last: float = field(init=False)  # when a child was counted

    def __post_init__(self) -> None:
        self._start = self._last = self.now()

    def begin(self, batch: int) -> None:
        """An update of so many children begins."""
        self._batch, self.running = batch, 0

    def finished(self) -> None:
        """One more child of the running update is finished."""
        self.running = min(self.running + 1, self._batch)
        self._last = self.now()

    def add(self, episodes: Sequence[Episode], here: bool = True) -> None:
        """Count the episodes of an update; ``here`` = this process has waited for them."""
        self.best = best_of([*([self.best] if self.best else []), *episodes])
        self.done += len(episodes)
        self._batch = self.running = 0
        self.failed += sum(episode.state == "failed" for episode in episodes)
        self._metrics += [episode.metric for episode in episodes]
        self._rewards += [episode.reward for episode in episodes]
        self.direction = direction_of(self.metric_name, *self._latest())
        if here:
            self._here += len(episodes)
            self._last = self.now()

    def _latest(self) -> tuple[list[float | None], list[float]]:
        """Metrics and rewards that tell which ranks: as many as a line can wait for."""
        return self._metrics[-LATEST:], self._rewards[-LATEST:]

    @property
    def counted(self) -> int:
        """Finished children, those of the running update included."""
        return self.done + self.running

    @property
    def here_s(self) -> float:
        """Seconds of this process."""
        return self.now() - self._start

    @property
    def elapsed_s(self) -> float:
        """Seconds of the whole search."""
        return self.elapsed_before_s + self.here_s

    @property
    def child_s(self) -> float | None:
        """Seconds per child in this process, side by side or not; None before the first."""
        counted = self._here + self.running
        return (self._last - self._start) / counted if counted else None

    @property
    def left_s(self) -> float | None:
        """Seconds until the nearer of the two budgets is spent; None before the first children.

        Runs down between two children, but at most by what the running update should cost.
        """
        limits = []
        if self.children is not None and self.child_s is not None:
            waited = min(self.now() - self._last, self.child_s * (self._batch - self.running))
            limits.append((self.children - self.counted) * self.child_s - waited)
        if self.hours is not None:
            limits.append(3600.0 * self.hours - self.elapsed_s)
        return max(0.0, min(limits)) if limits else None

    def line(self, width: int | None = None) -> str:
        """Everything in one line.

        Args:
            width: where that is too long, the less important is said shorter, then left out; never
                how far the search is and how much time is left. None = as long as it gets.
        """
        parts = self._parts()
        line = ", ".join(long for long, _ in parts.values())
        for name in ("", "recent", "failed", "cost", "best"):
            if width is None or len(line) <= width:
                break
            parts.pop(name, None)
            line = ", ".join(short for _, short in parts.values())
        return line

    def _parts(self) -> dict[str, tuple[str, str]]:
        """What there is to say, in its order: at length, and short."""
        total = "" if self.children is None else f"/{self.children}"
        done = f"{self.counted}{total}"
        parts = {"done": (f"{done} children", done)}
        if self.best is not None and self.best.metric is not None:
            best = f"{self.best.metric:.4f}"
            parts["best"] = (f"best {self.metric_name} {best}", f"best {best}")
            if not self.direction:
                paid = f"best reward {self.best.reward:.4g}"
                parts["best"] = (f"{paid} ({self.metric_name} {best})", paid)
        if recent := recent_metrics(self._metrics):
            last = min(recent_window(self.done), self.done)
            mean = f"{statistics.fmean(recent):.4f}"
            parts["recent"] = (f"mean of last {last} {mean}", f"mean {mean}")
        if self.failed:
            parts["failed"] = (f"{self.failed} failed",) * 2
        if self.child_s is not None:
            cost = f"{seconds(self.child_s)}/child"
            parts["cost"] = (cost, cost.replace(" ", ""))
        left = self.left_s
        parts["left"] = ("-:-- left" if left is None else f"{clock(left)} left",) * 2
        return parts


def seconds(value: float) -> str:
    """Seconds with the digits that matter: ``0.012 s``, ``3.4 s``, ``120 s``."""
    digits = 0 if value >= 100 else 1 if value >= 1 else 3
    return f"{value:.{digits}f} s"


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

    def child_finished(self) -> None:
        """Count a child of the running update and show it."""
        self.tally.finished()
        self.refresh()


class LineDisplay(Display):
    """A plain line as children finish, but not more often than every few seconds."""

    def __init__(self, tally: Tally, console: Console) -> None:
        super().__init__(tally)
        self.console = console
        self._shown = ""
        self._next = 0.0

    def refresh(self) -> None:
        """Print a line if it is time for one."""
        if self.tally.now() >= self._next:
            self._print()

    def __exit__(self, *_: object) -> None:
        """Print the last state."""
        self._print()

    def _print(self) -> None:
        line = self.tally.line()
        if line != self._shown and self.tally.counted:
            self.console.print(line, highlight=False, soft_wrap=True)
        self._shown, self._next = line, self.tally.now() + LINE_EVERY_S


class BarDisplay(Display):
    """A bar at the bottom of the terminal, as wide as that is, also after it was resized."""

    def __init__(self, tally: Tally, console: Console) -> None:
        super().__init__(tally)
        self._spinner: Spinner | Text = Spinner("dots")
        self._live = Live(self, console=console, refresh_per_second=4)

    def __enter__(self) -> "BarDisplay":
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the last state on the screen, without what turns."""
        self._spinner = Text(" ")
        self._live.stop()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """One row: spinner, bar, text."""
        tally, width = self.tally, options.max_width
        text = tally.line(width - BAR.start - 4)
        bar = min(width - len(text) - 4, BAR.stop - 1)
        parts: list[Any] = [Text(text, no_wrap=True)]
        if bar in BAR:
            pulse = tally.children is None
            meter = ProgressBar(tally.children, tally.counted, width=bar, pulse=pulse)
            parts = [self._spinner, meter, *parts]
        row = Table.grid(padding=(0, 1, 0, 0))
        row.add_row(*parts)
        yield row


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
