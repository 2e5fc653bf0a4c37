"""Sweeps: the files are valid, and wandb's own commands run them against a server of ours."""

import json
import os
import re
import subprocess
import sys
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import pytest

from agents.train_options import TrainOptions
from tests.scripts.wandb_stub import WandbStub

yaml: Any = import_module("yaml")  # of wandb; it has no annotations
ROOT = Path(__file__).parents[2]
SWEEPS = sorted((ROOT / "scripts" / "sweeps").glob("*.yaml"))
TINY = {"name": "quick", "epochs": 1, "reward_epochs": 1, "train_images": 64}
WANDB = str(Path(sys.executable).with_name("wandb"))


def values(parameter: dict[str, Any]) -> list[Any]:
    if "distribution" in parameter:
        return [parameter["min"], parameter["max"]]
    return list(parameter.get("values", [parameter.get("value")]))


def kinds_of(annotation: Any) -> tuple[type[Any], ...]:
    return get_args(annotation) or (annotation,)


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: str(path.stem))
def test_a_sweep_file_names_flags_that_exist_with_values_of_their_type(path: Path) -> None:
    sweep = yaml.safe_load(path.read_text())
    assert (ROOT / sweep["program"]).exists()
    kinds = {f.name: {k.__name__ for k in kinds_of(f.type)} for f in fields(TrainOptions)}
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


def copied(folder: Path) -> Path:
    """The sweep over agents on the digits, for another working folder."""
    sweep = yaml.safe_load((ROOT / "scripts/sweeps/compare_agents_digits.yaml").read_text())
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump({**sweep, "program": str(ROOT / sweep["program"])}))
    return path


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
    with WandbStub(trials, stop=(4,)) as stub:
        told = command(stub, tmp_path, "sweep", str(copied(tmp_path)))
        found = re.search(r"wandb agent (\S+)", told)
        assert found is not None
        told = command(stub, tmp_path, "agent", re.sub(r"\x1b\[\d*m", "", found[1]))
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
