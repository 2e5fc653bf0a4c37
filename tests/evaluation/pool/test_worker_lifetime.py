"""Workers seen from outside, under an ordinary script: they end with it, however it ends."""

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from nas_env.evaluation.store import EvaluationStore, StoredRow
from tests.evaluation.pool.pools import wait_for

# No ``if __name__ == "__main__"`` and everything defined in the script itself, as users write it.
SCRIPT = """
    import os, sys, time
    from pathlib import Path
    from nas_env.evaluation.callable_evaluator import CallableTask
    from nas_env.evaluation.factory import make_evaluator
    from nas_env.space.choices import ChoiceArchitecture

    folder = Path(sys.argv[1])

    class Task(CallableTask):
        pass

    def measure(architecture, seed):
        units = architecture["units"]
        (folder / f"pid-{units}").write_text(str(os.getpid()))
        end = time.monotonic() + (3600 if units > 1 else 0)
        while time.monotonic() < end:  # computes, and holds the interpreter
            sum(range(1000))
        return float(units)

    task = Task(measure, "script")
    evaluator = make_evaluator(task, "process", workers=2, store=folder / "store.sqlite")
    units = range(1, 1 + int(sys.argv[2]))
    evaluations = evaluator.evaluate([ChoiceArchitecture({"units": n}) for n in units], 0)
    print([evaluation.metric for evaluation in evaluations])
"""

# A fork of the parent, made after the workers, inherits the pipes to them.
FORK = """
import threading

def fork():
    while not (folder / "pid-3").exists():
        time.sleep(0.02)
    if os.fork() == 0:
        (folder / "fork").write_text(str(os.getpid()))
        time.sleep(3600)

threading.Thread(target=fork, daemon=True).start()
"""

