"""Agents over several tables from the command line: one page, each search once."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.commands.compare import main
from nas_env.tables.file import space_from_json, write_table
from nas_env.tables.table import Table
from tests.web_page import problems_of

CHOICES = {"kind": "choices", "choices": {name: [0, 1, 2] for name in "abcd"}}


@pytest.fixture
def tables(tmp_path: Path) -> list[str]:
    """Two tables of 81 members: the share of 2s, and of 0s."""
    paths = []
    for name, best in (("twos", 2), ("zeros", 0)):
        space = space_from_json(CHOICES)
        tokens = np.array(np.unravel_index(np.arange(81), (3, 3, 3, 3)))
        metrics = (tokens == best).mean(axis=0)[:, None] * 0.8 + np.array([0.09, 0.11])
        made = Table(space, metrics, "accuracy", train_seconds=np.full((81, 2), 0.5))
        paths.append(str(write_table(tmp_path / f"{name}.npz", made, CHOICES)))
    return paths


def flags(tables: list[str], folder: Path, *more: str) -> list[str]:
    given = ["--suite", *tables, "--agents", "random", "evolution", "--children", "80"]
    return [*given, "--seeds", "4", "--run-dir", str(folder), *more]


def test_a_suite_leaves_one_page_over_all_tables(
    tables: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(flags(tables, tmp_path / "out")) == 0
    printed = capsys.readouterr().out
    assert "16 of 16 searches done" in printed and "Probability of improvement" in printed
    page = (tmp_path / "out" / "suite.html").read_text()
    assert problems_of(page) == []
    for text in ("twos, zeros", "Probability of improvement over random", "Performance profile"):
        assert text in page
    for text in ("Area under the curve", "against time", "How much was tuned", "no settings"):
        assert text in page
    with (tmp_path / "out" / "suite.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 2 * 4 * 3  # tables, agents, seeds, budgets
    last = [r for r in rows if r["agent"] == "evolution" and r["children"] == "80"]
    assert all(float(r["normalised_regret"]) < 0.8 and r["seconds"] == "40.000" for r in last)


def test_a_suite_goes_on_with_what_is_missing(tables: list[str], tmp_path: Path) -> None:
    assert main(flags(tables[:1], tmp_path / "out")) == 0
    traces = tmp_path / "out" / "twos" / "traces"
    before = {path.name: path.stat().st_mtime_ns for path in traces.iterdir()}
    assert main(flags(tables, tmp_path / "out", "--first-seed", "2")) == 0
    after = {path.name: path.stat().st_mtime_ns for path in traces.iterdir()}
    assert len(before) == 8 and len(after) == 12
    assert {name: after[name] for name in before} == before


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--recipe", "quick"], "recipe cannot be given"),
        (["--arguments", '{"table": "x"}'], "arguments cannot be given"),
        (["--agents", "evolutoin"], "Did you mean 'evolution'"),
    ],
)
def test_mistakes_are_named_before_anything_runs(
    tables: list[str], tmp_path: Path, capsys: Any, more: list[str], message: str
) -> None:
    assert main(flags(tables, tmp_path / "out", *more)) == 2
    assert message in capsys.readouterr().err
    assert main(flags([*tables, tables[0]], tmp_path / "out")) == 2
    assert "Two tables are called 'twos'" in capsys.readouterr().err
    assert main(flags(["nope"], tmp_path / "out")) == 2
    assert "There is no table 'nope'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
