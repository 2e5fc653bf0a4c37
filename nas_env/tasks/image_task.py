"""The task of a convolutional search: train one child on an image data set."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas_env.evaluation.evaluation import MetricName
from nas_env.evaluation.evaluator import Job
from nas_env.tasks.child_task import ChildTask

if TYPE_CHECKING:
    import torch

    from nas_env.data.images import ImageData
    from nas_env.training.image_recipes import ImageRecipe
    from nas_env.training.outcome import TrainingOutcome


class ImageTask(ChildTask["ImageRecipe", "ImageData"]):
    """Images: ``"cifar10"``, ``"digits"`` or the path of an image folder."""

    def __init__(
        self,
        dataset: str = "cifar10",
        data_dir: str | Path | None = None,
        recipe: "str | Mapping[str, Any] | ImageRecipe" = "quick",
        device: str = "auto",
    ) -> None:
        super().__init__(dataset, data_dir, recipe, device)

    @property
    def metric_name(self) -> MetricName:
        """Validation accuracy, a fraction."""
        return "accuracy"

    def _resolve(self, recipe: "str | Mapping[str, Any] | ImageRecipe") -> "ImageRecipe":
        from nas_env.training.image_recipes import image_recipe

        return image_recipe(recipe, self.dataset)

    def _data_digest(self) -> str:
        from nas_env.data.images import image_digest

        return image_digest(self.dataset, self.data_dir)

    def _load(self) -> "ImageData":
        from nas_env.data.images import load_images

        return load_images(self.dataset, self.data_dir, self.recipe.selection)

    def _train(self, job: Job, data: "ImageData", device: "torch.device") -> "TrainingOutcome":
        from nas_env.training.image_training import train_image_child

        return train_image_child(job.architecture, data, self.recipe, job.seed, device)
