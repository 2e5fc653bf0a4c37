"""What tests of the process executor share."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from nas_env.evaluation.evaluation import Evaluation
from nas_env.evaluation.evaluator import Job
from nas_env.evaluation.pool.process_pool import ProcessExecutor
from nas_env.space.choices import ChoiceArchitecture


class JumpingClock:
    """Stands for ``time`` in the modules of the pool: may jump hours ahead, and else is right."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead: Callable[[], float] = lambda: 0.0
        for module in ("process_pool", "worker_process"):
            monkeypatch.setattr(f"nas_env.evaluation.pool.{module}.time", self)

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead()


Function = Callable[[Any, int], float]
MakePool = Callable[..., ProcessExecutor]


def jobs(*units: int) -> list[Job]:
    return [Job(ChoiceArchitecture({"units": unit}), seed=unit) for unit in units]


def run(pool: ProcessExecutor, *units: int) -> dict[int, Evaluation]:
    """Evaluations by ``units``."""
    results = {units[index]: evaluation for index, evaluation in pool.run(jobs(*units))}
    assert len(results) == len(units)
    return results


def gone(pid: int, within_s: float = 300.0) -> bool:
    """Whether the process ends in time; a zombie has ended."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


def wait_for(path: Path, within_s: float = 300.0) -> str:
    deadline = time.monotonic() + within_s
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline, f"{path.name} did not appear"
        time.sleep(0.02)
    return path.read_text()
