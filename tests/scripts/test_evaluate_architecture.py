"""The command line for one architecture: figures for a good file, one line for a bad one."""

import json
from pathlib import Path

import pytest

import nas_env
from agents.commands.evaluate import main
from nas_env.space.conv_architecture import ConvArchitecture, Convolution
from tests.faults.outcome import Outcome, call, spawn

SMALL = ConvArchitecture((Convolution(3, 3, 8),))


def run(*arguments: object) -> Outcome:
    return call(main, *arguments)


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
    first = spawn("scripts/evaluate_architecture.py", *arguments, "--executor", "process")
    assert (first.status, first.error) == (0, "")
    again = run(*arguments)
    evaluation = nas_env.evaluate(SMALL, "digits", seed=3)
    assert f"accuracy     {evaluation.metric:.4f} (validation)" in first.output
    assert f"parameters   {evaluation.parameters:,}" in first.output
    assert str(evaluation.seed) in first.output
    assert "(cached)" not in first.output
    assert "(cached)" in again.output
    assert first.output.splitlines()[0] == again.output.splitlines()[0]


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
    assert (result.status, result.output) == (2, "")
    assert result.error.startswith("error: ")
    assert message in result.error
    assert len(result.error.splitlines()) == 1


def test_a_recipe_is_a_name_or_a_json_object_as_in_a_search(small: Path) -> None:
    recipe = {"name": "quick", "epochs": 1, "reward_epochs": 1, "train_images": 64}
    result = run(small, "--dataset", "digits", "--recipe", json.dumps(recipe))
    assert (result.status, result.error) == (0, "")
    evaluation = nas_env.evaluate(SMALL, "digits", recipe)
    assert f"accuracy     {evaluation.metric:.4f} (validation)" in result.output


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
    assert (result.status, result.output) == (2, "")
    assert message in result.error
    assert len(result.error.splitlines()) == 1


def test_a_missing_data_set_is_one_line_and_a_failing_exit_of_the_script(
    small: Path, tmp_path: Path
) -> None:
    script = "scripts/evaluate_architecture.py"
    result = spawn(script, small, "--dataset", tmp_path / "nowhere")
    assert result.status == 2
    assert result.error.startswith("error: ")
    assert "nowhere" in result.error
    assert len(result.error.splitlines()) == 1


def test_a_store_that_is_no_database_is_one_line_and_a_failing_exit(
    small: Path, tmp_path: Path
) -> None:
    result = run(small, "--dataset", "digits", "--store", small)
    assert result.status == 2
    assert result.error.startswith("error: ")
    assert "not an SQLite database" in result.error
