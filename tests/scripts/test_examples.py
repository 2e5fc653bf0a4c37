"""The examples run as printed, in seconds, and say what is wrong with what they are given."""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import agents
import nas_env
from agents.agent import Agent, Problem
from agents.command import run_command
from agents.random_search import RandomSearchAgent
from nas_env.errors import ConfigurationError, InvalidDatasetError
from nas_env.space.conv_architecture import ConvArchitecture
from scripts.examples.own_search_space import table_lookup
from tests.faults.outcome import Outcome, call

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "scripts" / "examples").glob("*.py"))


def run(name: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
    path = ROOT / "scripts" / "examples" / f"{name}.py"
    command = [sys.executable, "-W", "error::UserWarning", str(path), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def call_example(name: str, *arguments: object) -> Outcome:
    """In this process; ``run`` is the way of a user, who starts one."""
    example = import_module(f"scripts.examples.{name}")

    def command(words: Sequence[str]) -> int:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", [f"{name}.py", *words])
            return run_command(example.main)

    return call(command, *arguments)


def test_own_agent_beats_random_search() -> None:
    done = run("own_agent")
    assert done.returncode == 0, done.stderr
    ours, control = (float(line.split()[6].rstrip(",")) for line in done.stdout.splitlines())
    assert ours > control + 0.1


def test_own_search_space_reads_a_table_and_names_a_bad_one(tmp_path: Path) -> None:
    table = tmp_path / "table.npz"
    networks = np.stack(np.meshgrid(*[range(3)] * 8, indexing="ij"), -1).reshape(-1, 8)
    accuracies = 80 + networks.sum(axis=1)[:, None] + np.zeros((1, 3))
    np.savez(table, arch=networks, acc_seeds=accuracies)
    done = run("own_search_space", "--table", table, "--agent", "evolution", "--children", 150)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split("best ")[1].split(":")[0]) >= 0.9
    np.savez(tmp_path / "small.npz", arch=networks[:9], acc_seeds=accuracies[:9])
    (tmp_path / "cut.npz").write_bytes(table.read_bytes()[:1000])
    for name in ("none.npz", "small.npz", "cut.npz"):
        with pytest.raises(InvalidDatasetError, match=f"{name} is not the table"):
            table_lookup(tmp_path / name)


def test_examples_refuse_what_they_do_not_know(tmp_path: Path) -> None:
    for name, *arguments in (
        ("own_search_space", "--table", tmp_path / "none.npz"),
        ("own_search_space", "--agent", "maskable"),
        ("own_agent", "--children", "0"),
        ("sb3_side_by_side", "--updates", "0"),
        ("sb3_side_by_side", "--env", "CartPole-v1"),
        ("own_agent", "--nonsense", "1"),
    ):
        done = call_example(name, *arguments)
        assert done.status != 0
        assert "Traceback" not in done.error
        assert str(arguments[-1]) in done.error or "--nonsense" in done.error


@pytest.mark.parametrize("algorithm", ["maskable_ppo", "ppo"])
def test_plain_sb3_plays_whole_batches_of_valid_tokens(algorithm: str) -> None:
    done = call_example(
        "sb3_side_by_side", "--env", "NAS-Digits-Table-v0", "--algorithm", algorithm
    )
    assert done.status == 0, done.error
    children = re.findall(r"child (\d+): accuracy ([\d.]+), reward", done.output)
    assert [int(number) for number, _ in children] == list(range(1, 9))
    best, architecture = re.findall(r"best: child (\d+)\n(.*)", done.output)[0]
    assert float(children[int(best) - 1][1]) == max(float(accuracy) for _, accuracy in children)
    assert isinstance(nas_env.architecture_from_json(json.loads(architecture)), ConvArchitecture)


@pytest.mark.slow
def test_plain_sb3_trains_children_in_worker_processes() -> None:
    done = run("sb3_side_by_side", "--updates", 1)
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"child \d: accuracy", done.stdout)) == 4


@pytest.mark.slow
def test_own_images_are_trained_on_and_a_run_folder_is_left(tmp_path: Path) -> None:
    done = run("own_images", "--run-dir", tmp_path / "run", "--children", 2)
    assert done.returncode == 0, done.stderr
    assert "child 2: accuracy" in done.stdout
    *_, best = re.findall(r"best: child (\d+), built with ([\d,]+)", done.stdout)
    assert f"child {best[0]}: accuracy" in done.stdout
    assert re.search(rf"child {best[0]}: .*, {best[1]} parameters", done.stdout)
    assert (tmp_path / "run" / "report.html").exists()


@pytest.mark.slow
def test_own_text_is_trained_on() -> None:
    done = run("own_text")
    assert done.returncode == 0, done.stderr
    assert "perplexity" in done.stdout and "recurrent cell of base number 4" in done.stdout


@pytest.mark.parametrize("name", ["own_images", "own_text"])
def test_a_folder_that_is_not_there_is_one_line(name: str, tmp_path: Path) -> None:
    done = call_example(name, tmp_path / "nowhere")
    assert done.status == 2
    assert done.error.startswith("error: ") and "nowhere" in done.error


def test_every_example_explains_itself() -> None:
    assert len(EXAMPLES) >= 4
    for path in EXAMPLES:
        text = path.read_text()
        assert f"python scripts/examples/{path.name}" in text.split('"""')[1]


class First(RandomSearchAgent):
    """A user's own agent, here one that only has another name."""

    name = "first"


def env() -> nas_env.ArchitectureEnv:
    space = nas_env.ChoiceSpace({"a": [1, 2, 3], "b": [1, 2]})
    return nas_env.ArchitectureEnv(space, lambda architecture, seed: 1.0)


def test_an_agent_of_ones_own_searches_resumes_and_is_named_in_the_run(tmp_path: Path) -> None:
    whole = agents.run_search(env(), First, children=32)
    agents.run_search(env(), First, children=16, run_dir=tmp_path / "run")
    resumed = agents.run_search(env(), First, children=32, run_dir=tmp_path / "run", resume=True)
    assert [e.tokens for e in resumed.episodes] == [e.tokens for e in whole.episodes]
    assert '"agent": "first"' in (tmp_path / "run" / "config.json").read_text()


@pytest.mark.parametrize(
    ("agent", "options", "message"),
    [
        (3, {}, "must be a name"),
        (First, {"learning_rate": 1.0}, "learning_rate"),
        (lambda problem, seed: "me", {}, "expected an agents.Agent"),
    ],
)
def test_what_is_no_agent_is_a_clear_error(agent: Any, options: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        agents.run_search(env(), agent, children=8, **options)


def test_a_function_may_make_the_agent() -> None:
    made: list[Problem] = []

    def factory(problem: Problem, seed: int) -> Agent:
        made.append(problem)
        return First(problem, seed)

    agents.run_search(env(), factory, children=8)
    assert (made[0].num_positions, made[0].num_actions) == (2, 3)
