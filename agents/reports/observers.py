"""Who writes the report and the best picture of a run while it searches, and when it has ended."""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from agents.observer import Observer, SearchStart
from agents.records.episode import Episode, SearchResult, best_of
from nas_env.errors import RunFolderError
from nas_env.system.files import write_durably

REFRESH_S = 30
"""Shortest time between two reports of a running search, and how often its page loads anew."""
ERROR = 1
"""Exit code of a search that an error ended."""
SHARE = 0.02
"""Most of a search's time that reports may take while it runs."""


class BestPicture:
    """Keeps the best architecture so far as ``best_architecture.svg`` and as ``.txt``."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._best: Episode | None = None

    def begin(self, start: SearchStart) -> None:
        """Draw the best of what there is."""
        self._folder, self._best = start.run_dir, None
        self.update({}, start.episodes)

    def update(self, row: Mapping[str, Any], fresh: Sequence[Episode]) -> None:
        """Draw where a child is the best so far."""
        from agents.reports.architectures import describe, picture_of

        best = best_of([*([self._best] if self._best else []), *fresh])
        if best is self._best or best is None or self._folder is None:
            return
        self._best = best
        drawing = describe(best) + "\n"
        write_durably(self._folder / "best_architecture.txt", drawing.encode())
        if (picture := picture_of(best)) is not None:
            write_durably(self._folder / "best_architecture.svg", picture.svg().encode())

    def finish(self, result: SearchResult, exit_code: int) -> None:
        """Nothing is left to draw."""


class ReportPage:
    """Writes ``report.html``: as the search goes on, and at its end, however it ends.

    While the search runs, a browser that shows the page follows it; see ``write_report``.

    Args:
        refresh_s: shortest time between two pages; 0 = after every update.
        share: most of the search's time that pages may take while it runs.
        clock: tells the seconds.
    """

    def __init__(
        self,
        refresh_s: float = REFRESH_S,
        share: float = SHARE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.refresh_s, self.share, self._now = refresh_s, share, clock
        self._folder: Path | None = None
        self._due = 0.0

    def begin(self, start: SearchStart) -> None:
        """Wait for the first update that is late enough: a short search has one page, the last."""
        self._folder = start.run_dir
        self._due = self._now() + self.refresh_s

    def update(self, row: Mapping[str, Any], fresh: Sequence[Episode]) -> None:
        """Write a page where it is time for one."""
        begun = self._now()
        if begun < self._due or self._folder is None:
            return
        with contextlib.suppress(Exception):  # the last page is tried anyhow, and says what failed
            self._write(REFRESH_S)
        ended = self._now()
        self._due = ended + max(self.refresh_s, (ended - begun) / self.share)

    def finish(self, result: SearchResult, exit_code: int) -> None:
        """Write the last page, which no longer loads itself anew; none where no child was.

        Where an error ended the search, such as a full disk, that error is all that is said.
        """
        try:
            if result.episodes:
                self._write(0)
        except RunFolderError:
            if exit_code != ERROR:
                raise

    def _write(self, refresh_s: int) -> None:
        from agents.reports.report import write_report

        if self._folder is not None:
            write_report([self._folder], refresh_s=refresh_s)


def run_folder_observers() -> list[Observer]:
    """Those of every search that has a run folder."""
    return [BestPicture(), ReportPage()]
