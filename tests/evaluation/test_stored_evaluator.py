"""What every evaluator promises, whichever executor and store are behind it."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from nas_env.errors import ChildDiverged, DatasetNotFoundError, StoreError
from nas_env.evaluation.callable_evaluator import CallableTask
from nas_env.evaluation.evaluation import Evaluation
from nas_env.evaluation.evaluator import Job
from nas_env.evaluation.factory import make_evaluator, make_executor
from nas_env.evaluation.seeding import architecture_key, child_seed
from nas_env.evaluation.store import EvaluationStore
from nas_env.evaluation.stored_evaluator import StoredEvaluator
from nas_env.space.choices import ChoiceArchitecture
from nas_env.space.layout import Architecture


def choice(units: int) -> ChoiceArchitecture:
    return ChoiceArchitecture({"units": units})


def counting_task(log: Path) -> CallableTask:
    """A task that notes each training in a file, whichever process trains it.

    The function is nested so that it travels to workers by value: they cannot import this module.
    """

    def function(architecture: Any, seed: int) -> float:
        units = architecture["units"]
        with log.open("a") as file:
            file.write(f"{units}\n")
        time.sleep(0.02 * (units % 3))  # so that children finish out of order
        if units == 13:
            raise ChildDiverged("the loss is NaN")
        return float(units + (seed % 1000) / 1000)

    return CallableTask(function, "counting")


def trained(log: Path) -> list[int]:
    return sorted(map(int, log.read_text().split())) if log.exists() else []


Make = Callable[..., StoredEvaluator]


@pytest.fixture(params=["local", "process"])
def executor_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[False, True], ids=["memory", "store"])
def make(
    request: pytest.FixtureRequest, executor_name: str, tmp_path: Path
) -> Iterator[Callable[[], StoredEvaluator]]:
    """Evaluators over each executor, with and without a store."""
    made = []

    def build() -> StoredEvaluator:
        store = tmp_path / "store.sqlite" if request.param else None
        task = counting_task(tmp_path / "log")
        made.append(make_evaluator(task, executor_name, workers=2, store=store))
        return made[-1]

    yield build
    for evaluator in made:
        evaluator.close()


class TestEveryEvaluator:
    """One class over all executors and stores."""

    def test_results_come_in_order_and_only_once_trained(self, make: Make, tmp_path: Path) -> None:
        units = [5, 4, 3, 5, 2, 1, 4]
        evaluations = make().evaluate([choice(unit) for unit in units], run_seed=0)
        assert [int(evaluation.metric or 0) for evaluation in evaluations] == units
        assert trained(tmp_path / "log") == [1, 2, 3, 4, 5]
        cached = [evaluation.cached for evaluation in evaluations]
        assert cached == [False, False, False, True, False, False, True]

    def test_asking_again_trains_nothing(self, make: Make, tmp_path: Path) -> None:
        evaluator = make()
        first = evaluator.evaluate([choice(1), choice(2)], run_seed=0)
        again = evaluator.evaluate([choice(2), choice(1)], run_seed=0)
        assert [evaluation.metric for evaluation in again] == [first[1].metric, first[0].metric]
        assert all(evaluation.cached for evaluation in again)
        assert trained(tmp_path / "log") == [1, 2]

    def test_evaluation_names_architecture_and_child_seed(self, make: Make) -> None:
        evaluator = make()
        evaluation = evaluator.evaluate([choice(1)], run_seed=7)[0]
        assert evaluation.architecture == architecture_key(choice(1))
        assert evaluation.seed == child_seed(7, choice(1), *evaluator.task.key())

    def test_another_run_seed_is_another_result(self, make: Make, tmp_path: Path) -> None:
        evaluator = make()
        first, second = (evaluator.evaluate([choice(1)], seed)[0] for seed in (0, 1))
        assert (first.metric, first.seed) != (second.metric, second.seed)
        assert not second.cached

    def test_a_failed_child_is_a_result_like_any_other(self, make: Make, tmp_path: Path) -> None:
        evaluator = make()
        good, bad, again = evaluator.evaluate([choice(1), choice(13), choice(13)], run_seed=0)
        assert good.state == "complete"
        assert (bad.state, bad.failure, bad.metric) == ("failed", "diverged", None)
        assert bad.message == "the loss is NaN"
        assert again.cached
        assert evaluator.evaluate([choice(13)], run_seed=0)[0].cached
        assert trained(tmp_path / "log") == [1, 13]

    def test_an_empty_batch_is_an_empty_list(self, make: Make) -> None:
        assert make().evaluate([], run_seed=0) == []

    def test_closing_twice_is_safe_and_evaluating_afterwards_works(self, make: Make) -> None:
        evaluator = make()
        evaluator.close()
        first = evaluator.evaluate([choice(1)], run_seed=0)[0]
        evaluator.close()
        evaluator.close()
        assert evaluator.evaluate([choice(2)], run_seed=0)[0].metric
        assert evaluator.evaluate([choice(1)], run_seed=0)[0].metric == first.metric

    def test_missing_data_reach_the_caller(self, executor_name: str) -> None:
        class NoData(CallableTask):
            def prepare(self) -> None:
                raise DatasetNotFoundError("looked in /nowhere")

        task = NoData(lambda *_: 1.0, "no data")
        evaluator = StoredEvaluator(task, make_executor(task, executor_name, workers=2))
        with pytest.raises(DatasetNotFoundError, match="looked in /nowhere"):
            evaluator.evaluate([choice(1), choice(2)], run_seed=0)
        evaluator.close()

    def test_results_do_not_depend_on_executor_or_order(
        self, make: Make, executor_name: str
    ) -> None:
        expected = {unit: unit + _seed_part(unit) for unit in (1, 2, 3)}
        for units in ((1, 2, 3), (3, 1, 2)):
            evaluations = make().evaluate([choice(unit) for unit in units], run_seed=3)
            assert [item.metric for item in evaluations] == [expected[unit] for unit in units]


def _seed_part(units: int) -> float:
    key = CallableTask(lambda *_: 0.0, "counting").key()
    return (child_seed(3, choice(units), *key) % 1000) / 1000


def test_a_new_process_finds_everything_in_the_store(tmp_path: Path) -> None:
    store, log = tmp_path / "store.sqlite", tmp_path / "log"
    batch = [choice(1), choice(13), choice(3)]
    first = make_evaluator(counting_task(log), store=store).evaluate(batch, run_seed=0)
    again = make_evaluator(counting_task(log), store=store).evaluate(batch, run_seed=0)
    assert [item.metric for item in again] == [item.metric for item in first]
    assert [item.failure for item in again] == ["", "diverged", ""]
    assert all(item.cached for item in again)
    assert trained(log) == [1, 3, 13]


def test_forgotten_failures_are_trained_again(tmp_path: Path) -> None:
    store, log = tmp_path / "store.sqlite", tmp_path / "log"
    make_evaluator(counting_task(log), store=store).evaluate([choice(13), choice(1)], run_seed=0)
    EvaluationStore(store).forget_failures()
    make_evaluator(counting_task(log), store=store).evaluate([choice(13), choice(1)], run_seed=0)
    assert trained(log) == [1, 13, 13]


@dataclass(frozen=True)
class WithDeadPart(Architecture):
    """An architecture of which a part computes nothing."""

    units: int
    dead: int

    def to_json(self) -> dict[str, Any]:
        return {"kind": "toy", "units": self.units, "dead": self.dead}

    def canonical(self) -> "WithDeadPart":
        return replace(self, dead=0)


def test_a_dead_part_makes_no_new_child() -> None:
    seen = []

    def function(architecture: Any, seed: int) -> float:
        seen.append(architecture)
        return 0.5

    evaluator = make_evaluator(CallableTask(function, "dead parts"))
    batch = [WithDeadPart(8, dead=1), WithDeadPart(8, dead=2), WithDeadPart(16, dead=1)]
    first, second, third = evaluator.evaluate(batch, run_seed=0)
    assert (first.cached, second.cached, third.cached) == (False, True, False)
    assert first.architecture == second.architecture == architecture_key(WithDeadPart(8, dead=0))
    assert seen == [WithDeadPart(8, dead=0), WithDeadPart(16, dead=0)]


class StopAfter:
    """An executor that finishes some children and then raises, as Ctrl-C or a broken pipe does."""

    def __init__(self, task: CallableTask, count: int, error: BaseException) -> None:
        self.task, self.count, self.error = task, count, error
        self.closed = False

    def run(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Evaluation]]:
        for index in reversed(range(len(jobs))):
            if len(jobs) - index > self.count:
                raise self.error
            yield index, self.task.run(jobs[index])

    def close(self) -> None:
        self.closed = True


def test_what_finished_before_ctrl_c_is_kept_and_workers_are_stopped(tmp_path: Path) -> None:
    store, log = tmp_path / "store.sqlite", tmp_path / "log"
    batch = [choice(unit) for unit in (1, 2, 3, 4)]
    task = counting_task(log)
    executor = StopAfter(task, 3, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        StoredEvaluator(task, executor, EvaluationStore(store)).evaluate(batch, run_seed=0)
    assert executor.closed
    evaluations = make_evaluator(counting_task(log), store=store).evaluate(batch, run_seed=0)
    assert [item.cached for item in evaluations] == [False, True, True, True]
    assert trained(log) == [1, 2, 3, 4]


def test_a_full_disk_stops_the_search_and_keeps_what_finished(tmp_path: Path) -> None:
    log = tmp_path / "log"
    store = EvaluationStore(tmp_path / "store.sqlite")
    evaluator = make_evaluator(counting_task(log), "process", workers=2, store=store)
    batch = [ChoiceArchitecture({"units": unit, "name": "x" * 3000}) for unit in range(1, 10)]
    len(store)
    assert store._connection is not None
    (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
    store._connection.execute(f"PRAGMA max_page_count = {pages + 4}")
    with pytest.raises(StoreError, match="disk is full"):
        evaluator.evaluate(batch, run_seed=0)
    store.close()
    kept = len(store)
    assert kept > 0
    evaluations = evaluator.evaluate(batch, run_seed=0)  # space was freed
    assert sum(item.cached for item in evaluations) == kept
    evaluator.close()


def test_another_search_that_was_faster_decides_the_result(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    quick = make_evaluator(CallableTask(lambda *_: 0.25, "same"), store=path)

    def function(architecture: Any, seed: int) -> float:
        quick.evaluate([architecture], run_seed=0)  # the other search, meanwhile
        return 0.75

    slow = make_evaluator(CallableTask(function, "same"), store=path)
    evaluation = slow.evaluate([choice(1)], run_seed=0)[0]
    assert (evaluation.metric, evaluation.cached) == (0.25, True)
    assert slow.evaluate([choice(1)], run_seed=0)[0].metric == 0.25


def test_the_parent_side_does_not_load_torch() -> None:
    code = (
        "import sys, nas_env.evaluation.pool.process_pool, nas_env.evaluation.store, "
        "nas_env.evaluation.factory, nas_env.evaluation.reward, nas_env.api\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", code]) == 0
