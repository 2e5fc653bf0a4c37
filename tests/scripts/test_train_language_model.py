import json
from pathlib import Path

import pytest

from agents.commands.language_model import main
from nas_env.space.published import NAS_CELL
from tests.faults.outcome import Outcome, call, spawn


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for part, count in {"train": 80, "valid": 20, "test": 20}.items():
        (tmp_path / f"my.{part}.txt").write_text("the cat sat\nthe dog ran\n" * count)
    (tmp_path / "cell.json").write_text(json.dumps(NAS_CELL.to_json()))
    return tmp_path


def run(*arguments: str) -> Outcome:
    return call(main, *arguments)


def test_the_test_text_is_not_read_unless_it_is_asked_for(folder: Path) -> None:
    for text in folder.glob("*.test.txt"):
        text.write_bytes(b"\xff\xfe no text")
    shared = ["--dataset", str(folder), "--device", "cpu", "--epochs", "1", "--recipe", "quick"]
    done = run(*shared)
    assert done.status == 0, done.error
    assert "test" not in done.output
    asked = run(*shared, "--test")
    assert asked.status == 2 and "test.txt" in asked.error


def test_prints_every_epoch_and_tests_once_at_the_end(folder: Path) -> None:
    cell = str(folder / "cell.json")
    shared = ["--dataset", str(folder), "--device", "cpu", "--epochs", "2"]
    shared += ["--recipe", '{"name": "zaremba_small", "numerics": "float32"}']
    done = run("--cell", cell, "--same-parameters-as", "lstm", "--test", *shared)
    assert done.status == 0, done.error
    lines = done.output.splitlines()
    assert "float32" in lines[0]
    assert [line.split()[:2] for line in lines[1:3]] == [["epoch", "1"], ["epoch", "2"]]
    assert sum("test perplexity" in line for line in lines) == 1
    assert "test perplexity" in lines[-1]
    parameters = int(lines[0].split(" parameters")[0].split()[-1].replace(",", ""))
    assert 0.97 * 644_407 < parameters <= 644_407  # an LSTM of 2 x 200 with seven words


def test_an_unknown_cell_is_one_line_and_status_2() -> None:
    done = spawn("scripts/train_language_model.py", "--cell", "lstn")
    assert done.status == 2
    assert "Unknown cell 'lstn'. Cells: lstm, gru, nas_cell" in done.error
    assert "Traceback" not in done.error
