"""Damage to every file of a run folder: refused in one message, or the run ends as without it.

Run all of the issue's cases with ``NAS_ENV_FAULTS=all``; see ``tests.faults.damage``.
"""

import csv
import random
from pathlib import Path

import pytest

from agents.commands.report import main as report
from agents.commands.train import main as train
from agents.records.checkpoint import load_checkpoint
from tests.faults.damage import cases, copy_of, damage
from tests.faults.outcome import Count, call

pytestmark = pytest.mark.slow
AGENTS = ("evolution", "random", "reinforce")
BEFORE, AFTER = 24, 32
Result = tuple[list[list[str]], dict[str, bytes], str]


def flags(agent: str, seed: int) -> list[str]:
    own = ["--population", "10", "--tournament", "3"] if agent == "evolution" else []
    table = ["--env", "NAS-Digits-Table-v0", "--no-progress", "--agent", agent]
    return [*table, *own, "--seed", str(seed), "--children", str(BEFORE)]


def resume(run: Path, children: int = AFTER) -> list[str]:
    return ["--resume", "--run-dir", str(run), "--no-progress", "--children", str(children)]


def result(run: Path) -> Result:
    """What must be equal: every episode, every weight, the best architecture."""
    with (run / "episodes.csv").open(newline="") as file:
        rows = [[v for k, v in row.items() if k != "train_seconds"] for row in csv.DictReader(file)]
    checkpoint = load_checkpoint(run / "checkpoint")
    assert checkpoint is not None
    weights = {name: array.tobytes() for name, array in checkpoint.agent.arrays.items()}
    return rows, weights, (run / "best_architecture.json").read_text()


class Runs:
    """A run of each agent after 24 children, the same after 32, and one of another seed."""

    def __init__(self, folder: Path) -> None:
        self.before = {agent: folder / agent for agent in AGENTS}
        self.other = {agent: folder / f"{agent}-other" for agent in AGENTS}
        self.wanted: dict[str, Result] = {}
        for agent in AGENTS:
            assert train([*flags(agent, 3), "--run-dir", str(self.before[agent])]) == 0
            assert train([*flags(agent, 4), "--run-dir", str(self.other[agent])]) == 0
            whole = copy_of(self.before[agent], folder / f"{agent}-whole")
            assert train(resume(whole)) == 0
            self.wanted[agent] = result(whole)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return Runs(tmp_path_factory.mktemp("runs"))


def files_of(run: Path) -> list[Path]:
    return sorted(path.relative_to(run) for path in run.rglob("*") if path.is_file())


def test_a_damaged_run_folder_is_refused_or_resumes_to_the_same_end(
    runs: Runs, tmp_path: Path
) -> None:
    count = Count()
    for seed in range(cases(150, 1000)):
        rng = random.Random(seed)
        agent = rng.choice(AGENTS)
        run = copy_of(runs.before[agent], tmp_path / "run")
        names = files_of(run)
        name = names[seed % len(names)]
        what = damage(run / name, rng, other=runs.other[agent] / name)
        outcome = call(train, *resume(run))
        count.add(
            f"seed {seed}, {agent}, {name.parent}/{what}",
            outcome,
            lambda run=run, agent=agent: result(run) == runs.wanted[agent],  # type: ignore[misc]
        )
    count.check()
    assert count.ended["refused"] and count.ended["identical"]


def test_a_damaged_run_folder_is_reported_as_it_was_or_in_one_message(
    runs: Runs, tmp_path: Path
) -> None:
    count = Count()
    for seed in range(cases(60, 300)):
        rng = random.Random(seed)
        run = copy_of(runs.before["random"], tmp_path / "run")
        names = [name for name in files_of(run) if name.name != "report.html"]
        what = damage(run / rng.choice(names), rng)
        count.add(f"seed {seed}, {what}", call(report, run))
    count.check()


def test_several_damages_at_once_are_refused_or_end_the_same(runs: Runs, tmp_path: Path) -> None:
    count = Count()
    for seed in range(cases(30, 200)):
        rng = random.Random(seed)
        agent = rng.choice(AGENTS)
        run = copy_of(runs.before[agent], tmp_path / "run")
        what = [damage(run / name, rng) for name in rng.sample(files_of(run), 3)]
        outcome = call(train, *resume(run))
        count.add(
            f"seed {seed}, {agent}, {what}",
            outcome,
            lambda run=run, agent=agent: result(run) == runs.wanted[agent],  # type: ignore[misc]
        )
    count.check()
