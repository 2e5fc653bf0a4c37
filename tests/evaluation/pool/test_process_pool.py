"""The process executor: no worker's fate is the search's fate, and no worker outlives its use.

Functions given to tasks are nested, so that they travel to workers by value: a worker cannot import
this module.
"""

import ctypes
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nas_env.errors import ConfigurationError, ExecutorError
from nas_env.evaluation.callable_evaluator import CallableTask
from nas_env.evaluation.evaluation import Evaluation
from nas_env.evaluation.pool.process_pool import ProcessExecutor, WorkerLimits
from tests.evaluation.pool.pools import JumpingClock, MakePool, gone, jobs, run, wait_for


def test_no_worker_waits_for_another(make_pool: MakePool, tmp_path: Path) -> None:
    """Child 1 ends only after child 6 has: the other worker must do all the rest meanwhile."""

    def function(architecture: Any, seed: int) -> float:
        flag = tmp_path / "six"
        if seed == 6:
            flag.touch()
        deadline = time.monotonic() + 300  # against a hang
        while seed == 1 and not flag.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        return float(flag.exists())

    order = [index for index, _ in make_pool(function).run(jobs(1, 2, 3, 4, 5, 6))]
    assert order[:4] == [1, 2, 3, 4]
    assert sorted(order) == list(range(6))


def test_workers_start_once_and_keep_their_data(make_pool: MakePool, tmp_path: Path) -> None:
    log = tmp_path / "prepared"

    class Loading(CallableTask):
        def prepare(self) -> None:
            with log.open("a") as file:
                file.write(f"{os.getpid()}\n")

    def function(architecture: Any, seed: int) -> float:
        while len(log.read_text().split()) < 2:  # both get work, however fast the first is
            time.sleep(0.01)
        return float(os.getpid())

    pool = make_pool(Loading(function, "loading"))
    results = [*run(pool, 1, 2, 3, 4).values(), *run(pool, 5, 6, 7, 8).values()]
    prepared = log.read_text().split()
    assert len(prepared) == len(set(prepared)) == 2
    assert {item.metric for item in results} <= {float(pid) for pid in prepared}
    assert str(os.getpid()) not in prepared


@pytest.mark.slow
def test_first_worker_prepares_alone(make_pool: MakePool, tmp_path: Path) -> None:
    """So that one download is enough, and timing the numerics is not disturbed."""

    class Loading(CallableTask):
        def prepare(self) -> None:
            others = len(list(tmp_path.glob("preparing-*")))
            first = not (tmp_path / "first").exists()
            mine = tmp_path / f"preparing-{os.getpid()}"
            mine.touch()
            time.sleep(0.3)
            if first:
                assert others == 0 and len(list(tmp_path.glob("preparing-*"))) == 1
                (tmp_path / "first").touch()

    def function(architecture: Any, seed: int) -> float:
        time.sleep(0.1)
        return 1.0

    run(make_pool(Loading(function, "loading"), workers=3), 1, 2, 3, 4, 5, 6)
    assert (tmp_path / "first").exists()


