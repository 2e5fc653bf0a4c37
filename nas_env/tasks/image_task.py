"""The task of a convolutional search: train one child on an image data set."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nas_env.data.datasets import ImageDataset
from nas_env.evaluation.evaluation import MetricName
from nas_env.evaluation.evaluator import Job
from nas_env.space.conv_architecture import ConvArchitecture
from nas_env.tasks.child_task import ChildTask

if TYPE_CHECKING:
    import torch

    from nas_env.data.images import ImageData
    from nas_env.training.image_recipes import ImageRecipe
    from nas_env.training.outcome import TrainingOutcome

MEASURED = {"float32": 2.8}
"""Memory of a training on a CPU by its estimate: 2.2 to 2.8 in float32, whose convolutions keep
copies in another layout, 0.9 to 1.1 in bfloat16 (networks of 6 and 12 layers, 16x16 and 32x32)."""


class ImageTask(ChildTask["ImageRecipe", "ImageData", ImageDataset]):
    """Images: of a named data set, or of a folder."""

    rows = ImageDataset
    metric_name: MetricName = "accuracy"  # a fraction

    def cost(self, job: Job) -> int:
        """Multiply-accumulates on an image of 32x32: which child of a batch is the largest."""
        if not isinstance(job.architecture, ConvArchitecture):
            return 0
        from nas_env.child.conv.cost import conv_cost

        return conv_cost(job.architecture).macs

    def _child_mb(self, job: Job) -> float:
        """Of a step on images of the recipe's size, or of 32x32.

        The estimate that a recipe's limit is compared with, times what trainings took of it.
        """
        if not isinstance(job.architecture, ConvArchitecture):
            return 0.0
        from nas_env.child.conv.cost import conv_cost
        from nas_env.training.image_training import estimate_memory_mb

        side = self.recipe.resolution or 32
        cost = conv_cost(job.architecture.narrower(self.recipe.width), (3, side, side))
        factor = MEASURED.get(self.recipe.numerics, 1.1)
        return factor * estimate_memory_mb(cost, self.recipe.batch_size) * 1e6 / 2**20

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
