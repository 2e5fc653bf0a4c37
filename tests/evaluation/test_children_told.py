"""Evaluators tell of each child of a batch as it finishes."""

from typing import Any

from nas_env.envs.lazy_evaluator import LazyEvaluator
from nas_env.evaluation.callable_evaluator import CallableEvaluator, CallableTask
from nas_env.evaluation.evaluation import Evaluation
from nas_env.evaluation.local import LocalExecutor
from nas_env.evaluation.stored_evaluator import StoredEvaluator
from nas_env.space.choices import ChoiceArchitecture

BATCH = [ChoiceArchitecture({"units": units}) for units in (1, 2, 2, 3)]


def test_known_equal_and_fresh_children_are_told_once_each_while_others_train() -> None:
    told: list[Evaluation] = []
    trained: list[int] = []  # how many were told when a child began

    def worth(architecture: Any, seed: int) -> float:
        trained.append(len(told))
        return float(architecture["units"])

    real = StoredEvaluator(CallableTask(worth, "x"), LocalExecutor(CallableTask(worth, "x")))
    evaluator = LazyEvaluator(lambda: real, "metric")
    evaluator.evaluate(BATCH[:1], 0)
    evaluator.on_finished = told.append
    evaluator.evaluate(BATCH, 0)
    assert sorted(evaluation.metric or 0.0 for evaluation in told) == [1.0, 2.0, 2.0, 3.0]
    assert trained[1] == 1, "the known one is told before the first is trained"
    assert trained[2] > 1, "and each before the next is trained"


def test_a_users_function_tells_of_each_child() -> None:
    told: list[Evaluation] = []
    evaluator = CallableEvaluator(lambda architecture, seed: float(len(told)))
    evaluator.on_finished = told.append
    evaluations = evaluator.evaluate(BATCH, 0)
    assert told == evaluations
    assert [evaluation.metric for evaluation in told] == [0.0, 1.0, 2.0, 3.0]
