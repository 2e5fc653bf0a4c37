"""A child that fails for memory, or whose worker is lost, trains once more alone.

Memory is imitated: a child looks for others at work and says that there is none left for it.
"""

import errno
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from nas_env.evaluation.pool.process_pool import WorkerLimits
from tests.evaluation.pool.pools import MakePool, run


def alive(process: int) -> bool:
    """Whether a process is there."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_child_that_its_neighbours_left_no_memory_is_no_failure(
    make_pool: MakePool, tmp_path: Path
) -> None:
    def function(architecture: Any, seed: int) -> float:
        with (tmp_path / f"runs-{seed}").open("a") as file:
            file.write("x")
        if seed == 2 and len((tmp_path / "runs-2").read_text()) == 1:
            raise MemoryError
        return float(os.getpid())

    results = run(make_pool(function, workers=2), 1, 2, 3, 4)
    assert {item.state for item in results.values()} == {"complete"}
    assert (tmp_path / "runs-2").read_text() == "xx"
    others = {results[unit].metric for unit in (1, 3, 4)}
    assert results[2].metric not in others, "in a new worker, which nothing was left in"


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 4])
def test_a_child_too_large_for_the_machine_is_so_with_any_number_of_workers(
    make_pool: MakePool, workers: int, tmp_path: Path
) -> None:
    """The limit is of one child, not a share of what all may have together."""

    def function(architecture: Any, seed: int) -> float:
        (tmp_path / f"at-{seed}").touch()
        block = bytearray(architecture["units"] * 2**20)
        block[::4096] = b"x" * len(block[::4096])
        while architecture["units"] >= 600:  # until it is stopped
            sum(range(1000))
        return float(len(block))

    limits = WorkerLimits(memory_limit_mb=500.0)
    results = run(make_pool(function, workers, limits), 600, 20, 21, 22)
    assert [results[units].state for units in (20, 21, 22)] == ["complete"] * 3
    assert (results[600].failure, results[600].missing) == ("out_of_memory", False)


def test_children_that_outgrow_the_machine_together_end_as_they_would_alone(
    make_pool: MakePool, tmp_path: Path
) -> None:
    """The machine is made small: any two of them are too much for it."""

    def function(architecture: Any, seed: int) -> float:
        with (tmp_path / f"runs-{seed}").open("a") as file:
            file.write(f"{os.getpid()}\n")
        mine, other = (tmp_path / f"runs-{unit}" for unit in (seed, 3 - seed))
        deadline = time.monotonic() + 300
        while len(mine.read_text().split()) == 1 and time.monotonic() < deadline:
            if other.exists() and (pids := other.read_text().split()) and not alive(int(pids[0])):
                break  # one of both was stopped, or is over
            time.sleep(0.01)
        return float(seed)

    pool = make_pool(function, workers=2)
    pool._machine_mb = 1.0
    results = run(pool, 1, 2)
    assert [results[unit].metric for unit in (1, 2)] == [1.0, 2.0]
    runs = [(tmp_path / f"runs-{unit}").read_text().split() for unit in (1, 2)]
    assert sorted(map(len, runs)) == [1, 2], "the younger went once more, alone"


def test_the_machines_memory_is_not_shared_out(make_pool: MakePool) -> None:
    one, many = make_pool(lambda *_: 1.0, 1), make_pool(lambda *_: 1.0, 16)
    assert one.granted("out_of_memory") == many.granted("out_of_memory")


def test_a_worker_whose_disk_is_full_is_replaced_and_its_child_tried_again(
    make_pool: MakePool, tmp_path: Path
) -> None:
    def function(architecture: Any, seed: int) -> float:
        bad = tmp_path / "bad-worker"
        if not bad.exists():
            bad.write_text(str(os.getpid()))
        if bad.read_text() == str(os.getpid()):
            with (tmp_path / "met").open("a") as file:
                file.write("x")
            raise OSError(errno.ENOSPC, "No space left on device")
        return float(seed)

    results = run(make_pool(function, workers=1), 1, 2, 3)
    assert [results[unit].metric for unit in (1, 2, 3)] == [1.0, 2.0, 3.0]
    assert (tmp_path / "met").read_text() == "x", "no second child is given to it"


def test_a_device_out_of_order_for_good_leaves_one_child_without_a_result(
    make_pool: MakePool, tmp_path: Path
) -> None:
    def function(architecture: Any, seed: int) -> float:
        if seed == 2:
            with (tmp_path / "tries").open("a") as file:
                file.write(f"{os.getpid()}\n")
            raise RuntimeError("CUDA error: unspecified launch failure")
        return float(seed)

    results = run(make_pool(function, workers=2), 1, 2, 3)
    assert (results[2].failure, results[2].missing) == ("error", True)
    assert [results[unit].metric for unit in (1, 3)] == [1.0, 3.0]
    tries = (tmp_path / "tries").read_text().split()
    assert len(tries) == len(set(tries)) == 3, "each in another worker"


def test_a_worker_that_is_killed_again_and_again_costs_the_others_nothing(
    make_pool: MakePool, tmp_path: Path
) -> None:
    def function(architecture: Any, seed: int) -> float:
        with (tmp_path / f"runs-{seed}").open("a") as file:
            file.write("x")
        if seed == 2 and len((tmp_path / "runs-2").read_text()) < 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return float(seed)

    results = run(make_pool(function, workers=2), 1, 2, 3, 4)
    assert {unit: item.metric for unit, item in results.items()} == {
        n: float(n) for n in range(1, 5)
    }
    assert all((tmp_path / f"runs-{unit}").read_text() == "x" for unit in (1, 3, 4))
