"""Stable-Baselines3's agents on the command line: what ours leave in a run, these leave too."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

import nas_env
from agents.commands.train import main
from agents.records.checkpoint import load_checkpoint
from baselines.sb3_settings import PPOSettings
from baselines.table import AGENTS
from nas_env.evaluation.evaluation import Evaluation, MetricName
from nas_env.evaluation.store import EvaluationStore

TINY = json.dumps({"name": "quick", "epochs": 1, "reward_epochs": 1, "train_images": 64})
DIGITS = ["--env", "NAS-Digits-v0", "--recipe", TINY, "--num-layers", "2", "--executor", "local"]
CHOICE = "Test-SB3-v0"
BATCHES: list[int] = []
"""How many children the evaluator got at once."""


class Counting:
    """Evaluates with a function, and notes the size of each batch."""

    metric_name: MetricName = "metric"

    def __init__(self, space: Any) -> None:
        self.inner = nas_env.ArchitectureEnv(space, worth).evaluator

    def evaluate(self, architectures: Any, run_seed: int) -> list[Evaluation]:
        BATCHES.append(len(architectures))
        return list(self.inner.evaluate(architectures, run_seed))

    def close(self) -> None: ...


def worth(architecture: Any, seed: int) -> float:
    return float(architecture["width"])


def make_choice(**arguments: Any) -> nas_env.ArchitectureEnv:
    space = nas_env.ChoiceSpace({"width": [1, 2, 3], "depth": [1, 2]})
    return nas_env.ArchitectureEnv(space, Counting(space))


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    gym.register(CHOICE, make_choice)
    BATCHES.clear()
    yield
    del gym.registry[CHOICE]


def episodes(run: str) -> list[tuple[str, ...]]:
    """All but the time they took and where they came from."""
    with Path(run, "episodes.csv").open(newline="") as file:
        keys = ("number", "tokens", "architecture", "metric", "reward", "state", "failure")
        return [tuple(row[key] for key in keys) for row in csv.DictReader(file)]


def weights(run: str) -> dict[str, bytes]:
    checkpoint = load_checkpoint(Path(run, "checkpoint"))
    assert checkpoint is not None
    return {name: array.tobytes() for name, array in checkpoint.agent.arrays.items()}


@pytest.mark.parametrize(
    "agent",
    [
        name if name == "maskable_ppo" else pytest.param(name, marks=pytest.mark.slow)
        for name in AGENTS
    ],
)
def test_real_children_a_run_folder_a_store_and_a_resume_that_changes_nothing(
    agent: str, capsys: pytest.CaptureFixture[str]
) -> None:
    base = [*DIGITS, "--agent", agent, "--children-per-update", "3", "--seed", "3"]
    assert main([*base, "--children", "6", "--run-dir", "whole/run"]) == 0
    assert main([*base, "--children", "3", "--run-dir", "parts/run"]) == 0
    assert main(["--resume", "--run-dir", "parts/run", "--children", "6"]) == 0
    assert f"agent {agent}" in capsys.readouterr().out
    assert episodes("parts/run") == episodes("whole/run")
    assert weights("parts/run") == weights("whole/run")
    made = {path.name for path in Path("parts/run").iterdir()}
    assert {"config.json", "updates.csv", "checkpoint", "best_architecture.json"} <= made
    with EvaluationStore(Path("parts/store.sqlite")) as store:
        assert len(store) == len({row[2] for row in episodes("parts/run")})


@pytest.mark.parametrize("agent", AGENTS)
def test_the_children_of_an_update_reach_the_evaluator_together(agent: str) -> None:
    arguments = ["--env", CHOICE, "--agent", agent, "--children", "11"]
    assert main([*arguments, "--children-per-update", "4"]) == 0
    assert BATCHES == [4, 4, 3]


def test_flags_reach_the_algorithm_and_the_rest_are_its_defaults() -> None:
    given = ["--n-epochs", "3", "--clip-range", "0.1", "--entropy-coefficient", "0.01"]
    arguments = ["--env", CHOICE, "--agent", "maskable_ppo", "--children", "8", *given]
    assert main([*arguments, "--run-dir", "run"]) == 0
    options = json.loads(Path("run/config.json").read_text())["agent_options"]
    expected = PPOSettings(n_epochs=3, clip_range=0.1, entropy_coefficient=0.01)
    assert options == expected.__dict__
    assert (options["gamma"], options["gae_lambda"]) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--agent", "maskable-ppo"], "Did you mean 'maskable_ppo'"),
        (["--agent", "PPO"], "Unknown agent: 'PPO'"),
        (["--agent", "dqn"], "'recurrent_ppo'"),
        (["--agent", "ppo", "--population", "5"], "Unknown hyper-parameter of agent 'ppo'"),
        (["--agent", "a2c", "--clip-range", "0.1"], "Unknown hyper-parameter of agent 'a2c'"),
        (["--agent", "random", "--n-epochs", "2"], "Unknown hyper-parameter of agent 'random'"),
        (
            ["--agent", "ppo", "--batch-size", "1"],
            "batch_size must be a whole number",
        ),
        (
            ["--agent", "ppo", "--learning-rate", "0"],
            "learning_rate must be a finite number",
        ),
        (["--agent", "ppo", "--learning-rate", "1e20"], "The policy of ppo diverged"),
    ],
)
def test_what_an_agent_cannot_do_is_one_clear_message(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--env", CHOICE, "--children", "64", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("error: ") == 1


def test_help_names_the_agents_and_their_defaults(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    printed = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for word in (*AGENTS, "--n-epochs", "--batch-size", "--clip-range"):
        assert word in printed
    assert "a2c: SB3's for A2C (default 0.0007)" in printed