def test_a_child_whose_worker_dies_is_tried_again(make_pool: MakePool, tmp_path: Path) -> None:
    def function(architecture: Any, seed: int) -> float:
        if seed == 2 and not (tmp_path / "died").exists():
            (tmp_path / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return float(seed)

    results = run(make_pool(function), 1, 2, 3)
    assert {unit: item.metric for unit, item in results.items()} == {1: 1.0, 2: 2.0, 3: 3.0}


@pytest.mark.parametrize("death", ["SIGKILL", "SIGSEGV", "exit code 3"])
def test_a_child_that_kills_every_worker_has_no_result_and_is_lost_alone(
    make_pool: MakePool, death: str
) -> None:
    def function(architecture: Any, seed: int) -> float:
        if seed == 2:
            if death == "SIGKILL":
                os.kill(os.getpid(), signal.SIGKILL)
            if death == "SIGSEGV":
                ctypes.string_at(0)
            os._exit(3)
        return float(seed)

    results = run(make_pool(function), 1, 2, 3, 4)
    assert (results[2].state, results[2].failure, results[2].missing) == (
        "failed",
        "worker_lost",
        True,
    )
    assert death in results[2].message
    assert [results[unit].metric for unit in (1, 3, 4)] == [1.0, 3.0, 4.0]


def test_a_worker_killed_between_batches_is_replaced(make_pool: MakePool) -> None:
    pool = make_pool(lambda *_: float(os.getpid()), workers=1)
    pid = int(run(pool, 1)[1].metric or 0)
    os.kill(pid, signal.SIGKILL)
    assert gone(pid)
    other = run(pool, 2)[2]
    assert other.state == "complete"
    assert other.metric != pid


def test_a_child_that_waits_for_ever_is_stopped_and_has_no_result(
    make_pool: MakePool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = tmp_path / "hanging"

    def function(architecture: Any, seed: int) -> float:
        if seed == 2:
            hanging.touch()
            time.sleep(3600)
        return float(seed)

    # The hour passes once the child hangs: no machine is so busy that another one needs it.
    JumpingClock(monkeypatch).ahead = lambda: 36000.0 * hanging.exists()
    monkeypatch.setattr("nas_env.evaluation.pool.process_pool._ASLEEP_S", 1e9)
    limits = WorkerLimits(time_limit_s=600.0, grace_s=0.0)
    results = run(make_pool(function, workers=1, limits=limits), 1, 2, 3)
    assert (results[2].failure, results[2].missing) == ("timeout", True)
    assert "the limit is 600 s" in results[2].message
    assert [results[unit].metric for unit in (1, 3)] == [1.0, 3.0]


def test_the_tasks_own_time_limit_holds(make_pool: MakePool) -> None:
    class Limited(CallableTask):
        time_limit_s = 0.3

    def function(architecture: Any, seed: int) -> float:
        while True:
            sum(range(1000))

    pool = make_pool(Limited(function, "limited"), 1, WorkerLimits(grace_s=0.0))
    result = run(pool, 1)[1]
    assert (result.failure, result.missing) == ("timeout", False)
    assert "processor time" in result.message


@pytest.mark.slow
def test_a_child_that_outgrows_its_memory_is_stopped(make_pool: MakePool) -> None:
    def function(architecture: Any, seed: int) -> float:
        if seed == 2:
            block = bytearray(400 * 2**20)
            block[::4096] = b"x" * len(block[::4096])
            time.sleep(60)
        return float(seed)

    limits = WorkerLimits(memory_limit_mb=250.0)
    results = run(make_pool(function, limits=limits), 1, 2, 3)
    assert (results[2].failure, results[2].metric) == ("out_of_memory", None)
    assert "the limit is 250 MiB" in results[2].message
    assert [results[unit].metric for unit in (1, 3)] == [1.0, 3.0]


@pytest.mark.slow
def test_memory_that_earlier_children_left_behind_is_not_the_childs_fault(
    make_pool: MakePool,
) -> None:
    def function(architecture: Any, seed: int) -> float:
        import builtins

        block = bytearray(130 * 2**20)
        block[::4096] = b"x" * len(block[::4096])
        builtins.leak = [*getattr(builtins, "leak", []), block]  # type: ignore[attr-defined]
        time.sleep(0.5)
        return float(seed)

    results = run(make_pool(function, 1, WorkerLimits(memory_limit_mb=250.0)), 1, 2)
    assert [results[unit].metric for unit in (1, 2)] == [1.0, 2.0]


def test_what_a_child_prints_does_not_reach_the_protocol(
    make_pool: MakePool, capfd: pytest.CaptureFixture[str]
) -> None:
    def function(architecture: Any, seed: int) -> float:
        print("printed by the child")
        os.system("echo printed by a program of the child")
        return float(input() == "") if seed == 2 else 1.0

    results = run(make_pool(function, workers=1), 1, 2)
    assert results[1].metric == 1.0
    assert results[2].failure == "error", "stdin is empty for a child"
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "printed by the child" in captured.err
    assert "printed by a program of the child" in captured.err


@pytest.mark.slow
def test_one_compute_thread_per_worker(make_pool: MakePool) -> None:
    def function(architecture: Any, seed: int) -> float:
        import torch

        return float(torch.get_num_threads()) + 10 * float(os.environ["OMP_NUM_THREADS"])

    assert run(make_pool(function, workers=1), 1)[1].metric == 11.0


def test_wrong_settings_found_while_training_reach_the_caller(make_pool: MakePool) -> None:
    def function(architecture: Any, seed: int) -> float:
        raise ConfigurationError("no such optimiser")

    with pytest.raises(ConfigurationError, match="no such optimiser") as caught:
        run(make_pool(function), 1)
    assert "in function" in str(caught.value.__cause__), "the worker's traceback is kept"


@pytest.mark.slow
def test_closing_ends_the_processes(make_pool: MakePool) -> None:
    pool = make_pool(lambda *_: float(os.getpid()))
    pids = {int(item.metric or 0) for item in run(pool, 1, 2, 3, 4).values()}
    pool.close()
    assert all(gone(pid) for pid in pids)
    assert run(pool, 5)[5].state == "complete", "a closed pool starts again"


@pytest.mark.slow
def test_results_nobody_waits_for_are_abandoned(make_pool: MakePool, tmp_path: Path) -> None:
    def function(architecture: Any, seed: int) -> float:
        (tmp_path / f"pid-{seed}").write_text(str(os.getpid()))
        time.sleep(3600 * (seed == 2))
        return float(seed)

    pool = make_pool(function)
    results = pool.run(jobs(1, 2))
    assert next(results)[1].metric == 1.0
    busy = int(wait_for(tmp_path / "pid-2"))
    del results
    assert gone(busy)
    assert run(pool, 3)[3].metric == 3.0


def hour_long_break(
    make_pool: MakePool, tmp_path: Path
) -> tuple[ProcessExecutor, Iterator[tuple[int, Evaluation]]]:
    """A pool with two children of 600 s at most, of which 1 has ended and 2 ends on ``go``."""

    def function(architecture: Any, seed: int) -> float:
        flag = tmp_path / ("begun" if seed == 1 else "go")
        if seed == 2:
            (tmp_path / "begun").touch()
        while not flag.exists():
            time.sleep(0.01)
        return float(seed)

    pool = make_pool(function, limits=WorkerLimits(600.0, grace_s=0.0))
    results = pool.run(jobs(1, 2))
    assert next(results)[1].metric == 1.0
    return pool, results


def test_a_caller_that_takes_its_time_makes_no_timeouts(
    make_pool: MakePool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child that has ended meanwhile waits to be read, however long."""
    clock = JumpingClock(monkeypatch)
    monkeypatch.setattr("nas_env.evaluation.pool.process_pool._ASLEEP_S", 1e9)
    pool, results = hour_long_break(make_pool, tmp_path)
    (tmp_path / "go").touch()
    while pool._events.empty():
        time.sleep(0.01)
    clock.ahead = lambda: 3600.0
    assert [evaluation.metric for _, evaluation in results] == [2.0]


def test_a_search_that_was_suspended_makes_no_timeouts(
    make_pool: MakePool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After Ctrl-Z and an hour, the hour is not held against the child."""
    clock = JumpingClock(monkeypatch)
    pool, results = hour_long_break(make_pool, tmp_path)
    clock.ahead = lambda: 3600.0
    check = pool._check_limits

    def then_go(batch: Any) -> None:
        check(batch)
        (tmp_path / "go").touch()  # the child goes on until the limits were looked at

    monkeypatch.setattr(pool, "_check_limits", then_go)
    assert [evaluation.metric for _, evaluation in results] == [2.0]


def test_a_second_run_before_the_first_is_read_is_refused(make_pool: MakePool) -> None:
    pool = make_pool(lambda *_: 1.0)
    first = pool.run(jobs(1, 2, 3, 4, 5))
    next(first)
    assert run(pool, 6)[6].metric == 1.0
    with pytest.raises(ExecutorError, match="Another run"):
        list(first)
    assert run(pool, 7)[7].metric == 1.0


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_starts_its_own_workers_and_leaves_the_parents_alone(make_pool: MakePool) -> None:
    pool = make_pool(lambda *_: float(os.getpid()), workers=1)
    mine = run(pool, 1)[1].metric
    child = os.fork()
    if child == 0:
        code = 1
        try:
            other = run(pool, 2)[2]
            code = 0 if other.state == "complete" and other.metric != mine else 2
            pool.close()
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert run(pool, 3)[3].metric == mine


@pytest.mark.slow
def test_dozens_of_workers_train_at_once(make_pool: MakePool, tmp_path: Path) -> None:
    """Each of 32 children ends only when all 32 have started, and 168 more follow them."""

    def function(architecture: Any, seed: int) -> float:
        (tmp_path / str(seed)).touch()
        deadline = time.monotonic() + 600  # against a hang
        while len(list(tmp_path.iterdir())) < 32 and time.monotonic() < deadline:
            time.sleep(0.05)
        return float(len(list(tmp_path.iterdir())))

    results = run(make_pool(function, workers=32), *range(200))
    assert all(item.state == "complete" for item in results.values())
    assert all((results[seed].metric or 0.0) >= 32 for seed in range(32))
