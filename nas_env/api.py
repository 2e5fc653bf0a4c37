"""One architecture without an environment: ``nas_env.evaluate`` and ``nas_env.build_child``."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas_env.checks import check_seed
from nas_env.data.datasets import DatasetGiven
from nas_env.evaluation.evaluation import Evaluation
from nas_env.evaluation.evaluator import Evaluator, MetricFunction
from nas_env.evaluation.factory import callable_evaluator, make_evaluator
from nas_env.space.architecture_json import as_architecture
from nas_env.space.layout import Architecture
from nas_env.tasks.kinds import kind_of

if TYPE_CHECKING:
    from torch import nn


def build_child(architecture: Architecture | Mapping[str, Any], **sizes: Any) -> "nn.Module":
    """The ``torch.nn.Module`` of an architecture, with fresh weights from torch's generator.

    Args:
        architecture: what a search space decoded or ``load_architecture`` read, or its JSON as a
            dict.
        **sizes: for ``ConvArchitecture`` the arguments of ``ConvNet``: ``image_channels``,
            ``classes``; for ``CellArchitecture`` those of ``LanguageSizes``: ``vocabulary_size``,
            ``hidden_size``, and optionally ``embedding_size``, ``layers``, ``tied``.

    Raises:
        InvalidArchitectureError: an architecture without a child of ours.
    """
    architecture = as_architecture(architecture)
    return kind_of(architecture).build(architecture, **sizes)


def evaluate(
    architecture: Architecture | Mapping[str, Any],
    dataset: DatasetGiven = None,
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
        dataset: name or path, images in memory (``(images, labels)``, a torch ``Dataset``), or the
            row of a data set; None = CIFAR-10 for a convolutional network, Penn Treebank for a
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
    architecture = as_architecture(architecture)
    chosen: Evaluator
    seed = check_seed(seed)
    if isinstance(evaluator, str):
        task = kind_of(architecture).make_task(dataset, data_dir, recipe, device)
        chosen = make_evaluator(task, evaluator, workers=workers, store=store)
    else:
        chosen = callable_evaluator(evaluator)
    try:
        return chosen.evaluate([architecture], seed)[0]
    finally:
        chosen.close()
