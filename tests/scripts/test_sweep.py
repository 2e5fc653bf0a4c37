"""Sweeps: the files are valid, and wandb's own commands run them against a server of ours."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import pytest

from agents.search.flags import Flag, agent_flags, environment_flags, settings_flags
from agents.search.options import GROUPS
from tests.scripts.wandb_stub import Run, WandbStub

yaml: Any = import_module("yaml")  # of wandb; it has no annotations
ROOT = Path(__file__).parents[2]
SWEEPS = sorted((ROOT / "scripts" / "sweeps").glob("*.yaml"))
TINY = {"name": "quick", "epochs": 1, "reward_epochs": 1, "train_images": 64}
WANDB = str(Path(sys.executable).with_name("wandb"))


def values(parameter: dict[str, Any]) -> list[Any]:
    if "distribution" in parameter:
        return [parameter["min"], parameter["max"]]
    return list(parameter.get("values", [parameter.get("value")]))


def kinds_of(hint: Any) -> set[str]:
    """Names of the types that a flag takes; a list in YAML is a tuple here."""
    if get_origin(hint) is tuple:
        return {"list"}
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    literal = get_origin(hint) is Literal
    return {
        type(k).__name__ if literal else "list" if get_origin(k) is tuple else k.__name__
        for k in kinds
    }


def all_flags() -> list[Flag]:
    groups = [settings_flags(kind) for kind in GROUPS.values()]
    return [flag for group in [*groups, environment_flags(), agent_flags()] for flag in group]


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: str(path.stem))
def test_a_sweep_file_names_flags_that_exist_with_values_of_their_type(path: Path) -> None:
    sweep = yaml.safe_load(path.read_text())
    assert (ROOT / sweep["program"]).exists()
    kinds = {flag.name: kinds_of(flag.hint) for flag in all_flags()}
    for name, parameter in sweep["parameters"].items():
        for value in values(parameter):
            assert type(value).__name__ in kinds[name], f"{name}: {value!r}"


def test_a_sweep_file_is_for_each_comparison_and_for_early_stopping() -> None:
    assert {path.stem for path in SWEEPS} >= {
        *("compare_agents_digits", "compare_agents_cifar10", "compare_agents_ptb"),
        *("controller", "early_stopping"),
    }
    stopping = yaml.safe_load((ROOT / "scripts/sweeps/early_stopping.yaml").read_text())
    assert stopping["early_terminate"]["type"] == "hyperband"


def command(stub: WandbStub, folder: Path, *arguments: str) -> str:
    """Run wandb's own command line in ``folder``, as a user with a key and no other account."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("WANDB_")}
    home = {f"WANDB_{n}_DIR": str(folder / "home") for n in ("CONFIG", "DATA", "CACHE")}
    env = {
        **kept,
        **home,
        "HOME": str(folder),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "WANDB_BASE_URL": stub.url,
        "WANDB_API_KEY": "0" * 40,
        "WANDB__FILE_STREAM_TRANSMIT_INTERVAL": "0.5",
    }
    done = subprocess.run(
        [WANDB, *arguments], cwd=folder, env=env, capture_output=True, text=True, timeout=540
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def sweep_and_agent(stub: WandbStub, folder: Path, name: str) -> str:
    """``wandb sweep FILE``, then ``wandb agent ID`` as it printed; what the agent said."""
    sweep = yaml.safe_load((ROOT / f"scripts/sweeps/{name}.yaml").read_text())
    path = folder / "sweep.yaml"  # of another working folder
    path.write_text(yaml.safe_dump({**sweep, "program": str(ROOT / sweep["program"])}))
    found = re.search(r"wandb agent (\S+)", command(stub, folder, "sweep", str(path)))
    assert found is not None
    return command(stub, folder, "agent", re.sub(r"\x1b\[\d*m", "", found[1]))


@pytest.mark.slow
def test_wandb_sweep_and_wandb_agent_run_and_stop_trials(tmp_path: Path) -> None:
    shared = {
        "env": "NAS-Digits-v0",
        "recipe": json.dumps(TINY),
        "num_layers": 1,
        "executor": "local",
        "children_per_update": 2,
        "progress": False,
    }
    trials = [
        {**shared, "agent": "reinforce", "seed": 0, "children": 4, "learning_rate": 1.0e-4},
        {**shared, "agent": "random", "seed": 0, "children": 4, "gradient_clip": None},
        {**shared, "agent": "random", "seed": 1, "children": 4, "learning_rate": "fast"},
        {**shared, "agent": "reinfroce", "seed": 0, "children": 4},
        {**shared, "agent": "random", "seed": 2, "children": 100_000},
    ]

    def stops(name: str, runs: Mapping[str, Run]) -> bool:
        return name == "trial4"

    with WandbStub(trials, stops) as stub:
        told = sweep_and_agent(stub, tmp_path, "compare_agents_digits")
    assert "learning-rate" in told.replace("_", "-")  # the wrong value, named
    assert "Unknown agent: 'reinfroce'. Did you mean 'reinforce'?" in told
    assert "Traceback" not in told
    assert sorted(stub.runs) == ["trial0", "trial1", "trial4"]
    for name, agent in (("trial0", "reinforce"), ("trial1", "random")):
        run = stub.runs[name]
        assert run.exit_code == 0
        assert [row["children"] for row in run.history] == [2, 4]
        assert run.history[-1]["best_metric"] > 0
        assert run.config["agent"]["value"] == agent
    stopped = stub.runs["trial4"]
    assert stopped.exit_code == 0
    assert 0 < len(stopped.history)
    (folder,) = (tmp_path / "runs").glob("*-trial4")
    assert json.loads((folder / "checkpoint" / "checkpoint.json").read_text())["update"] > 0
    assert len([a for a in stub.artifacts if a["artifactTypeName"] == "search"]) == 3


def hyperband_stops(
    mine: Sequence[float], all_runs: Iterable[Sequence[float]], min_iter: int, eta: int
) -> bool:
    """Whether Hyperband ends a run, as in wandb's package ``sweeps`` 0.3 for ``min_iter``.

    At the last band (``min_iter * eta**k`` values) that a run has reached, its value must be no
    worse than the best 1/eta of the values that all runs had there. Written anew because that
    package needs a numpy older than 2.
    """
    band = min_iter
    while band * eta <= len(mine):
        band *= eta
    if band > len(mine):
        return False
    there = sorted((run[band - 1] for run in all_runs if len(run) >= band), reverse=True)
    return mine[band - 1] < there[len(there) // eta]


@pytest.mark.slow
def test_hyperband_ends_a_poor_run_of_the_early_stopping_sweep(tmp_path: Path) -> None:
    """Decided by the rule that wandb's server applies, on what our runs log."""
    config = yaml.safe_load((ROOT / "scripts/sweeps/early_stopping.yaml").read_text())
    assert config["metric"]["goal"] == "maximize"

    def stops(name: str, runs: Mapping[str, Run]) -> bool:
        rows = {key: [row[config["metric"]["name"]] for row in runs[key].history] for key in runs}
        limits = config["early_terminate"]
        return hyperband_stops(rows[name], rows.values(), limits["min_iter"], limits["eta"])

    shared = {"env": "NAS-Digits-Table-v0", "agent": "reinforce", "progress": False}
    shared |= {"avoid_repeats": False}
    trials = [
        {**shared, "seed": 0, "children": 8 * 320, "learning_rate": 1.0e-2},
        {**shared, "seed": 1, "children": 8 * 320, "learning_rate": 1.0e-2},
        {**shared, "seed": 2, "children": 8 * 25_600, "learning_rate": 1.0e-7},
    ]
    with WandbStub(trials, stops) as stub:
        sweep_and_agent(stub, tmp_path, "early_stopping")
    assert {name: run.exit_code for name, run in stub.runs.items()} == dict.fromkeys(
        ("trial0", "trial1", "trial2"), 0
    )
    updates = [len(run.history) for run in stub.runs.values()]
    assert updates[:2] == [320, 320]
    assert 4 <= updates[2] < 25_600
    (folder,) = (tmp_path / "runs").glob("*-trial2")
    assert (folder / "checkpoint" / "checkpoint.json").exists()