Start = Callable[[int], "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    (tmp_path / "script.py").write_text(textwrap.dedent(SCRIPT))

    def start(children: int) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "script.py", str(tmp_path), str(children)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
            start_new_session=True,  # its own process group, as a terminal gives it
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def worker_pids(tmp_path: Path, count: int) -> set[int]:
    """Processes that train children 2 and 3, once child 1 is stored and they are at it."""
    deadline = time.monotonic() + 300  # against a hang
    paths = [tmp_path / f"pid-{number}" for number in range(1, count + 1)]
    while not all(path.exists() and path.read_text() for path in paths):
        assert time.monotonic() < deadline, "workers did not get to work"
        time.sleep(0.02)
    store = EvaluationStore(tmp_path / "store.sqlite")
    while len(store) < 1:
        assert time.monotonic() < deadline, "child 1 was not stored"
        time.sleep(0.02)
    return {int(path.read_text()) for path in paths[1:]}


def alive(pids: set[int]) -> set[int]:
    return {
        pid
        for pid in pids
        if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    }


def assert_gone(pids: set[int], within_s: float = 300.0) -> None:
    deadline = time.monotonic() + within_s
    while alive(pids):
        assert time.monotonic() < deadline, f"still running: {alive(pids)}"
        time.sleep(0.02)


def test_a_script_without_a_main_guard_works_and_leaves_nothing_behind(
    start: Start, tmp_path: Path
) -> None:
    script = start(1)
    output, errors = script.communicate(timeout=300)
    assert (output, errors, script.returncode) == ("[1.0]\n", "", 0)
    assert_gone({int((tmp_path / "pid-1").read_text())})


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_workers_die_with_their_parent_while_they_train(
    start: Start, tmp_path: Path, how: signal.Signals
) -> None:
    script = start(3)
    pids = worker_pids(tmp_path, 3)
    assert alive(pids) == pids
    os.kill(script.pid, how)
    script.communicate(timeout=300)
    assert_gone(pids)
    assert [row.evaluation.metric for row in EvaluationStore(tmp_path / "store.sqlite").rows()] == [
        1.0
    ]


HOLDS_THE_INTERPRETER = "__import__('ctypes').PyDLL(None).sleep(3600)"


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's parent-death signal")
@pytest.mark.parametrize("state", ["holds the interpreter", "is stopped"])
def test_a_worker_that_cannot_look_around_dies_with_its_parent(
    start: Start, tmp_path: Path, state: str
) -> None:
    if state == "holds the interpreter":
        source = (tmp_path / "script.py").read_text()
        (tmp_path / "script.py").write_text(
            source.replace("sum(range(1000))", HOLDS_THE_INTERPRETER)
        )
    script = start(3)
    pids = worker_pids(tmp_path, 3)
    if state == "is stopped":
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
    os.kill(script.pid, signal.SIGKILL)
    script.communicate(timeout=300)
    try:
        assert_gone(pids)
    finally:
        for pid in alive(pids):
            os.kill(pid, signal.SIGKILL)


PROGRAM = """__import__('subprocess').Popen(['sleep', '3600']).pid"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs process groups")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_what_children_started_ends_with_a_parent_that_was_killed(
    start: Start, tmp_path: Path, how: signal.Signals
) -> None:
    source = (tmp_path / "script.py").read_text()
    note = "write_text(str(os.getpid()))"
    started = f'(folder / f"program-{{units}}").write_text(str({PROGRAM}))'
    (tmp_path / "script.py").write_text(source.replace(note, f"{note}\n    {started}"))
    script = start(3)
    pids = worker_pids(tmp_path, 3)
    programs = {int(wait_for(tmp_path / f"program-{units}")) for units in (1, 2, 3)}
    assert alive(programs) == programs
    os.kill(script.pid, how)
    script.communicate(timeout=300)
    assert_gone(pids | programs)


def test_ctrl_c_stops_the_workers_and_keeps_what_finished(start: Start, tmp_path: Path) -> None:
    script = start(3)
    pids = worker_pids(tmp_path, 3)
    os.killpg(script.pid, signal.SIGINT)  # as a terminal does: to the workers as well
    _, errors = script.communicate(timeout=300)
    assert errors.count("KeyboardInterrupt") == 1, "one interrupt, not one per worker"
    assert "Traceback" in errors
    assert errors.count("Traceback") == 1
    assert_gone(pids)
    assert len(EvaluationStore(tmp_path / "store.sqlite")) == 1


@pytest.mark.slow
def test_workers_die_although_a_fork_of_the_parent_holds_their_pipes(
    start: Start, tmp_path: Path
) -> None:
    source = (tmp_path / "script.py").read_text()
    (tmp_path / "script.py").write_text(source.replace("task = Task(", FORK + "task = Task("))
    script = start(3)
    pids = worker_pids(tmp_path, 3)
    while not (tmp_path / "fork").exists():
        time.sleep(0.02)
    fork_pid = int((tmp_path / "fork").read_text())
    try:
        os.kill(script.pid, signal.SIGKILL)
        assert_gone(pids)
        assert alive({fork_pid})
    finally:
        os.kill(fork_pid, signal.SIGKILL)
        script.communicate(timeout=300)


@pytest.mark.slow
def test_a_search_killed_again_and_again_keeps_every_finished_child(
    start: Start, tmp_path: Path
) -> None:
    source = (tmp_path / "script.py").read_text().replace("3600 if units > 1 else 0", "0.15")
    (tmp_path / "script.py").write_text(source)
    store, rng = EvaluationStore(tmp_path / "store.sqlite"), random.Random(0)
    kept: list[StoredRow] = []
    for attempt in range(100):
        script = start(12)
        time.sleep(rng.uniform(0.5, 2.0) + 0.1 * attempt)  # a busy machine needs longer
        script.kill()
        output, _ = script.communicate(timeout=300)
        rows = list(store.rows())
        assert rows[: len(kept)] == kept, "a stored row was lost, changed or trained again"
        kept = rows
        if output:
            break
    assert output == f"{[float(number) for number in range(1, 13)]}\n"
    assert len(kept) == 12
