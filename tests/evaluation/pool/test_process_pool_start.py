"""Workers that start: what travels to them, and clear errors when they cannot."""

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from nas_env.errors import ExecutorError
from nas_env.evaluation.callable_evaluator import CallableTask
from nas_env.evaluation.pool.process_pool import WorkerLimits
from tests.evaluation.pool.pools import MakePool, run


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
            time.sleep(600 * (where == "starting"))

        def prepare(self) -> None:
            time.sleep(600)

    starting = 0.5 if where == "starting" else 600.0  # no machine is too busy to get to "preparing"
    limits = WorkerLimits(start_timeout_s=starting, prepare_timeout_s=0.3)
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
