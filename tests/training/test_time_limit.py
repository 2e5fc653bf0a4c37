"""A child's own time counts: what a busy machine keeps it waiting does not."""

import pytest
import torch

from nas_env.errors import ChildStalled, ChildTimeout, ExecutorError
from nas_env.training import time_limit
from nas_env.training.image_step import GraphedStep
from nas_env.training.time_limit import PATIENCE, TimeLimit


class Clocks:
    """Stands for ``time``: the wall's clock and the thread's."""

    def __init__(self) -> None:
        self.wall, self.own = 1000.0, 5.0

    def monotonic(self) -> float:
        return self.wall

    def thread_time(self) -> float:
        return self.own


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    made = Clocks()
    monkeypatch.setattr(time_limit, "time", made)
    return made


def test_a_busy_machine_makes_no_timeout(clocks: Clocks) -> None:
    limit = TimeLimit(10.0)
    clocks.wall += PATIENCE * 10.0
    clocks.own += 10.0
    limit.check()
    limit.epoch_ended()


def test_more_of_its_own_time_is_a_timeout(clocks: Clocks) -> None:
    limit = TimeLimit(10.0)
    clocks.own += 10.1
    with pytest.raises(ChildTimeout, match="over 10 s of processor time"):
        limit.check()


def test_what_waits_for_ever_has_no_result(clocks: Clocks) -> None:
    limit = TimeLimit(10.0)
    clocks.wall += PATIENCE * 10.0 + 1
    with pytest.raises(ChildStalled, match="0 s are the child's own"):
        limit.check()


def test_without_a_limit_nothing_is_over(clocks: Clocks) -> None:
    limit = TimeLimit(None)
    clocks.wall += 1e9
    clocks.own += 1e9
    limit.check()


def test_a_graph_that_learned_nothing_is_an_error_of_all_and_no_result() -> None:
    """Where no GPU is at hand: the check itself, on a step that was never captured."""
    step = GraphedStep.__new__(GraphedStep)
    step.device, step.loss_sum = torch.device("cpu"), torch.zeros(())
    with pytest.raises(ExecutorError, match="exactly 0"):
        step.take_loss()
    step.loss_sum += 0.5
    assert step.take_loss() == 0.5
