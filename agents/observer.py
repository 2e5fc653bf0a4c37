"""Who may watch a search: trackers, reports. Watching never changes or ends a search."""

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from agents.records.episode import Episode, SearchResult, best_of


@dataclass(frozen=True)
class SearchStart:
    """What an observer is told before the first update.

    Attributes:
        config: the configuration, as in ``config.json``.
        run_dir: the run folder, None if there is none.
        episodes: those from before a resume.
    """

    config: Mapping[str, Any]
    run_dir: Path | None = None
    episodes: Sequence[Episode] = ()


class Observer(Protocol):
    """Watches one search."""

    def begin(self, start: SearchStart) -> None:
        """The run folder is there, no child is trained yet."""

    def update(self, row: Mapping[str, Any], fresh: Sequence[Episode]) -> None:
        """One update is done and safe on disk.

        Args:
            row: the columns of ``updates.csv``.
            fresh: the episodes of the update.
        """

    def finish(self, result: SearchResult, exit_code: int) -> None:
        """The search is over.

        Args:
            result: all episodes.
            exit_code: 0; 1 for an error or if no child could be trained; 130 after Ctrl-C, 143
                after SIGTERM.
        """


class Observers:
    """All observers of a search; one that fails is dropped with a warning."""

    def __init__(self) -> None:
        self._watching: list[Observer] = []

    def add(self, observer: Observer) -> None:
        """Watch from ``begin`` on."""
        self._watching.append(observer)

    @contextlib.contextmanager
    def watch(self, start: SearchStart, result: Callable[[], SearchResult]) -> Iterator[None]:
        """Begin; finish however the search ends.

        Args:
            start: what to tell at the beginning.
            result: asked at the end.
        """
        try:
            self._tell(lambda observer: observer.begin(start))
            yield
        except BaseException as error:
            code = exit_code(error)
            self._tell(lambda observer: observer.finish(result(), code))
            raise
        code = 0 if best_of(result().episodes) is not None else 1
        self._tell(lambda observer: observer.finish(result(), code))

    def update(self, row: Mapping[str, Any], fresh: Sequence[Episode]) -> None:
        """Tell of one update."""
        self._tell(lambda observer: observer.update(row, fresh))

    def _tell(self, call: Callable[[Observer], None]) -> None:
        for observer in list(self._watching):
            try:
                call(observer)
            except Exception as error:  # whatever is wrong with it, the search is worth more
                self._watching.remove(observer)
                name = type(observer).__name__
                warnings.warn(
                    f"{name} failed and is left out from here on; the search goes on: {error!r}.",
                    stacklevel=2,
                )


def exit_code(error: BaseException) -> int:
    """Exit status of a search that this ended: as the error says, 130 for Ctrl-C, else 1."""
    if isinstance(error, KeyboardInterrupt):
        return 130
    return int(getattr(error, "exit_code", 1))
