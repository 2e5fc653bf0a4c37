"""What the child is to blame for is a result; what the machine is to blame for is none."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nas_env.errors import (
    ChildDiverged,
    ChildOutOfMemory,
    ChildStalled,
    ChildTimeout,
    ExecutorError,
    MachineFault,
    WorkerLost,
)
from nas_env.evaluation.callable_evaluator import CallableEvaluator, CallableTask
from nas_env.evaluation.evaluation import Evaluation
from nas_env.evaluation.factory import make_evaluator
from nas_env.evaluation.failures import is_machines_fault
from nas_env.evaluation.grants import granted_to, may_end_otherwise
from nas_env.evaluation.local import LocalExecutor
from nas_env.evaluation.seeding import architecture_key, child_seed
from nas_env.evaluation.store import EvaluationStore, ResultKey
from nas_env.evaluation.stored_evaluator import MOST_MISSING, StoredEvaluator
from nas_env.space.choices import ChoiceArchitecture


def choice(units: int) -> ChoiceArchitecture:
    return ChoiceArchitecture({"units": units})


def full_disk() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device")


def chained(cause: BaseException) -> RuntimeError:
    error = RuntimeError("the weights could not be written")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        full_disk(),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        OSError(errno.EMFILE, "Too many open files"),
        chained(full_disk()),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
        RuntimeError("can't start new thread"),
        WorkerLost("gone"),
        ChildStalled("waited"),
        MachineFault("the service does not answer"),
    ],
    ids=str,
)
def test_disks_devices_and_lost_workers_are_the_machines_fault(error: BaseException) -> None:
    assert is_machines_fault(error)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("shapes do not fit"),
        FileNotFoundError(errno.ENOENT, "No such file"),
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError("CUDA error: out of memory"),
        ChildDiverged("the loss is NaN"),
        ChildTimeout("too slow"),
        ChildOutOfMemory("CUDA error: out of memory"),
    ],
    ids=repr,
)
def test_what_a_child_does_is_the_childs_fault(error: BaseException) -> None:
    assert not is_machines_fault(error)


def failing(times: int, error: Callable[[], BaseException]) -> tuple[Any, list[int]]:
    """A function that fails so often before it works, and the seeds it was called with."""
    calls: list[int] = []

    def function(architecture: Any, seed: int) -> float:
        calls.append(seed)
        if len(calls) <= times:
            raise error()
        return 0.5

    return function, calls


@pytest.mark.parametrize("error", [full_disk, MemoryError], ids=["full disk", "memory"])
def test_one_bad_moment_of_the_machine_costs_no_child(error: Callable[[], BaseException]) -> None:
    function, calls = failing(1, error)
    assert CallableEvaluator(function).evaluate([choice(1)], 0)[0].metric == 0.5
    assert len(calls) == 2


def test_a_childs_own_failure_is_a_result_at_once() -> None:
    function, calls = failing(1, lambda: ValueError("shapes do not fit"))
    evaluation = CallableEvaluator(function).evaluate([choice(1)], 0)[0]
    assert (evaluation.failure, evaluation.missing, len(calls)) == ("error", False, 1)


def test_memory_that_is_short_twice_is_the_childs() -> None:
    function, _ = failing(2, MemoryError)
    evaluation = CallableEvaluator(function).evaluate([choice(1)], 0)[0]
    assert (evaluation.failure, evaluation.missing) == ("out_of_memory", False)


def test_what_the_machine_kept_from_a_result_is_not_stored_and_tried_again(tmp_path: Path) -> None:
    function, calls = failing(2, full_disk)
    store = tmp_path / "store.sqlite"
    with EvaluationStore(store) as opened:
        evaluator = make_evaluator(CallableTask(function, "full"), store=opened)
        twice = evaluator.evaluate([choice(1), choice(1)], 0)
        assert [(item.state, item.failure, item.missing) for item in twice] == [
            ("failed", "error", True)
        ] * 2
        assert "No space left" in twice[0].message
        assert len(opened) == 0
        again = evaluator.evaluate([choice(1)], 0)[0]
        assert (again.metric, again.missing, len(calls)) == (0.5, False, 3)
        assert [row.evaluation.metric for row in opened.rows()] == [0.5]


def test_a_machine_that_fails_every_child_ends_the_search_with_one_message() -> None:
    task = CallableTask(failing(10**9, full_disk)[0], "full")
    evaluator = StoredEvaluator(task, LocalExecutor(task))
    with pytest.raises(ExecutorError, match="No space left"):
        for number in range(MOST_MISSING + 1):
            evaluator.evaluate([choice(number)], 0)
    assert number == MOST_MISSING - 1


class Limited(CallableTask):
    """A child of 100 s of which nobody measures them."""

    time_limit_s = 50.0

    def run(self, job: Any) -> Evaluation:
        if self.time_limit_s < 100.0:
            raise ChildTimeout(f"Training took over {self.time_limit_s:g} s.")
        return super().run(job)


def ask(store: Path, limit_s: float) -> Evaluation:
    task = Limited(lambda *_: 0.5, "limited")
    task.time_limit_s = limit_s
    evaluator = make_evaluator(task, store=store)
    try:
        return evaluator.evaluate([choice(1)], 0)[0]
    finally:
        evaluator.close()


def test_a_stored_timeout_is_not_served_to_who_grants_more(tmp_path: Path) -> None:
    store = tmp_path / "store.sqlite"
    first, same, less, more = (ask(store, limit) for limit in (50.0, 50.0, 20.0, 60.0))
    assert [item.failure for item in (first, same, less, more)] == ["timeout"] * 4
    assert [item.cached for item in (first, same, less, more)] == [False, True, True, False]
    assert granted_to(more) == 60.0
    assert ask(store, 55.0).cached, "what 60 s were not enough for"
    assert ask(store, 100.0).metric == 0.5
    assert ask(store, 20.0).metric == 0.5, "a result holds for everyone"
    with EvaluationStore(store) as opened:
        assert len(opened) == 1


class Granting:
    """Knows what it grants; nothing runs on it."""

    def __init__(self, amount: float) -> None:
        self.amount = amount

    def granted(self, failure: str) -> float:
        return self.amount


def failure(kind: Any, message: str) -> Evaluation:
    return Evaluation("{}", 1, "metric", None, "failed", kind, message)


@pytest.mark.parametrize(
    ("kind", "message", "grants", "again"),
    [
        ("out_of_memory", "Stopped. [granted 4000.0 MiB]", 8000.0, True),
        ("out_of_memory", "Stopped. [granted 4000.0 MiB]", 4001.0, False),
        ("out_of_memory", "Stopped. [granted 4000.0 MiB]", 2000.0, False),
        ("out_of_memory", "Stopped at 900 MiB; the limit is 800 MiB.", 800.0, True),
        ("timeout", "Training took over 120 s.", 120.0, True),
        ("timeout", "It hung. [granted inf s]", float("inf"), False),
        ("worker_lost", "The worker process died 2 times.", 1.0, True),
        ("error", "OSError: [Errno 28] No space left on device", 1.0, True),
        ("error", "ValueError: shapes do not fit", 1.0, False),
        ("diverged", "The loss is NaN.", 1.0, False),
        ("too_large", "9 parameters, over the limit of 8.", 1.0, False),
    ],
)
def test_which_stored_failures_say_nothing_of_this_run(
    kind: str, message: str, grants: float, again: bool
) -> None:
    assert may_end_otherwise(failure(kind, message), Granting(grants)) is again


def test_failures_of_older_stores_that_were_the_machines_are_trained_again(tmp_path: Path) -> None:
    task = CallableTask(lambda *_: 0.5, "old")
    seed = child_seed(0, choice(1), *task.key())
    key = ResultKey(architecture_key(choice(1)), *task.key(), seed)
    with EvaluationStore(tmp_path / "store.sqlite") as store:
        store.put(key, failure("worker_lost", "The worker process died 2 times."))
        assert make_evaluator(task, store=store).evaluate([choice(1)], 0)[0].metric == 0.5
        assert [row.evaluation.metric for row in store.rows()] == [0.5]


def test_a_long_message_does_not_cut_off_what_was_granted(tmp_path: Path) -> None:
    class Talks(Limited):
        def run(self, job: Any) -> Evaluation:
            raise ChildTimeout("x" * 5000)

    evaluator = make_evaluator(Talks(lambda *_: 0.5, "talks"), store=tmp_path / "store.sqlite")
    assert granted_to(evaluator.evaluate([choice(1)], 0)[0]) == 50.0
    evaluator.close()
