import math
import pickle
from pathlib import Path
from typing import Any

import pytest

from nas_env.errors import DatasetNotFoundError
from nas_env.evaluation.evaluator import Job
from nas_env.space.cell import CellSpace
from nas_env.space.published import NAS_CELL
from nas_env.tasks.language_task import LanguageTask

RECIPE: dict[str, Any] = {
    "hidden_size": 8,
    "batch_size": 4,
    "bptt_steps": 10,
    "epochs": 1,
    "vocabulary_size": 12,
    "numerics": "float32",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "my.train.txt").write_text("the cat sat on the mat\nthe dog ran to the cat\n" * 60)
    (tmp_path / "my.valid.txt").write_text("the dog sat on the mat\n" * 10)
    return tmp_path


def test_a_child_is_a_complete_evaluation_with_its_perplexity(folder: Path) -> None:
    evaluation = LanguageTask(str(folder), None, RECIPE, "cpu").run(Job(NAS_CELL.canonical(), 7))
    assert evaluation.state == "complete" and evaluation.metric_name == "perplexity"
    assert evaluation.metric is not None and 1 < evaluation.metric < 12
    assert evaluation.parameters > 0 and evaluation.macs > 0 and evaluation.numerics == "float32"


def test_a_pickled_task_measures_the_same(folder: Path) -> None:
    task = LanguageTask(str(folder), None, RECIPE, "cpu")
    job = Job(NAS_CELL.canonical(), 7)
    first = task.run(job)
    copy = pickle.loads(pickle.dumps(task))
    assert copy.key() == task.key()
    assert copy.run(job).metric == first.metric


def test_the_key_follows_text_and_recipe(folder: Path) -> None:
    task = LanguageTask(str(folder), None, RECIPE, "cpu")
    assert LanguageTask(str(folder), None, {**RECIPE, "epochs": 2}, "cpu").key() != task.key()
    (folder / "my.train.txt").write_text("another text\n" * 50)
    assert LanguageTask(str(folder), None, RECIPE, "cpu").key()[0] != task.key()[0]


def test_an_exploding_child_is_a_typed_failure(folder: Path) -> None:
    wild = {**RECIPE, "learning_rate": 1e6, "clip_norm": 1e6}
    evaluation = LanguageTask(str(folder), None, wild, "cpu").run(Job(NAS_CELL, 7))
    assert (evaluation.state, evaluation.failure, evaluation.metric) == ("failed", "diverged", None)


def test_missing_text_reaches_the_caller(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError):
        LanguageTask(str(tmp_path / "none"), None, RECIPE, "cpu").run(Job(NAS_CELL, 7))


@pytest.mark.slow
def test_random_cells_end_with_a_metric_or_a_typed_failure(folder: Path) -> None:
    import numpy as np

    spaces = [
        CellSpace(base, ("add", "elem_mult", "max"), ("identity", "tanh", "sigmoid", "relu", "sin"))
        for base in (2, 4, 8)
    ]
    rng = np.random.default_rng(0)
    task = LanguageTask(str(folder), None, RECIPE, "cpu")
    for number in range(300):  # 21 steps each
        space = spaces[number % 3]
        cell = space.decode(space.sample(rng)).canonical()
        evaluation = task.run(Job(cell, number))
        if evaluation.state == "complete":
            assert evaluation.metric is not None and math.isfinite(evaluation.metric)
        else:
            assert evaluation.failure == "diverged", evaluation.message
