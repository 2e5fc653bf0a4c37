"""Tracking: what wandb is given, offline without an account, and that it never harms a search."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from agents.command import Terminated
from agents.commands.train import main
from agents.observer import SearchStart
from agents.records.episode import Episode, SearchResult
from agents.search.flags import parse_options
from agents.search.search import Search, SearchSettings
from agents.tracking.figures import Figures
from agents.tracking.tracker import WandbTracker
from nas_env.errors import ConfigurationError
from tests.agents.tracking.tracked import CHOICE, logged, make_choice, no_account, search

pytestmark = pytest.mark.usefixtures("no_account")
__all__ = ["no_account"]  # a fixture


def episode(number: int, metric: float | None, failure: str = "") -> Episode:
    state = "failed" if metric is None else "complete"
    return Episode(number, (0, 1), "", metric, metric or 0.0, state, failure, 10 * number)


def test_without_an_account_a_search_is_recorded_offline_and_one_line_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--env", CHOICE, "--children", "16", "--run-dir", "run", "--track"]
    assert main(arguments) == 0
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "no account is set up" in error
    assert "wandb sync" in error
    rows, found = logged(tmp_path / "run")
    assert [row["children"] for row in rows] == [8, 16]
    for row in rows:
        assert {"mean_reward", "best_reward", "best_metric", "mean_metric"} <= row.keys()
        assert {"baseline", "entropy", "children_per_minute", "memory_gb"} <= row.keys()
        assert row["failures/error"] >= 1
    assert rows[-1]["episodes/_type"] == "table-file"
    assert rows[-1]["episodes/nrows"] == 16
    config = {i.key for r in found for i in r.config.update}
    assert {"env", "agent", "seed", "agent_options", "versions"} <= config
    artifacts = [r.artifact for r in found if r.WhichOneof("record_type") == "artifact"]
    (artifact,) = [found for found in artifacts if found.type == "search"]
    names = {entry.path for entry in artifact.manifest.contents}
    assert {"config.json", "best_architecture.json", "episodes.csv"} <= names
    (ended,) = [r.exit for r in found if r.WhichOneof("record_type") == "exit"]
    assert ended.exit_code == 0


def test_a_resumed_search_continues_the_same_run_at_the_next_update(tmp_path: Path) -> None:
    arguments = ["--env", CHOICE, "--children", "16", "--run-dir", "run", "--track"]
    assert main(arguments) == 0
    before = json.loads((tmp_path / "run" / "tracking.json").read_text())
    assert main(["--resume", "--run-dir", "run", "--children", "32"]) == 0
    assert json.loads((tmp_path / "run" / "tracking.json").read_text()) == before
    rows, found = logged(tmp_path / "run")
    assert [row["update"] for row in rows] == [1, 2, 3, 4]  # `wandb sync` replaces what was there
    assert [row["children"] for row in rows] == [8, 16, 24, 32]
    assert all({"best_metric", "failures/error", "entropy"} <= row.keys() for row in rows)
    assert {r.run.run_id for r in found if r.WhichOneof("record_type") == "run"} == {before["id"]}


def test_the_same_search_finds_the_same_with_and_without_tracking(tmp_path: Path) -> None:
    plain = Search(make_choice(), "reinforce", SearchSettings(children=16)).run()
    tracked = search(WandbTracker(), tmp_path / "run")
    for one, other in zip(plain.episodes, tracked.episodes, strict=True):
        assert (one.tokens, one.reward, one.state) == (other.tokens, other.reward, other.state)


class Broken:
    """An observer that fails at one of its three calls, and counts them."""

    def __init__(self, fails_at: str) -> None:
        self.fails_at = fails_at
        self.calls: list[str] = []
        self.exit_code: int | None = None

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if name == self.fails_at:
            raise RuntimeError("no more disk")

    def begin(self, start: SearchStart) -> None:
        self._called("begin")

    def update(self, row: Mapping[str, Any], fresh: Sequence[Episode]) -> None:
        self._called("update")

    def finish(self, result: SearchResult, exit_code: int) -> None:
        self.exit_code = exit_code
        self._called("finish")


@pytest.mark.parametrize(
    ("fails_at", "calls"),
    [
        ("begin", ["begin"]),
        ("update", ["begin", "update"]),
        ("finish", ["begin", "update", "update", "finish"]),
    ],
)
def test_an_observer_that_fails_is_dropped_and_the_search_goes_on(
    fails_at: str, calls: list[str]
) -> None:
    observer = Broken(fails_at)
    with pytest.warns(UserWarning, match="Broken failed .* the search goes on.*no more disk"):
        result = search(observer)
    assert len(result.episodes) == 16
    assert observer.calls == calls


@pytest.mark.parametrize(
    ("error", "code"), [(KeyboardInterrupt, 130), (Terminated, 143), (ZeroDivisionError, 1)]
)
def test_observers_finish_however_the_search_ends(
    error: type[BaseException], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise error

    observer = Broken("never")
    found = Search(make_choice(), "reinforce", SearchSettings(children=16))
    found.observers.add(observer)
    monkeypatch.setattr(found.agent, "learn", fail)
    with pytest.raises(error):
        found.run()
    assert observer.exit_code == code


def test_figures_count_what_was_before_a_resume() -> None:
    figures = Figures()
    assert figures.add([episode(1, 0.5), episode(2, None, "timeout")])
    fresh = [episode(3, 0.25), episode(4, None, "timeout"), episode(5, None, "diverged")]
    assert not figures.add(fresh)
    row = figures.row({"update": 2, "mean_metric": "", "entropy": 0.5}, fresh, seconds=2.0)
    assert row["failures/timeout"] == 2
    assert row["failures/diverged"] == 1
    assert row["best_metric"] == 0.5
    assert row["best_parameters"] == 10
    assert row["recent_metric"] == 0.375
    assert row["entropy"] == 0.5
    assert row["children_per_minute"] == 90
    assert "mean_metric" not in row  # no number: wandb would make a column of text of it


def test_flags_are_understood_as_a_sweep_writes_them() -> None:
    written = ["--track=True", "--progress=False", "--learning_rate=0.0001", "--env=None"]
    options = parse_options([*written, "--filters=[24, 36]", "--skip_connections=False"])
    assert (options.watching.track, options.watching.progress) == ("wandb", False)
    assert (options.what.env, options.agent) == (None, {"learning_rate": 1e-4})
    assert options.environment == {"filters": (24, 36), "skip_connections": False}
    assert parse_options(["--track=False"]).watching.track == "no"
    with pytest.raises(ConfigurationError, match="--retry_failed must be True or False, got '2'"):
        parse_options(["--retry_failed=2"])
    with pytest.raises(ConfigurationError, match="--filters must be a list"):
        parse_options(["--filters=[24,"])


@pytest.mark.parametrize("value", ["--children=many", "--learning_rate=fast", "--seed=1.5"])
def test_a_sweep_value_of_the_wrong_type_is_one_message_and_status_2(
    value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main([value])
    assert caught.value.code == 2
    assert value.partition("=")[0].replace("_", "-") in capsys.readouterr().err.replace("_", "-")


def test_a_search_without_tracking_does_not_import_wandb(tmp_path: Path) -> None:
    code = "import sys, agents.commands.train; sys.exit('wandb' in sys.modules)"
    root = Path(__file__).parents[3]
    assert subprocess.run([sys.executable, "-c", code], cwd=root).returncode == 0
