"""Report and picture of a search that runs: they follow it, end with it, and never stop it."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import nas_env
from agents.agent import Batch
from agents.command import Terminated
from agents.observer import SearchStart
from agents.random_search import RandomSearchAgent
from agents.records.episode import Episode, SearchResult
from agents.records.run_record import read_run
from agents.reports.observers import BestPicture, ReportPage, run_folder_observers
from agents.search.search import Search, SearchSettings
from tests.web_page import problems_of

SPACE = nas_env.ChoiceSpace({"width": [1, 2, 3], "depth": [1, 2, 3]})
RELOADS = '<meta http-equiv="refresh"'


def worth(architecture: Any, seed: int) -> float:
    return float(architecture["width"]) / 3


class Stopped(RandomSearchAgent):
    """A search that something ends in its second update."""

    error: BaseException

    def learn(self, batch: Batch) -> dict[str, float]:
        self.updates = getattr(self, "updates", 0) + 1
        if self.updates == 2:
            raise self.error
        return super().learn(batch)


class Reader:
    """Looks at the page after each update, as a browser would."""

    def __init__(self) -> None:
        self.pages: list[str] = []
        self.folder = Path()

    def begin(self, start: SearchStart) -> None:
        assert start.run_dir is not None
        self.folder = start.run_dir

    def update(self, row: Mapping[str, Any], fresh: Sequence[Episode]) -> None:
        if (self.folder / "report.html").exists():
            self.pages.append((self.folder / "report.html").read_text())

    def finish(self, result: SearchResult, exit_code: int) -> None:
        pass


def search(folder: Path, *observers: Any, agent: Any = "random", children: int = 24) -> Search:
    env = nas_env.ArchitectureEnv(SPACE, worth)
    made = Search(env, agent, SearchSettings(children=children), folder)
    for observer in observers:
        made.observers.add(observer)
    return made


def test_the_page_follows_a_running_search_and_stops_with_it(tmp_path: Path) -> None:
    reader = Reader()
    search(tmp_path / "run", ReportPage(refresh_s=0, share=1e9), reader).run()
    assert [page.count(RELOADS) for page in reader.pages] == [1, 1, 1]
    assert "<b>8</b>" in reader.pages[0] and "<b>16</b>" in reader.pages[1]
    assert problems_of(reader.pages[0]) == []
    last = (tmp_path / "run" / "report.html").read_text()
    assert RELOADS not in last and "<b>24</b>" in last


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Terminated(), RuntimeError("broken")])
def test_a_search_that_is_stopped_leaves_the_report_of_what_it_did(
    tmp_path: Path, error: BaseException
) -> None:
    agent = type("Stopped", (Stopped,), {"error": error})
    with pytest.raises(type(error)):
        search(tmp_path / "run", agent=agent).run()
    page = (tmp_path / "run" / "report.html").read_text()
    assert "<b>8</b>" in page and RELOADS not in page


def test_pages_take_their_share_of_the_time_and_no_more(tmp_path: Path) -> None:
    """By a clock of the test's own: a page takes 3 s, an update 10 s, and a fiftieth is allowed."""
    now, written = [0.0], []

    class Slow(ReportPage):
        def _write(self, refresh_s: int) -> None:
            super()._write(refresh_s)
            written.append(now[0])
            now[0] += 3.0

    search(tmp_path / "run", children=8).run()
    page = Slow(refresh_s=30, share=0.02, clock=lambda: now[0])
    page.begin(SearchStart({}, tmp_path / "run"))
    for _ in range(60):
        now[0] += 10.0
        page.update({}, ())
    assert written == [30.0, 183.0, 336.0, 489.0]  # 150 s after the end of a page, at an update


def test_a_page_that_cannot_be_written_costs_a_warning_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "run" / "report.html").mkdir(parents=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = search(tmp_path / "run", ReportPage(refresh_s=0, share=1e9)).run()
    assert len(result.episodes) == 24
    assert ["report.html cannot be written" in str(one.message) for one in caught] == [True, True]


def test_the_picture_is_of_the_best_child_after_every_update(tmp_path: Path) -> None:
    class Looker(Reader):
        def update(self, row: Mapping[str, Any], fresh: Sequence[Episode]) -> None:
            self.pages.append((self.folder / "best_architecture.txt").read_text())

    looker = Looker()
    search(tmp_path / "run", looker).run()
    best = max((e.metric or 0.0, -e.number) for e in read_run(tmp_path / "run").episodes)
    assert len(looker.pages) == 3 and best[0] == 1.0
    assert "3" in looker.pages[-1]
    assert (tmp_path / "run" / "best_architecture.svg").read_text().startswith("<svg")


def test_a_resumed_search_draws_the_best_of_before(tmp_path: Path) -> None:
    search(tmp_path / "run", children=16).run()
    (tmp_path / "run" / "best_architecture.svg").unlink()
    picture = BestPicture()
    picture.begin(SearchStart({}, tmp_path / "run", read_run(tmp_path / "run").episodes))
    assert (tmp_path / "run" / "best_architecture.svg").exists()


def test_only_a_search_with_a_run_folder_is_drawn(tmp_path: Path) -> None:
    env = nas_env.ArchitectureEnv(SPACE, worth)
    watching = Search(env, "random", SearchSettings(children=8)).observers
    assert watching._watching == []
    assert [type(one) for one in run_folder_observers()] == [BestPicture, ReportPage]


def test_an_error_that_ends_a_search_is_all_that_is_said(tmp_path: Path) -> None:
    """On a full disk the last page fails as well; a second message would hide the first."""
    agent = type("Stopped", (Stopped,), {"error": RuntimeError("broken")})
    (tmp_path / "run" / "report.html").mkdir(parents=True)
    with pytest.raises(RuntimeError, match="broken"):
        search(tmp_path / "run", agent=agent).run()  # a warning fails the test
