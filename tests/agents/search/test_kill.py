"""SIGKILL at random instants of a real search: it ends as if nothing had happened."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agents.records.checkpoint import load_checkpoint
from nas_env.evaluation.store import EvaluationStore

pytestmark = pytest.mark.slow
KILLS = int(os.environ.get("NAS_ENV_KILLS", "6"))
CHILDREN = 30
RECIPE = {"name": "quick", "epochs": 2, "reward_epochs": 1, "train_images": 256}
DRIVER = """
import os, sys
from pathlib import Path
from nas_env.evaluation.store import EvaluationStore

put = EvaluationStore.put

def noted(self, key, evaluation, *rest):
    with Path(os.environ["LOG"]).open("a") as log:
        log.write("again\\n" if key in self else "first\\n")
    return put(self, key, evaluation, *rest)

EvaluationStore.put = noted  # called for every child that was just trained

if __name__ == "__main__":
    from agents.commands.train import main
    sys.exit(main())
"""


def start(folder: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    folder.mkdir(exist_ok=True)
    driver = folder / "driver.py"
    driver.write_text(DRIVER)
    root = Path(__file__).parents[3]
    environment = {
        **os.environ,
        "LOG": str(folder / "log"),
        "PYTHONPATH": str(root),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, str(driver), "--run-dir", str(folder / "run"), *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)


def flags(agent: str, executor: str) -> list[str]:
    return [
        *("--env", "NAS-Digits-v0", "--recipe", json.dumps(RECIPE), "--num-layers", "2"),
        *(
            "--agent",
            agent,
            "--children",
            str(CHILDREN),
            "--children-per-update",
            "3",
            "--seed",
            "5",
        ),
        *("--executor", executor, "--workers", "2"),
    ]


def searching(folder: Path, process: "subprocess.Popen[bytes]", since: float) -> bool:
    """Wait until the process has opened its run folder; False if it has ended instead."""
    config = folder / "run" / "config.json"
    while process.poll() is None:
        if config.exists() and config.stat().st_mtime >= since:
            return True
        time.sleep(0.01)
    return False


def trained_so_far(folder: Path) -> int:
    log = folder / "log"
    return len(log.read_text().splitlines()) if log.exists() else 0


def rows(folder: Path) -> list[tuple[str, ...]]:
    """What must be equal of every episode: all but the time it took and where it came from."""
    with (folder / "run" / "episodes.csv").open(newline="") as file:
        keys = ("number", "tokens", "architecture", "metric", "reward", "state", "failure")
        return [tuple(row[key] for key in keys) for row in csv.DictReader(file)]


def weights(folder: Path) -> dict[str, bytes]:
    checkpoint = load_checkpoint(folder / "run" / "checkpoint")
    assert checkpoint is not None
    return {name: array.tobytes() for name, array in checkpoint.agent.arrays.items()}


def searched_in_pieces(pieces: Path, arguments: list[str], kills: int, clock: random.Random) -> int:
    """Search, killed at random instants and resumed until it ends; returns how often it was."""
    killed, children = 0, int(arguments[arguments.index("--children") + 1])
    while True:
        resume = (pieces / "run" / "config.json").exists()
        since = time.time()
        process = start(pieces, *(["--resume"] if resume else arguments))
        if killed < kills and searching(pieces, process, since):
            more = trained_so_far(pieces) + clock.randrange(max(1, children // kills))
            while process.poll() is None and trained_so_far(pieces) < more:
                time.sleep(0.001)
            time.sleep(clock.uniform(0.0, 0.1))  # so that also the moment between two is any
            process.send_signal(signal.SIGKILL)
            killed += 1
        status = process.wait(timeout=600)
        if status == 0:
            return killed
        assert status == -signal.SIGKILL, f"a resumed search ended with status {status}"


@pytest.mark.parametrize(
    ("agent", "executor"),
    [("reinforce", "local"), ("reinforce", "process"), ("maskable_ppo", "process")],
)
def test_killed_at_random_instants_a_search_ends_exactly_like_an_uninterrupted_one(
    agent: str, executor: str, tmp_path: Path
) -> None:
    whole, pieces = tmp_path / "whole", tmp_path / "pieces"
    process = start(whole, *flags(agent, executor))
    assert process.wait(timeout=600) == 0
    kills = searched_in_pieces(pieces, flags(agent, executor), KILLS, random.Random(0))
    assert kills > KILLS / 2
    assert rows(pieces) == rows(whole)
    assert weights(pieces) == weights(whole)
    trained = (pieces / "log").read_text().split()
    assert "again" not in trained, "a finished child was trained twice"
    with EvaluationStore(pieces / "store.sqlite") as store:
        assert len(trained) >= len(store) == len({row[2] for row in rows(pieces)})


def test_the_same_seed_gives_the_same_episodes_with_1_2_and_3_workers(tmp_path: Path) -> None:
    found = []
    for workers in ("1", "2", "3"):
        folder = tmp_path / workers
        arguments = flags("reinforce", "process")
        arguments[arguments.index("--workers") + 1] = workers
        arguments[arguments.index("--children") + 1] = "12"
        assert start(folder, *arguments).wait(timeout=600) == 0
        found.append((rows(folder), weights(folder)))
    assert found[0] == found[1] == found[2]
