"""What a person sees while a search is finalised: a bar on a terminal, plain lines in a log."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Stages:
    """Tells of stages; on stderr, so that what a command prints can be piped.

    Args:
        silent: say nothing.
    """

    def __init__(self, silent: bool = False) -> None:
        self.silent = silent
        self._console = Console(file=sys.stderr)

    def say(self, line: str) -> None:
        """A line."""
        if not self.silent:
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator["Stage"]:
        """A stage of ``total`` steps."""
        if self.silent or not self._console.is_terminal:
            yield Stage(self, name, total, None)
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[told]}"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self._console) as bar:
            yield Stage(self, name, total, bar)


class Stage:
    """One of them."""

    def __init__(self, owner: Stages, name: str, total: int, bar: Progress | None) -> None:
        self.owner, self.name, self.total, self.bar = owner, name, total, bar
        self.done = 0
        self._task = None if bar is None else bar.add_task(name, total=total, told="")

    def advance(self, told: str, done: int | None = None) -> None:
        """One more step is done (or ``done`` of them), with a word on it."""
        self.done = self.done + 1 if done is None else done
        if self.bar is not None and self._task is not None:
            self.bar.update(self._task, completed=self.done, told=told)
        else:
            self.owner.say(f"{self.name} {self.done}/{self.total}  {told}")
