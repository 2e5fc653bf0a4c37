"""The task of a convolutional search: train one child on an image data set.

Cheap to construct and to pickle: a worker process gets the settings, loads data and imports torch
itself, once, in ``prepare``.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas_env.evaluation.evaluation import Evaluation, MetricName
from nas_env.evaluation.evaluator import Job
from nas_env.evaluation.failures import run_safely
from nas_env.evaluation.seeding import architecture_key

if TYPE_CHECKING:
    from nas_env.data.images import ImageData
    from nas_env.training.recipes import ImageRecipe


class ImageTask:
    """Implements ``nas_env.evaluation.evaluator.Task`` for images.

    Args:
        dataset: ``"cifar10"``, ``"digits"`` or the path of an image folder.
        data_dir: where downloaded data sets live; None = the default folder.
        recipe: a name, a dict of settings, or an ``ImageRecipe``.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.

    Raises:
        ConfigurationError: on first use, for a recipe or device that cannot be.
        DatasetNotFoundError, InvalidDatasetError: from ``key`` and ``prepare``.
    """

    def __init__(
        self,
        dataset: str = "cifar10",
        data_dir: str | Path | None = None,
        recipe: "str | Mapping[str, Any] | ImageRecipe" = "quick",
        device: str = "auto",
    ) -> None:
        self.dataset = dataset
        self.data_dir = None if data_dir is None else str(data_dir)
        self.device = device
        self._recipe = recipe
        self._resolved: ImageRecipe | None = None
        self._key: tuple[str, str] | None = None
        self._data: ImageData | None = None

    @property
    def metric_name(self) -> MetricName:
        """Validation accuracy, a fraction."""
        return "accuracy"

    @property
    def recipe(self) -> "ImageRecipe":
        """The recipe in full, its numerics chosen; workers get it from the parent process."""
        if self._resolved is None:
            from nas_env.training.numerics import resolve_device
            from nas_env.training.recipes import image_recipe

            recipe = image_recipe(self._recipe, self.dataset)
            self._resolved = recipe.with_numerics(resolve_device(self.device))
        return self._resolved

    def key(self) -> tuple[str, str]:
        """(data-set digest, recipe digest); fetches the data set if it must be downloaded."""
        if self._key is None:
            from nas_env.data.images import dataset_digest

            self._key = dataset_digest(self.dataset, self.data_dir), self.recipe.digest()
        return self._key

    def prepare(self) -> None:
        """Load the images onto the device; idempotent."""
        if self._data is None:
            from nas_env.data.images import load_images
            from nas_env.training.numerics import resolve_device

            data = load_images(self.dataset, self.data_dir, self.recipe.selection)
            self._data = data.to(resolve_device(self.device))

    def run(self, job: Job) -> Evaluation:
        """Train one child; its fault becomes a failed evaluation.

        Raises:
            NasEnvError: what is not the child's fault: missing data, a wrong setting.
        """
        self.prepare()
        return run_safely(self._train, job, self.metric_name)

    def _train(self, job: Job) -> Evaluation:
        from nas_env.training.image import train_image_child

        assert self._data is not None
        outcome = train_image_child(
            job.architecture, self._data, self.recipe, job.seed, self._data.train_images.device
        )
        return Evaluation(
            architecture=architecture_key(job.architecture),
            seed=job.seed,
            metric_name=self.metric_name,
            metric=outcome.metric,
            state="complete",
            curve=outcome.curve,
            parameters=outcome.parameters,
            macs=outcome.macs,
            train_seconds=outcome.seconds,
            numerics=outcome.numerics,
        )

    def __getstate__(self) -> dict[str, Any]:
        """Settings without the data; numerics and key travel along, so that workers agree."""
        return {**self.__dict__, "_data": None}
