"""What an earlier version wrote is read and resumed: keys, stores, run folders, checkpoints.

``build.py`` beside this file wrote everything that is read here.
"""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import agents
from agents.commands.train import main
from tests.golden import build

HERE = Path(__file__).parent
MEASURED_AGAIN = ("cached", "train_seconds")
"""Columns that differ between a training and what is remembered of it."""


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def without(path: Path, *names: str) -> list[dict[str, str]]:
    return [{k: v for k, v in row.items() if k not in names} for row in rows(path)]


@pytest.mark.parametrize("what", ["recipes", "layouts", "architectures"])
def test_keys_are_those_of_the_stores_that_are_out_there(what: str) -> None:
    written = json.loads((HERE / "keys.json").read_text())[what]
    now = json.loads(json.dumps(build.keys()[what]))
    assert now == written


@pytest.mark.parametrize("agent", build.TABLE_AGENTS)
def test_a_run_of_an_earlier_version_goes_on_where_it_was(agent: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(HERE / f"table_{agent}", run)
    options: dict[str, Any] = build.TABLE_AGENTS[agent]
    result = agents.run_search(
        *("NAS-Digits-Table-v0", agent, 32, 8, 3), run, resume=True, **options
    )
    written = rows(HERE / f"table_{agent}.csv")
    kept = [{name: row[name] for name in written[0]} for row in rows(run / "episodes.csv")]
    assert kept == written
    assert len(result.episodes) == 32


def test_children_of_an_earlier_version_are_not_trained_again(tmp_path: Path) -> None:
    run, store = tmp_path / "run", tmp_path / "store.db"
    shutil.copytree(HERE / "trained", run)
    shutil.copy(HERE / "store.db", store)
    flags = ["--resume", "--run-dir", str(run), "--store", str(store), "--children", "16"]
    assert main(flags) == 0
    written = without(HERE / "trained.csv", *MEASURED_AGAIN)
    found = without(run / "episodes.csv", *MEASURED_AGAIN)
    assert [{name: row[name] for name in written[0]} for row in found] == written
    assert [row["cached"] for row in rows(run / "episodes.csv")][8:] == ["1"] * 8
