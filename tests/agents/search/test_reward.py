"""The reward of a search: from the command line into its configuration, and on resume."""

import json
from pathlib import Path
from typing import Any

import pytest

from agents.commands.train import main
from agents.records.run_folder import RunFolder

COST_AWARE = {"name": "cost_aware", "cost": "parameters", "target": 1e4}


def search(folder: Path, *more: str) -> int:
    words = ["--env", "NAS-Digits-Table-v0", "--agent", "random", "--children-per-update", "4"]
    return main([*words, "--no-progress", "--run-dir", str(folder), *more])


def resume(folder: Path, *more: str) -> int:
    return main(["--resume", "--run-dir", str(folder), "--children", "12", "--no-progress", *more])


def reward_in(folder: Path) -> Any:
    return RunFolder(folder).read_config()["environment"]["reward"]


def test_a_search_pays_and_records_the_reward_it_was_given(tmp_path: Path) -> None:
    assert search(tmp_path, "--children", "8", "--reward", json.dumps(COST_AWARE)) == 0
    assert reward_in(tmp_path) == {
        **COST_AWARE,
        "constraint": "soft",
        "exponent": None,
        "base": {"name": "metric"},
    }
    for episode in RunFolder(tmp_path).episodes():
        assert episode.metric is not None
        assert episode.reward == episode.metric * (episode.parameters / 1e4) ** -0.07


def test_a_run_is_resumed_with_its_own_reward_and_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert search(tmp_path, "--children", "8", "--reward", "accuracy") == 0
    assert resume(tmp_path, "--reward", "accuracy_cubed") == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "environment.reward.name: 'accuracy' in the run, 'accuracy_cubed' now" in said
    assert resume(tmp_path) == 0
    rewards = [(episode.reward, episode.metric) for episode in RunFolder(tmp_path).episodes()]
    assert len(rewards) == 12 and all(reward == metric for reward, metric in rewards)


def test_a_reward_that_cannot_be_leaves_no_run_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for given, message in (("acuracy", "Did you mean"), ('{"name"', "not valid JSON")):
        assert search(tmp_path / "run", "--children", "8", "--reward", given) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_the_command_that_repeats_a_run_names_the_reward(tmp_path: Path) -> None:
    text = json.dumps(COST_AWARE)
    assert search(tmp_path, "--children", "4", "--reward", text) == 0
    assert f"--reward '{text}'" in RunFolder(tmp_path).read_config()["repeat"]
