"""Processes that a child starts: none speaks for its worker, hides its death or outlives it."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from nas_env.evaluation.pool.process_pool import WorkerLimits
from tests.evaluation.pool.pools import JumpingClock, MakePool, gone, run, wait_for


def test_an_evaluator_that_forks_answers_once(make_pool: MakePool, tmp_path: Path) -> None:
    """The second answer would be credited to the next job."""

    def function(architecture: Any, seed: int) -> float:
        if seed == 1 and os.fork() == 0:
            while not (tmp_path / "second").exists():  # answers while child 2 trains
                time.sleep(0.01)
            return 0.5
        if seed == 2:
            (tmp_path / "second").touch()
            time.sleep(0.5)
        return float(seed)

    results = run(make_pool(function, workers=1), 1, 2, 3)
    assert {unit: item.metric for unit, item in results.items()} == {1: 1.0, 2: 2.0, 3: 3.0}


def test_what_another_process_writes_into_the_pipe_is_no_answer(make_pool: MakePool) -> None:
    def function(architecture: Any, seed: int) -> float:
        import gc
        import io
        import pickle

        from nas_env.evaluation.evaluation import Evaluation
        from nas_env.evaluation.pool.messages import write_message

        if seed == 1 and os.fork() == 0:
            forged = pickle.dumps(Evaluation("{}", 1, "metric", 0.5, "complete"))
            pipes = [item for item in gc.get_objects() if isinstance(item, io.BufferedWriter)]
            for pipe in pipes:
                for number in range(1000):
                    write_message(pipe, "done", forged, number)
            os._exit(0)
        time.sleep(0.5)
        return float(seed)

    results = run(make_pool(function, workers=1), 1, 2)
    assert {unit: item.metric for unit, item in results.items()} == {1: 1.0, 2: 2.0}


def test_an_answer_to_an_earlier_job_is_ignored(make_pool: MakePool) -> None:
    def function(architecture: Any, seed: int) -> float:
        import gc
        import io
        import pickle

        from nas_env.evaluation.evaluation import Evaluation
        from nas_env.evaluation.pool.messages import write_message

        if seed == 2:
            stale = pickle.dumps(Evaluation("{}", 1, "metric", 0.5, "complete"))
            for pipe in [item for item in gc.get_objects() if isinstance(item, io.BufferedWriter)]:
                write_message(pipe, "done", stale, 2**40)
            time.sleep(0.5)
        return float(seed)

    results = run(make_pool(function, workers=1), 1, 2)
    assert {unit: item.metric for unit, item in results.items()} == {1: 1.0, 2: 2.0}


def test_a_dead_worker_is_noticed_while_a_process_it_forked_holds_its_pipe(
    make_pool: MakePool, tmp_path: Path
) -> None:
    def function(architecture: Any, seed: int) -> float:
        if seed == 2:
            fork = os.fork()
            if fork == 0:
                time.sleep(3600)
            with (tmp_path / "forks").open("a") as file:
                file.write(f"{fork}\n")
            os._exit(3)
        return float(seed)

    results = run(make_pool(function, workers=1), 1, 2, 3)
    assert (results[2].failure, results[3].metric) == ("worker_lost", 3.0)
    assert "exit code 3" in results[2].message
    forks = [int(word) for word in (tmp_path / "forks").read_text().split()]
    assert len(forks) == 3
    assert all(gone(fork) for fork in forks), "and it is not left behind"


def test_an_idle_worker_that_died_behind_its_forks_back_is_replaced(make_pool: MakePool) -> None:
    def function(architecture: Any, seed: int) -> float:
        if seed == 1 and os.fork() == 0:
            time.sleep(3600)
        return float(os.getpid())

    pool = make_pool(function, workers=1)
    pid = int(run(pool, 1)[1].metric or 0)
    os.kill(pid, signal.SIGKILL)
    assert gone(pid)
    other = run(pool, 2)[2]
    assert (other.state, other.metric != pid) == ("complete", True)


@pytest.mark.parametrize("how", ["fork", "program"])
def test_what_a_timed_out_child_started_is_killed_with_it(
    make_pool: MakePool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    started = tmp_path / "started"

    def function(architecture: Any, seed: int) -> float:
        if how == "program":
            pid = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"]).pid
        else:
            pid = os.fork()
        if pid:
            started.write_text(str(pid))
        time.sleep(3600)
        return 0.0

    # Ten hours pass once the other process is there, however long a busy machine takes for it.
    JumpingClock(monkeypatch).ahead = lambda: (
        36000.0 * (started.exists() and started.read_text() != "")
    )
    monkeypatch.setattr("nas_env.evaluation.pool.process_pool._ASLEEP_S", 1e9)
    limits = WorkerLimits(time_limit_s=600.0, grace_s=0.0)
    assert run(make_pool(function, 1, limits), 1)[1].failure == "timeout"
    assert gone(int(wait_for(started)))


def test_what_a_finished_child_left_running_ends_with_the_pool(
    make_pool: MakePool, tmp_path: Path
) -> None:
    def function(architecture: Any, seed: int) -> float:
        (tmp_path / "started").write_text(str(subprocess.Popen(["sleep", "3600"]).pid))
        return 1.0

    pool = make_pool(function, workers=1)
    assert run(pool, 1)[1].metric == 1.0
    pool.close()
    assert gone(int(wait_for(tmp_path / "started")))


def test_workers_outlive_the_thread_that_ran_the_first_batch(make_pool: MakePool) -> None:
    """Linux's parent-death signal goes by threads."""
    pool = make_pool(lambda *_: float(os.getpid()), workers=1)
    pids: list[float | None] = []
    for unit in (1, 2):
        thread = threading.Thread(
            target=lambda unit=unit: pids.append(run(pool, unit)[unit].metric)
        )
        thread.start()
        thread.join()
        time.sleep(0.3)
    assert len(pids) == 2
    assert pids[0] == pids[1]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_evaluator_that_raises_what_ends_programs_fails_one_child(
    make_pool: MakePool, error: type[BaseException]
) -> None:
    def function(architecture: Any, seed: int) -> float:
        if seed == 1:
            raise error("enough")
        return float(os.getpid())

    results = run(make_pool(function, workers=1), 1, 2)
    assert (results[1].failure, results[1].message) == ("error", f"{error.__name__}: enough")
    assert results[2].state == "complete"


def test_workers_import_nothing_from_the_current_folder(
    make_pool: MakePool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A console command does not have it on its path either; files there have any names."""
    for name in ("queue", "pickle", "json", "struct", "ctypes", "messages", "numpy"):
        (tmp_path / f"{name}.py").write_text("open('imported', 'w')\nraise RuntimeError('no')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", ".")])
    monkeypatch.delenv("PYTHONPATH", raising=False)
    assert run(make_pool(lambda *_: 1.0, 1), 1)[1].metric == 1.0
    assert not (tmp_path / "imported").exists()
