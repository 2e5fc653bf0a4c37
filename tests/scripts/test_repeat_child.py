"""The command that repeats a run's child trains exactly what the search trained."""

import re
import sys
from pathlib import Path

import pytest

from agents.commands import COMMANDS, command_line, main, usage
from agents.commands.evaluate import main as evaluate
from agents.commands.train import main as train
from agents.records.episode import best_of
from agents.records.run_folder import RunFolder

TINY = '{"name": "quick", "train_images": 96, "valid_images": 60}'


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    flags = ["--env", "NAS-Digits-v0", "--recipe", TINY, "--num-layers", "1", "--seed", "7"]
    flags += ["--agent", "random", "--evaluator", "local", "--children", "4"]
    assert train([*flags, "--run-dir", str(tmp_path / "run"), "--no-progress"]) == 0
    return tmp_path / "run"


def test_a_runs_best_child_is_repeated_exactly(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = re.search(r"repeat it   nas-env evaluate (\S+)", capsys.readouterr().out)
    assert told is not None
    best = best_of(RunFolder(run).episodes())
    assert best is not None
    assert evaluate([told[1]]) == 0
    printed = capsys.readouterr().out
    assert f"accuracy     {best.metric:.4f} (validation)" in printed
    assert "(cached)" not in printed


def test_any_child_of_a_run_is_repeated_by_its_number(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    for episode in RunFolder(run).episodes()[:2]:
        assert evaluate([str(run), "--child", str(episode.number)]) == 0
        assert f"accuracy     {episode.metric:.4f} (validation)" in capsys.readouterr().out


def test_a_child_that_the_run_lacks_is_named(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate([str(run), "--child", "99"]) == 2
    assert "has no child 99: it has 4 children" in capsys.readouterr().err


def test_a_run_that_trained_nothing_says_what_to_give(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--env", "NAS-Digits-Table-v0", "--agent", "random", "--children", "8"]
    assert train([*flags, "--run-dir", str(tmp_path / "table"), "--no-progress"]) == 0
    assert evaluate([str(tmp_path / "table")]) == 2
    assert "does not say how its children were trained" in capsys.readouterr().err


def test_commands_are_called_as_they_were_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/nas-env train"])
    assert command_line("evaluate", "runs/a b") == "nas-env evaluate 'runs/a b'"
    monkeypatch.setattr(sys, "argv", ["scripts/train_agent.py"])
    expected = "python scripts/evaluate_architecture.py runs/x"
    assert command_line("evaluate", "runs/x") == expected


def test_an_unknown_command_lists_those_that_there_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["nas-env", "trian"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert "Unknown command 'trian'" in error
    assert usage() in error
    assert set(COMMANDS) <= set(usage().split())
