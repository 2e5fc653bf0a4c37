"""Searches in processes: the same findings as one after another, and only what is missing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import nas_env
from agents.comparison.run import Contest, parse_contender
from agents.comparison.side_by_side import Job, run_jobs
from agents.records.trace import ARRAYS
from nas_env.errors import NasEnvError

GAME = "Side-By-Side-v0"


def train(architecture: Any, seed: int) -> float:
    return float(architecture["a"] * architecture["b"])


def make_game(**arguments: Any) -> nas_env.ArchitectureEnv:
    return nas_env.ArchitectureEnv(nas_env.ChoiceSpace({"a": [1, 2, 3], "b": [1, 2]}), train)


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    """Known to this process alone, until the others are told."""
    gym.register(GAME, make_game)
    yield
    del gym.registry[GAME]


def jobs(folder: Path, agents: tuple[str, ...] = ("random", "evolution")) -> list[Job]:
    contest = Contest(GAME, 16, 4)
    made = [parse_contender(agent, "quick", "other") for agent in agents]
    return [Job(contest, folder, one, seed) for seed in (0, 1) for one in made]


def test_processes_find_what_one_process_finds_and_repeat_nothing(tmp_path: Path) -> None:
    counted: list[tuple[int, int]] = []
    alone = run_jobs(jobs(tmp_path / "one", ("random",)), 1)
    beside = run_jobs(jobs(tmp_path / "two", ("random",)), 2, lambda n, of: counted.append((n, of)))
    assert counted == [(1, 2), (2, 2)]
    for one, two in zip(alone, beside, strict=True):
        assert one.seed == two.seed
        for name in set(ARRAYS) - {"seconds"}:
            np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    counted.clear()
    run_jobs(jobs(tmp_path / "two"), 1, lambda n, of: counted.append((n, of)))
    assert counted == [(1, 2), (2, 2)]  # evolution's alone


def test_an_error_in_a_process_is_said_and_what_is_finished_is_kept(tmp_path: Path) -> None:
    good, bad = jobs(tmp_path, ("random", "evolution:population=4,tournament=2"))[:2]
    run_jobs([good], 1)
    (tmp_path / "runs").mkdir(exist_ok=True)
    (tmp_path / "runs" / f"{bad.contender.file_name}-0").write_text("no folder")
    with pytest.raises(NasEnvError):
        run_jobs([good, bad, *jobs(tmp_path, ("evolution",))], 2)
    assert good.found() is not None
