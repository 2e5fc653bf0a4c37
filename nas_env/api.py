"""``nas_env.evaluate``: train one architecture as an environment would."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nas_env.checks import check_seed
from nas_env.errors import ConfigurationError, InvalidArchitectureError
from nas_env.evaluation.evaluation import Evaluation
from nas_env.evaluation.evaluator import Evaluator, MetricFunction, Task
from nas_env.evaluation.factory import callable_evaluator, make_evaluator
from nas_env.space.architecture_json import architecture_from_json
from nas_env.space.layout import Architecture

DEFAULT_DATASET = {"conv": "cifar10", "cell": "ptb"}
"""Data set of each kind of architecture, unless another is named."""


def evaluate(
    architecture: Architecture | Mapping[str, Any],
    dataset: str | Path | None = None,
    recipe: Any = "quick",
    seed: int = 0,
    *,
    data_dir: str | Path | None = None,
    device: str = "auto",
    store: str | Path | None = None,
    evaluator: str | MetricFunction = "local",
    workers: int | None = None,
) -> Evaluation:
    """Train one child and measure it on the validation data.

    The result equals what an environment with the same data set, recipe and run seed measures for
    this architecture; with the same ``store``, neither trains what the other has trained.

    Args:
        architecture: an architecture, or its JSON as a dict.
        dataset: name or path; None = CIFAR-10 for a convolutional network, Penn Treebank for a
            recurrent cell.
        recipe: name, dict of settings, or recipe.
        seed: the run seed.
        data_dir: where data sets are looked for and downloaded to.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        store: SQLite file to look the result up in and to keep it in.
        evaluator: ``"local"``, ``"process"``, or a callable ``(architecture, seed) -> metric``,
            which takes the place of data set, recipe and store.
        workers: worker processes of ``"process"``.

    Returns:
        The evaluation; a child that could not be trained is a failed one, not an exception.

    Raises:
        DatasetNotFoundError: the data are neither on disk nor downloadable.
        ConfigurationError: settings that cannot be.
        StoreError: the store cannot be opened, read or written.
    """
    if isinstance(architecture, Mapping) and not isinstance(architecture, Architecture):
        architecture = architecture_from_json(architecture)
    if not isinstance(architecture, Architecture):
        raise InvalidArchitectureError(
            f"Expected an architecture or its JSON as a dict, got {type(architecture).__name__}."
        )
    chosen: Evaluator
    seed = check_seed(seed)
    if isinstance(evaluator, str):
        task = make_task(architecture, dataset, recipe, data_dir=data_dir, device=device)
        chosen = make_evaluator(task, evaluator, workers=workers, store=store)
    else:
        chosen = callable_evaluator(evaluator)
    try:
        return chosen.evaluate([architecture], seed)[0]
    finally:
        chosen.close()


def make_task(
    architecture: Architecture,
    dataset: str | Path | None = None,
    recipe: Any = "quick",
    *,
    data_dir: str | Path | None = None,
    device: str = "auto",
) -> Task:
    """The task that trains architectures of this kind; see ``evaluate``."""
    kind = str(architecture.to_json().get("kind"))
    if kind not in DEFAULT_DATASET:
        raise ConfigurationError(
            f"Nothing is known of how to train an architecture of kind {kind!r}: pass "
            "evaluator=, a callable (architecture, seed) -> metric."
        )
    name = DEFAULT_DATASET[kind] if dataset is None else str(dataset)
    if kind == "cell":
        from nas_env.tasks.language_task import LanguageTask

        return LanguageTask(name, data_dir, recipe, device)
    from nas_env.tasks.image_task import ImageTask

    return ImageTask(name, data_dir, recipe, device)
