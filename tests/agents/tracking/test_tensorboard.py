"""The TensorBoard tracker against the real package: what it writes is read back."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import agents
from agents.commands.train import main
from agents.observer import SearchStart
from agents.search.search import Search, SearchSettings
from agents.tracking.tensorboard import FOLDER, TensorBoardTracker
from nas_env.errors import MissingDependencyError
from tests.agents.tracking.tracked import make_choice


def scalars(run: Path) -> dict[str, list[tuple[int, float]]]:
    loading = import_module("tensorboard.backend.event_processing.event_accumulator")
    found = loading.EventAccumulator(str(run / FOLDER))
    found.Reload()
    return {
        name: [(event.step, event.value) for event in found.Scalars(name)]
        for name in found.Tags()["scalars"]
    }


def search(run: Path, children: int, **settings: Any) -> agents.SearchResult:
    found = Search(make_choice(), "reinforce", SearchSettings(children=children, **settings), run)
    found.observers.add(TensorBoardTracker())
    return found.run()


def test_figures_of_each_update_are_there_and_a_resume_goes_on(tmp_path: Path) -> None:
    run = tmp_path / "run"
    search(run, 16)
    result = search(run, 32, resume=True)
    found = scalars(run)
    assert [step for step, _ in found["mean_reward"]] == [1, 2, 3, 4]
    assert [value for _, value in found["children"]] == [8, 16, 24, 32]
    assert found["best_metric"][-1][1] == pytest.approx(result.best.metric)
    assert {"recent_metric", "children_per_minute", "memory_gb"} <= found.keys()


def test_a_step_that_a_crash_left_over_does_not_show_twice(tmp_path: Path) -> None:
    run = tmp_path / "run"
    search(run, 16)
    lost = TensorBoardTracker()  # an update that was logged, but not reached by a checkpoint
    lost.begin(SearchStart({}, run))
    lost._writer.add_scalar("children", 99.0, 3)
    lost.finish(agents.SearchResult(()), 1)
    search(run, 32, resume=True)
    children = dict(scalars(run)["children"])
    assert children[3] == 24


def test_without_the_package_the_next_step_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingDependencyError, match=r"pip install .*nas_env\[tensorboard\]"):
        TensorBoardTracker()


def test_the_command_line_records_with_tensorboard(tmp_path: Path) -> None:
    flags = ["--env", "NAS-Digits-Table-v0", "--agent", "random", "--children", "16"]
    assert main([*flags, "--run-dir", str(tmp_path / "run"), "--track", "tensorboard"]) == 0
    assert list((tmp_path / "run" / "tensorboard").glob("events.*"))
