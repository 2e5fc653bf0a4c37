"""The command line for one architecture: figures for a good file, one line for a bad one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import nas_env
from nas_env.space.conv_architecture import ConvArchitecture, Convolution

ROOT = Path(__file__).parents[2]
SMALL = ConvArchitecture((Convolution(3, 3, 8),))


def run(*arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, ROOT / "scripts" / "evaluate_architecture.py", *arguments]
    return subprocess.run([str(word) for word in command], capture_output=True, text=True)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.json"
    path.write_text(json.dumps(SMALL.to_json()))
    return path


@pytest.mark.slow
def test_it_prints_what_a_search_would_measure_and_finds_it_in_the_store(
    small: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store.sqlite"
    arguments = (small, "--dataset", "digits", "--seed", 3, "--store", store)
    first = run(*arguments, "--executor", "process")
    assert (first.returncode, first.stderr) == (0, "")
    again = run(*arguments)
    evaluation = nas_env.evaluate(SMALL, "digits", seed=3)
    assert f"accuracy     {evaluation.metric:.4f} (validation)" in first.stdout
    assert f"parameters   {evaluation.parameters:,}" in first.stdout
    assert str(evaluation.seed) in first.stdout
    assert "(cached)" not in first.stdout
    assert "(cached)" in again.stdout
    assert first.stdout.splitlines()[0] == again.stdout.splitlines()[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        ("{", "is not JSON"),
        ('{"kind": "conv", "layers": [{"type": "convolution"}]}', "filter_height"),
        ('{"kind": "choice", "choices": {"a": 1}}', "kind 'choice'"),
    ],
)
def test_a_bad_file_is_one_line_and_a_failing_exit(
    tmp_path: Path, content: str | None, message: str
) -> None:
    path = tmp_path / "bad.json"
    if content is not None:
        path.write_text(content)
    result = run(path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_recipe_is_a_name_or_a_json_object_as_in_a_search(small: Path) -> None:
    recipe = {"name": "quick", "epochs": 1, "reward_epochs": 1, "train_images": 64}
    result = run(small, "--dataset", "digits", "--recipe", json.dumps(recipe))
    assert (result.returncode, result.stderr) == (0, "")
    evaluation = nas_env.evaluate(SMALL, "digits", recipe)
    assert f"accuracy     {evaluation.metric:.4f} (validation)" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--recipe", "{epochs: 1}"), "not valid JSON"),
        (("--recipe", '{"epoch": 1}'), "Unknown recipe settings epoch"),
        (("--recipe", "slow"), "Unknown recipe 'slow'"),
        (("--seed", "-1"), "seed must be a whole number of at least 0, got -1"),
    ],
)
def test_a_wrong_option_is_one_line_and_a_failing_exit(
    small: Path, arguments: tuple[str, str], message: str
) -> None:
    result = run(small, "--dataset", "digits", *arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_missing_data_set_is_one_line_and_a_failing_exit(small: Path, tmp_path: Path) -> None:
    result = run(small, "--dataset", tmp_path / "nowhere")
    assert result.returncode == 2
    assert result.stderr.startswith("error: ")
    assert "nowhere" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_store_that_is_no_database_is_one_line_and_a_failing_exit(
    small: Path, tmp_path: Path
) -> None:
    result = run(small, "--dataset", "digits", "--store", small)
    assert result.returncode == 2
    assert result.stderr.startswith("error: ")
    assert "not an SQLite database" in result.stderr
