"""ImageTask: cheap to make and pickle, honest identity, children's faults as evaluations."""

import pickle
from pathlib import Path

import pytest

from nas_env.errors import ConfigurationError, DatasetNotFoundError
from nas_env.evaluation.evaluator import Job, Task
from nas_env.evaluation.factory import make_evaluator
from nas_env.space.conv_architecture import ConvArchitecture, Convolution
from nas_env.tasks.image_task import ImageTask
from nas_env.training import image_recipes as recipes

CHILD = ConvArchitecture((Convolution(3, 3, 8),))
TINY = {"epochs": 1, "reward_epochs": 1, "train_images": 64, "valid_images": 50, "batch_size": 32}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_ENV_CACHE", str(tmp_path / "cache"))


def task(**changes: object) -> ImageTask:
    return ImageTask("digits", recipe={**TINY, "numerics": "float32", **changes}, device="cpu")


def test_a_job_becomes_a_complete_evaluation() -> None:
    evaluation = task().run(Job(CHILD, 7))
    assert evaluation.state == "complete" and evaluation.failure == ""
    assert evaluation.metric is not None and 0 <= evaluation.metric <= 1
    assert evaluation.curve == (evaluation.metric,)
    assert (evaluation.seed, evaluation.metric_name) == (7, "accuracy")
    assert evaluation.parameters > 0 and evaluation.macs > 0 and evaluation.train_seconds > 0
    assert evaluation.numerics == "float32"


def test_a_pickled_task_has_the_same_key_and_measures_the_same() -> None:
    first: Task = task()
    expected, key = first.run(Job(CHILD, 3)), first.key()
    copy: Task = pickle.loads(pickle.dumps(first))
    assert copy.key() == key
    assert copy.run(Job(CHILD, 3)).curve == expected.curve


def test_a_pickled_task_is_small_although_its_data_are_loaded() -> None:
    loaded = task()
    loaded.prepare()
    assert len(pickle.dumps(loaded)) < 5_000


def test_workers_get_the_numerics_that_the_parent_chose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipes, "choose_numerics", lambda device: "bfloat16-channels_last")
    parent = task(numerics="auto")
    parent.key()
    worker: ImageTask = pickle.loads(pickle.dumps(parent))
    monkeypatch.setattr(recipes, "choose_numerics", lambda device: "float32")
    assert worker.recipe.numerics == parent.recipe.numerics == "bfloat16-channels_last"


def test_arithmetic_is_part_of_a_result_and_not_of_the_childs_seed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ("float32", "float32-channels_last", "bfloat16-channels_last")
    evaluators = [make_evaluator(task(numerics=name), "local") for name in names]
    found = [evaluator.evaluate([CHILD], 5)[0] for evaluator in evaluators]
    assert len({evaluation.seed for evaluation in found}) == 1
    assert len({task(numerics=name).key() for name in names}) == 3
    assert [evaluation.numerics for evaluation in found] == list(names)
    other = make_evaluator(task(numerics="float32", epochs=2), "local")
    assert other.evaluate([CHILD], 5)[0].seed != found[0].seed
    monkeypatch.setattr(recipes, "choose_numerics", lambda device: "bfloat16-channels_last")
    assert make_evaluator(task(numerics="auto"), "local").evaluate([CHILD], 5)[0].seed in {
        evaluation.seed for evaluation in found
    }


def test_key_tells_recipes_and_data_sets_apart() -> None:
    assert task().key() == task(time_limit_s=99.0).key()
    assert task().key()[0] == task(epochs=2).key()[0]
    assert task().key()[1] != task(epochs=2).key()[1]


@pytest.mark.parametrize(
    ("changes", "failure"),
    [({"max_parameters": 1}, "too_large"), ({"time_limit_s": 0.0001}, "timeout")],
)
def test_a_childs_fault_is_a_failed_evaluation(changes: dict[str, object], failure: str) -> None:
    evaluation = task(**changes).run(Job(CHILD, 0))
    assert (evaluation.state, evaluation.failure) == ("failed", failure)
    assert evaluation.metric is None and evaluation.message


def test_missing_data_is_an_error_not_a_failed_child(tmp_path: Path) -> None:
    lost = ImageTask(str(tmp_path / "nowhere"), recipe={"numerics": "float32"}, device="cpu")
    for call in (lost.key, lost.prepare, lambda: lost.run(Job(CHILD, 0))):
        with pytest.raises(DatasetNotFoundError, match="nowhere"):
            call()


def test_construction_is_lazy_and_a_wrong_recipe_fails_at_first_use() -> None:
    wrong = ImageTask("digits", recipe="papper")
    with pytest.raises(ConfigurationError, match="papper"):
        wrong.key()
