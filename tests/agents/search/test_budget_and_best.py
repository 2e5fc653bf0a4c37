"""Hours count over all resumes, and the best is what earned most, whatever its metric."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import agents
import nas_env
from agents.agent import Batch
from agents.random_search import RandomSearchAgent
from agents.records.checkpoint import load_checkpoint, save_checkpoint
from agents.records.run_record import read_run

SPACE = nas_env.ChoiceSpace({"a": [1, 2, 3], "b": [1, 2]})


def worth(architecture: Any, seed: int) -> float:
    return float(architecture["a"] * architecture["b"])


def test_hours_of_earlier_resumes_count(tmp_path: Path) -> None:
    env = nas_env.ArchitectureEnv(SPACE, worth)
    agents.run_search(env, "random", 8, 8, run_dir=tmp_path)
    checkpoint = load_checkpoint(tmp_path / "checkpoint")
    assert checkpoint is not None
    save_checkpoint(tmp_path / "checkpoint", replace(checkpoint, elapsed_s=7200.0))
    spent = agents.run_search(env, "random", 16, 8, run_dir=tmp_path, hours=2.0, resume=True)
    assert len(spent.episodes) == 8
    longer = agents.run_search(env, "random", 16, 8, run_dir=tmp_path, hours=3.0, resume=True)
    assert len(longer.episodes) == 16
    after = load_checkpoint(tmp_path / "checkpoint")
    assert after is not None and after.elapsed_s >= 7200.0


def test_the_best_is_the_child_that_earned_most(tmp_path: Path) -> None:
    env = nas_env.ArchitectureEnv(SPACE, worth, reward=lambda metric: -metric)
    result = agents.run_search(env, "random", 32, run_dir=tmp_path)
    assert result.best.metric == 1.0 and max(e.metric or 0 for e in result.episodes) > 1.0
    assert json.loads((tmp_path / "best_architecture.json").read_text()) == json.loads(
        result.best.architecture
    )


class Late(RandomSearchAgent):
    """Logs a figure from its second update on."""

    updates = 0

    def learn(self, batch: Batch) -> dict[str, float]:
        self.updates += 1
        return {"early": 1.0} | ({"late": 0.1 * self.updates} if self.updates > 1 else {})


def test_a_figure_that_first_appears_in_a_later_update_is_kept(tmp_path: Path) -> None:
    env = nas_env.ArchitectureEnv(SPACE, worth)
    agents.run_search(env, Late, 24, 8, run_dir=tmp_path)
    updates = read_run(tmp_path).updates
    assert updates["early"] == {1: 1.0, 2: 1.0, 3: 1.0}
    assert updates["late"] == {2: pytest.approx(0.2), 3: pytest.approx(0.3)}
    assert "further" not in updates
