"""Two to eight processes on one run folder: one searches, the others are told so."""

import csv
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.damage import cases
from tests.faults.outcome import ROOT, Outcome

pytestmark = pytest.mark.slow
SLOW = """
import sys, time
from agents.records.run_folder import RunFolder
record = RunFolder.record

def late(self, *given):
    time.sleep(0.02)
    return record(self, *given)

RunFolder.record = late  # so that the processes meet
from agents.commands.train import main
print("ready", flush=True)
sys.stdin.readline()
sys.exit(main(sys.argv[1:]))
"""
TABLE = ["--env", "NAS-Digits-Table-v0", "--agent", "random", "--no-progress", "--seed", "3"]


def start(flags: list[str]) -> "subprocess.Popen[str]":
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [sys.executable, "-c", SLOW, *flags]
    process: subprocess.Popen[str] = subprocess.Popen(command, cwd=ROOT, text=True, **pipes)  # type: ignore[call-overload]
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return process


def together(flags: list[str], count: int, rng: random.Random) -> list[Outcome]:
    """The same command in several processes that start in the same instant."""
    processes = [start(flags) for _ in range(count)]
    rng.shuffle(processes)
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=600) for process in processes]
    return [
        Outcome(process.returncode, output, error)
        for process, (output, error) in zip(processes, said, strict=True)
    ]


def tokens(run: Path) -> list[tuple[str, str]]:
    with (run / "episodes.csv").open(newline="") as file:
        return [(row["number"], row["tokens"]) for row in csv.DictReader(file)]


@pytest.mark.parametrize("number", range(cases(3, 12)))
def test_of_several_processes_on_one_folder_one_searches(number: int, tmp_path: Path) -> None:
    rng, count = random.Random(number), 2 + number % 7
    run, alone = tmp_path / "run", tmp_path / "alone"
    (only,) = together([*TABLE, "--children", "160", "--run-dir", str(alone)], 1, rng)
    assert only.status == 0
    fresh = together([*TABLE, "--children", "80", "--run-dir", str(run)], count, rng)
    assert sorted(one.status or 0 for one in fresh) == [0, *[2] * (count - 1)], fresh
    assert all(one.refused for one in fresh if one.status), fresh
    assert tokens(run) == tokens(alone)[:80]
    again = ["--resume", "--no-progress", "--children", "160", "--run-dir", str(run)]
    resumed = together(again, count, rng)
    assert 0 in {one.status for one in resumed}
    assert all(one.status == 0 or one.refused for one in resumed), resumed
    assert tokens(run) == tokens(alone)
