"""The process executor: no worker's fate is the search's fate, and no worker outlives its use.

Functions given to tasks are nested, so that they travel to workers by value: a worker cannot import
this module.
"""

import ctypes
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from nas_env.errors import ConfigurationError, ExecutorError
from nas_env.evaluation.callable_evaluator import CallableTask
from nas_env.evaluation.evaluation import Evaluation
from nas_env.evaluation.evaluator import Job, Task
from nas_env.evaluation.process_pool import ProcessExecutor, WorkerLimits
from nas_env.space.choices import ChoiceArchitecture

Function = Callable[[Any, int], float]
MakePool = Callable[..., ProcessExecutor]


@pytest.fixture
def make_pool() -> Iterator[MakePool]:
    made: list[ProcessExecutor] = []

    def build(
        task: Function | Task, workers: int = 2, limits: WorkerLimits | None = None
    ) -> ProcessExecutor:
        task = CallableTask(task, "test") if callable(task) else task
        made.append(ProcessExecutor(task, workers, limits))
        return made[-1]

    yield build
    for pool in made:
        pool.close()


def jobs(*units: int) -> list[Job]:
    return [Job(ChoiceArchitecture({"units": unit}), seed=unit) for unit in units]


def run(pool: ProcessExecutor, *units: int) -> dict[int, Evaluation]:
    """Evaluations by ``units``."""
    results = {units[index]: evaluation for index, evaluation in pool.run(jobs(*units))}
    assert len(results) == len(units)
    return results


def gone(pid: int, within_s: float = 10.0) -> bool:
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


def wait_for(path: Path, within_s: float = 20.0) -> str:
    deadline = time.monotonic() + within_s
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline, f"{path.name} did not appear"
        time.sleep(0.02)
    return path.read_text()


def test_no_worker_waits_for_another(make_pool: MakePool, tmp_path: Path) -> None:
    """Child 1 ends only after child 6 has: the other worker must do all the rest meanwhile."""

    def function(architecture: Any, seed: int) -> float:
        flag = tmp_path / "six"
        if seed == 6:
            flag.touch()
        deadline = time.monotonic() + 30
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
def test_a_child_that_kills_its_worker_twice_is_lost_alone(make_pool: MakePool, death: str) -> None:
    def function(architecture: Any, seed: int) -> float:
        if seed == 2:
            if death == "SIGKILL":
                os.kill(os.getpid(), signal.SIGKILL)
            if death == "SIGSEGV":
                ctypes.string_at(0)
            os._exit(3)
        return float(seed)

    results = run(make_pool(function), 1, 2, 3, 4)
    assert (results[2].state, results[2].failure) == ("failed", "worker_lost")
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


def test_a_child_that_hangs_is_a_timeout(make_pool: MakePool) -> None:
    def function(architecture: Any, seed: int) -> float:
        while seed == 2:
            time.sleep(60)
        return float(seed)

    limits = WorkerLimits(time_limit_s=0.3, grace_s=0.0)
    results = run(make_pool(function, limits=limits), 1, 2, 3)
    assert (results[2].failure, results[2].metric) == ("timeout", None)
    assert "the limit is 0.3 s" in results[2].message
    assert [results[unit].metric for unit in (1, 3)] == [1.0, 3.0]


def test_the_tasks_own_time_limit_holds(make_pool: MakePool) -> None:
    class Limited(CallableTask):
        time_limit_s = 0.3

    def function(architecture: Any, seed: int) -> float:
        time.sleep(60)
        return 0.0

    pool = make_pool(Limited(function, "limited"), 1, WorkerLimits(grace_s=0.0))
    assert run(pool, 1)[1].failure == "timeout"


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


def test_workers_that_die_at_start_are_one_clear_error(make_pool: MakePool) -> None:
    class Dying(CallableTask):
        def prepare(self) -> None:
            os._exit(7)

    with pytest.raises(ExecutorError, match=r"do not start.*preparing.*exit code 7"):
        run(make_pool(Dying(lambda *_: 1.0, "x")), 1, 2)


def test_a_process_that_cannot_be_started_is_one_clear_error(
    make_pool: MakePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/no/such/python")
    with pytest.raises(ExecutorError, match=r"Worker process 1 of 2 cannot be started.*fewer"):
        run(make_pool(lambda *_: 1.0), 1)


@pytest.mark.slow
@pytest.mark.parametrize("where", ["starting", "preparing"])
def test_workers_that_hang_at_start_are_one_clear_error(make_pool: MakePool, where: str) -> None:
    class Hanging(CallableTask):
        def __setstate__(self, state: dict[str, Any]) -> None:
            self.__dict__.update(state)
            time.sleep(60 * (where == "starting"))

        def prepare(self) -> None:
            time.sleep(60)

    limits = WorkerLimits(start_timeout_s=1.0, prepare_timeout_s=0.3)
    task = Hanging(lambda *_: 1.0, "x")
    with pytest.raises(ExecutorError, match=rf"do not start.*{where}.*no answer within"):
        run(make_pool(task, 1, limits), 1)


def test_a_task_that_cannot_be_sent_says_so(make_pool: MakePool) -> None:
    lock = threading.Lock()
    with pytest.raises(ExecutorError, match=r"CallableTask cannot be sent.*local evaluator"):
        run(make_pool(lambda *_: float(lock.locked())), 1)


def test_a_task_larger_than_a_pipe_holds_arrives(make_pool: MakePool) -> None:
    weights = os.urandom(3 * 2**20)
    assert run(make_pool(lambda *_: float(len(weights)), 1), 1)[1].metric == 3 * 2**20


def test_modules_that_only_the_parent_can_import_are_found(
    make_pool: MakePool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "users_own_module.py").write_text("def measure(architecture, seed): return 0.125\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import users_own_module  # type: ignore[import-not-found]

    assert run(make_pool(users_own_module.measure), 1)[1].metric == 0.125


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
        time.sleep(60 * (seed == 2))
        return float(seed)

    pool = make_pool(function)
    results = pool.run(jobs(1, 2))
    assert next(results)[1].metric == 1.0
    busy = int(wait_for(tmp_path / "pid-2"))
    del results
    assert gone(busy)
    assert run(pool, 3)[3].metric == 3.0


@pytest.mark.slow
def test_a_caller_that_takes_its_time_makes_no_timeouts(make_pool: MakePool) -> None:
    def function(architecture: Any, seed: int) -> float:
        time.sleep(0.2 if seed == 1 else 0.6)
        return float(seed)

    results = make_pool(function, limits=WorkerLimits(1.0, grace_s=0.0)).run(jobs(1, 2))
    assert next(results)[1].metric == 1.0
    time.sleep(1.2)
    assert [evaluation.metric for _, evaluation in results] == [2.0]


@pytest.mark.slow
def test_a_search_that_was_suspended_makes_no_timeouts(
    make_pool: MakePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After Ctrl-Z and an hour, the hour is not held against the child."""
    monkeypatch.setattr("nas_env.evaluation.process_pool._ASLEEP_S", 0.5)

    def function(architecture: Any, seed: int) -> float:
        time.sleep(0.1 if seed == 1 else 1.8)
        return float(seed)

    results = make_pool(function, limits=WorkerLimits(1.0, grace_s=0.0)).run(jobs(1, 2))
    assert next(results)[1].metric == 1.0
    time.sleep(1.3)  # nobody looks at the workers
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
def test_dozens_of_workers(make_pool: MakePool) -> None:
    results = run(make_pool(lambda *_: float(os.getpid()), workers=32), *range(200))
    assert all(item.state == "complete" for item in results.values())
    assert len({item.metric for item in results.values()}) > 8
