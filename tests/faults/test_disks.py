"""Disks that are full or cannot be written: one message, and resumed elsewhere it ends the same."""

import csv
import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.commands.train import main as train
from tests.faults.damage import cases, copy_of
from tests.faults.outcome import call

pytestmark = pytest.mark.slow
TABLE = ["--env", "NAS-Digits-Table-v0", "--agent", "evolution", "--no-progress", "--seed", "3"]
OWN = ["--population", "10", "--tournament", "3"]
CHILDREN = "80"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("whole") / "run"
    assert train([*TABLE, *OWN, "--children", CHILDREN, "--run-dir", str(run)]) == 0
    return run


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own of 2 MB; skipped where this user may not mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("needs to mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def tokens(run: Path) -> list[tuple[str, ...]]:
    with (run / "episodes.csv").open(newline="") as file:
        return [(row["number"], row["tokens"], row["reward"]) for row in csv.DictReader(file)]


def fill(disk: Path, leave: int) -> None:
    free = shutil.disk_usage(disk).free
    (disk / "ballast").write_bytes(bytes(max(0, free - leave)))


@pytest.mark.parametrize("seed", range(cases(6, 15)))
def test_a_full_disk_is_one_message_and_the_run_ends_the_same_with_more_space(
    seed: int, whole: Path, disk: Path
) -> None:
    run = disk / "run"
    fill(disk, random.Random(seed).randrange(4_096, 100_000))
    outcome = call(train, *TABLE, *OWN, "--children", CHILDREN, "--run-dir", run)
    assert outcome.refused or outcome.status == 0, outcome
    (disk / "ballast").unlink()
    if (run / "config.json").exists():
        again = call(train, "--resume", "--no-progress", "--run-dir", run)
    else:
        again = call(train, *TABLE, *OWN, "--children", CHILDREN, "--run-dir", run)
    assert again.status == 0, again
    assert tokens(run) == tokens(whole)


@pytest.mark.parametrize("seed", range(cases(6, 15)))
def test_a_disk_that_cannot_be_written_is_one_message_and_changes_nothing(
    seed: int, whole: Path, disk: Path
) -> None:
    run = copy_of(whole, disk / "run")
    remount = ["mount", "-o", "remount"]
    subprocess.run([*remount, "-r", str(disk)], check=True)
    target, flags = (run, ["--resume"]) if seed % 2 else (disk / "new", [*TABLE, *OWN])
    refused = call(train, *flags, "--no-progress", "--children", "96", "--run-dir", target)
    assert refused.refused, refused
    assert tokens(run) == tokens(whole)
    subprocess.run([*remount, "-w", str(disk)], check=True)
    again = call(train, *flags, "--no-progress", "--children", "96", "--run-dir", target)
    assert again.status == 0, again
    assert tokens(target)[:80] == tokens(whole)
