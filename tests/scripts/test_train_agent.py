"""The command line of a search: what it leaves and prints, every way to misuse it, signals."""

import contextlib
import csv
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import gymnasium as gym
import pytest

import nas_env
from agents.agent import Problem
from agents.commands.train import main
from agents.random_search import RandomSearchAgent
from agents.registry import register_agent
from nas_env.checks import between, check_settings
from nas_env.evaluation.store import EvaluationStore
from nas_env.training import image_recipes

TINY = json.dumps({"name": "quick", "epochs": 1, "reward_epochs": 1, "train_images": 64})
DIGITS = ["--env", "NAS-Digits-v0", "--recipe", TINY, "--num-layers", "1", "--executor", "local"]
CHOICE = "Test-Choice-v0"
SIGNALS: list[signal.Signals] = []
"""Signals to send, one per child, from inside the evaluator."""


def worth(architecture: Any, seed: int) -> float:
    if SIGNALS:
        signal.raise_signal(SIGNALS.pop())
    return float(architecture["width"])


def make_choice(**arguments: Any) -> nas_env.ArchitectureEnv:
    space = nas_env.ChoiceSpace({"width": [1, 2, 3], "depth": [1, 2, 3]})
    return nas_env.ArchitectureEnv(space, worth)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test in a folder of its own, with an id of a user's own."""
    monkeypatch.chdir(tmp_path)
    gym.register(CHOICE, make_choice)
    SIGNALS.clear()
    yield
    del gym.registry[CHOICE]


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "episodes.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def only_run(folder: Path) -> Path:
    (config,) = (folder / "runs").glob("*/config.json")
    return config.parent


@pytest.mark.parametrize("agent", ["reinforce", "random", "evolution"])
def test_a_search_of_real_children_leaves_a_run_folder_and_a_summary(
    agent: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*DIGITS, "--agent", agent, "--children", "4", "--children-per-update", "2"]) == 0
    run, printed = only_run(tmp_path), capsys.readouterr().out
    assert len(rows(run)) == 4
    assert {"config.json", "updates.csv", "checkpoint", "best_architecture.txt"} <= {
        path.name for path in run.iterdir()
    }
    best = max(float(row["metric"]) for row in rows(run))
    assert f"best accuracy {best:.4f}" in printed
    assert "4/4 children" in printed
    assert str(run) in printed
    assert f"repeat it   nas-env evaluate {run}" in printed
    assert (run / "best_architecture.txt").read_text().strip() in printed
    with EvaluationStore(tmp_path / "runs" / "store.sqlite") as store:
        assert len(store) == len({row["architecture"] for row in rows(run)})


def test_the_recipe_with_its_numerics_is_pinned_in_the_run(tmp_path: Path) -> None:
    assert main([*DIGITS, "--children", "1"]) == 0
    recipe = json.loads((only_run(tmp_path) / "config.json").read_text())["environment"]["recipe"]
    assert recipe["epochs"] == 1
    assert recipe["numerics"] != "auto"


def pinned_recipe(run: Path) -> dict[str, Any]:
    recipe: dict[str, Any] = json.loads((run / "config.json").read_text())["environment"]["recipe"]
    return recipe


def test_a_resumed_run_keeps_its_recipe_whatever_is_fastest_and_whatever_its_name_means_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def machine(numerics: str) -> None:
        monkeypatch.setattr(image_recipes, "choose_numerics", lambda device: numerics)

    flags = [*DIGITS, "--children-per-update", "2", "--seed", "3"]
    machine("float32")
    assert main([*flags, "--children", "4", "--run-dir", "whole/run"]) == 0
    assert main([*flags, "--children", "2", "--run-dir", "parts/run", "--store", "own"]) == 0
    machine("bfloat16-channels_last")
    smoother = replace(image_recipes.RECIPES["quick"], label_smoothing=0.3)
    monkeypatch.setitem(image_recipes.RECIPES, "quick", smoother)
    again = ["--resume", "--run-dir", "parts/run", "--store", "own", "--children", "4"]
    assert main(again) == 0
    whole, parts = tmp_path / "whole" / "run", tmp_path / "parts" / "run"
    assert pinned_recipe(parts) == pinned_recipe(whole)
    assert pinned_recipe(parts)["numerics"] == "float32"
    assert [row["metric"] for row in rows(parts)] == [row["metric"] for row in rows(whole)]
    assert main([*flags, "--children", "2", "--run-dir", "new/run"]) == 0
    assert pinned_recipe(tmp_path / "new" / "run")["numerics"] == "bfloat16-channels_last"


def test_a_run_resumes_with_its_own_settings_and_a_larger_budget(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = ["--children", "6", "--children-per-update", "2", "--seed", "3"]
    assert main([*DIGITS, *whole, "--run-dir", "whole/run"]) == 0
    short = ["--children", "2", "--children-per-update", "2", "--seed", "3"]
    assert main([*DIGITS, *short, "--run-dir", "parts/run"]) == 0
    assert main(["--resume", "--run-dir", "parts/run", "--children", "6"]) == 0
    first, second = rows(tmp_path / "whole" / "run"), rows(tmp_path / "parts" / "run")
    for key in ("number", "tokens", "metric", "reward", "state"):
        assert [row[key] for row in first] == [row[key] for row in second]
    assert "6/6 children" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "sigterm"]
)
def test_a_signal_leaves_a_resumable_run_and_says_how(
    number: signal.Signals, status: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--env", CHOICE, "--children", "24", "--seed", "1"]
    assert main([*arguments, "--run-dir", "whole"]) == 0
    first_update = ["--env", CHOICE, "--children", "8", "--seed", "1", "--run-dir", "run"]
    assert main(first_update) == 0
    SIGNALS.append(number)
    resume = ["--resume", "--run-dir", "run", "--children", "24"]
    assert main(resume) == status
    error = capsys.readouterr().err
    assert "interrupted after 8 children" in error
    told = re.search(r"--resume --run-dir (\S+)", error)
    assert told is not None
    assert main(["--resume", "--run-dir", told[1], "--children", "24"]) == 0
    assert [row["tokens"] for row in rows(tmp_path / "run")] == [
        row["tokens"] for row in rows(tmp_path / "whole")
    ]


def test_a_reader_that_has_gone_leaves_a_resumable_run(tmp_path: Path) -> None:
    """`train_agent.py ... | head -3`"""
    script = Path(__file__).parents[2] / "scripts" / "train_agent.py"
    command = [sys.executable, str(script), *DIGITS, "--children", "1000000", "--run-dir", "run"]
    environment = {**os.environ, "PYTHONPATH": str(script.parents[1])}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        begins = [process.stdout.readline().split()[0] for _ in range(3)]
        assert begins == [b"recipe", b"NAS-Digits-v0,", b"run"]
        process.stdout.close()
        assert process.wait(timeout=300) == 141
        assert process.stderr.read() == b""
    # Lines also come while the first children train: then nothing is written yet.
    done = len(rows(tmp_path / "run")) if (tmp_path / "run" / "episodes.csv").exists() else 0
    assert done < 1_000_000
    assert main(["--resume", "--run-dir", "run", "--children", str(done + 1)]) == 0
    assert len(rows(tmp_path / "run")) == done + 1


@pytest.mark.parametrize("kind", ["no database", "other version", "a folder", "in no folder"])
def test_a_store_that_cannot_be_used_leaves_no_run_folder(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "bad.sqlite"
    if kind == "no database":
        store.write_text("shopping list, long enough to be read as a header of SQLite " * 20)
    elif kind == "other version":
        EvaluationStore(store).check()
        with contextlib.closing(sqlite3.connect(store)) as connection, connection:
            connection.execute("UPDATE meta SET value = '999'")
    elif kind == "a folder":
        store.mkdir()
    else:
        store.write_text("a file, so no folder for a store")
        store = store / "store.sqlite"
    assert main([*DIGITS, "--children", "1", "--run-dir", "run", "--store", str(store)]) == 2
    error = capsys.readouterr().err
    assert str(store) in error
    assert "resume" not in error, "there is nothing to resume"
    assert not (tmp_path / "run").exists()


def test_data_that_no_child_can_be_trained_on_leave_no_run_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("cat", "dog"):
        folder = tmp_path / "images" / "train" / name
        folder.mkdir(parents=True)
        (folder / "1.png").write_bytes(b"no picture")
    flags = ["--env", "NAS-CIFAR10-v0", "--dataset", "images", "--recipe", TINY]
    flags += ["--executor", "local", "--num-layers", "1", "--run-dir", "run"]
    assert main(flags) == 2
    assert "is not a readable image" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_run_folder_that_cannot_be_made_promises_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main([*DIGITS, "--children", "1", "--run-dir", "file/run", "--store", "s.sqlite"]) == 2
    error = capsys.readouterr().err
    assert "The run folder" in error and str(tmp_path / "file") in error
    assert "lost" not in error
    assert "resume" not in error
    assert not (tmp_path / "s.sqlite").exists()


def test_resume_with_other_settings_is_refused_and_names_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--env", CHOICE, "--children", "8", "--run-dir", "run"]) == 0
    changed = ["--resume", "--run-dir", "run", "--learning-rate", "0.5", "--seed", "4"]
    assert main(changed) == 2
    error = capsys.readouterr().err
    assert "agent_options.learning_rate" in error
    assert "seed: 0 in the run, 4 now" in error


def test_without_cifar10_the_default_is_the_digits_and_a_banner_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("no folder, so nothing can be downloaded into it")
    small = ["--recipe", TINY, "--num-layers", "1", "--executor", "local", "--children", "1"]
    assert main([*small, "--data-dir", "file/data"]) == 0
    printed = capsys.readouterr().out
    assert "CIFAR-10 is neither on disk nor downloadable" in printed
    config = json.loads((only_run(tmp_path) / "config.json").read_text())
    assert config["env"] == "NAS-Digits-v0"


def test_an_explicit_environment_without_its_data_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["--env", "NAS-CIFAR10-v0", "--data-dir", "file/data"]) == 2
    assert "CIFAR-10 was not found" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--env", "NAS-Digit-v0"], "Did you mean 'NAS-Digits-v0'"),
        (["--env", "nobody:NAS-Digits-v0"], "Unknown environment"),
        (["--agent", "reinforced"], "Did you mean 'reinforce'"),
        (["--preset", "quik"], "Did you mean 'quick'"),
        (["--recipe", "slow"], "recipe must be one of 'paper', 'fast', 'quick'"),
        (["--recipe", "{epochs: 1}"], "not valid JSON"),
        (["--recipe", '{"epoch": 1}'], "epoch"),
        (["--executor", "proces"], "Did you mean 'process'"),
        (["--dataset", "no/such/folder"], "no/such/folder"),
        (["--device", "tpu"], "tpu"),
        (["--env", "Acrobot-v1", "--num-layers", "3"], "Acrobot-v1 cannot be made"),
        (["--env", "CartPole-v1"], "Agents play environments with action space Discrete"),
        (["--children", "0"], "children must be a whole number of at least 1"),
        (
            ["--children-per-update", "-1"],
            "children_per_update must be a whole number",
        ),
        (["--hours", "-1"], "hours must be a finite number above 0"),
        (["--workers", "0"], "workers must be a whole number of at least 1"),
        (["--seed", "-1"], "seed must be a whole number of at least 0"),
        (["--num-layers", "0"], "num_layers"),
        (["--population", "5"], "Unknown hyper-parameter of agent 'reinforce': 'population'"),
        (["--learning-rate", "-1"], "learning_rate must be a finite number above 0"),
        (["--resume"], "--resume needs --run-dir"),
        (["--resume", "--run-dir", "nowhere"], "holds no run"),
        (["--store", "."], "store"),
    ],
)
def test_a_wrong_argument_is_one_clear_message_and_status_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    base = [] if "--env" in arguments else ["--env", "NAS-Digits-v0"]
    assert main([*base, *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("error: ") == 1
    assert "Traceback" not in error


@pytest.mark.parametrize("flag", ["--learning-rat", "--childre_n", "--nonsense"])
def test_an_unknown_flag_is_refused_with_status_2(
    flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main([flag, "1"])
    assert caught.value.code == 2
    assert flag.replace("_", "-") in capsys.readouterr().err.replace("_", "-")


def test_flags_are_spelled_with_dashes_or_underscores() -> None:
    assert main(["--env", CHOICE, "--children", "8", "--children_per_update", "4"]) == 0


def test_help_explains_every_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    printed = capsys.readouterr().out
    for flag in (
        *("agent", "env", "preset", "recipe", "dataset", "data-dir", "children", "hours"),
        *("children-per-update", "seed", "workers", "executor", "device", "store", "run-dir"),
        *("resume", "retry-failed", "failure-reward", "learning-rate", "population"),
    ):
        assert f"--{flag}" in printed


def test_a_stored_timeout_is_trained_again_on_request_and_for_who_grants_more_time(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    slow = json.dumps({**json.loads(TINY), "time_limit_s": 1e-6})
    digits = [word if word != TINY else slow for word in DIGITS]
    assert main([*digits, "--children", "2", "--run-dir", "a/run"]) == 1
    assert "No child could be trained" in capsys.readouterr().out
    assert main([*digits, "--children", "2", "--run-dir", "a/same"]) == 1
    assert main([*digits, "--children", "2", "--run-dir", "a/asked", "--retry-failed"]) == 1
    assert main([*DIGITS, "--children", "2", "--run-dir", "a/granted"]) == 0
    found = {
        name: {(row["failure"], row["cached"]) for row in rows(tmp_path / "a" / name)}
        for name in ("run", "same", "asked", "granted")
    }
    assert found == {
        "run": {("timeout", "0")},
        "same": {("timeout", "1")},
        "asked": {("timeout", "0")},
        "granted": {("", "0")},
    }


def test_a_search_in_which_every_child_fails_says_why_with_status_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    hopeless = json.dumps({**json.loads(TINY), "max_parameters": 1})
    digits = [word if word != TINY else hopeless for word in DIGITS]
    assert main([*digits, "--children", "2"]) == 1
    assert "No child could be trained" in capsys.readouterr().out


@dataclass(frozen=True)
class GreedySettings:
    """Hyper-parameters of an agent of somebody else's.

    Attributes:
        optimism: share of children that repeat the best one.
    """

    optimism: Annotated[float, between(0, 1)] = 0.5

    def __post_init__(self) -> None:
        check_settings(self)


class GreedyAgent(RandomSearchAgent):
    name = "greedy"

    def __init__(
        self, problem: Problem, seed: int = 0, settings: GreedySettings | None = None
    ) -> None:
        super().__init__(problem, seed)
        self.settings = settings or GreedySettings()


def test_an_agent_from_outside_has_flags_help_checks_and_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One call registers it; nothing of the project is edited."""
    register_agent("greedy", GreedyAgent, GreedySettings)
    with pytest.raises(SystemExit):
        main(["--help"])
    printed = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "greedy: share of children that repeat the best one (default 0.5)." in printed
    flags = ["--env", CHOICE, "--agent", "greedy", "--children", "8", "--run-dir", "run"]
    assert main([*flags, "--optimism=0.25"]) == 0
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["agent_options"] == {"optimism": 0.25}
    assert main([*flags[:-1], "other", "--optimism", "2"]) == 2
    assert "optimism must be a finite number from 0 to 1, got 2.0" in capsys.readouterr().err
