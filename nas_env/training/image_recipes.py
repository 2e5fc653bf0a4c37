"""How an image child is trained: every number of every recipe, in this one file.

``paper`` follows Zoph & Le (2017, section 4.1 and appendix A); where the paper is silent the
settings are DenseNet's, whose code it names. ``fast`` fits a search of a day on one GPU, ``quick``
a search of minutes on two CPU cores.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch

from nas_env.data.augment import Augmentation, Crop
from nas_env.data.images import ImageSelection
from nas_env.training.image_numerics import NUMERICS, choose_numerics
from nas_env.training.recipe_choice import (
    changed_recipe,
    check_kinds,
    find_recipe,
    recipe_digest,
    require,
)

Schedule = Literal["step", "linear"]


@dataclass(frozen=True)
class ImageRecipe:
    """All settings of one child's training.

    Attributes:
        name: for people; not part of the digest.
        epochs: passes over the training images.
        reward_epochs: the metric is the best validation accuracy of the last so many epochs; only
            these are validated.
        batch_size: images per step; an incomplete last batch is left out.
        learning_rate: peak; a layer-types architecture brings its own.
        momentum: of SGD with Nesterov momentum.
        weight_decay: on all parameters.
        schedule: ``"step"``: x0.1 at 50% and 75% of all steps; ``"linear"``: down to zero.
        warmup: fraction of all steps during which the rate rises linearly from zero.
        label_smoothing: of the training loss.
        train_images: at most so many, class-balanced; None = all of the training part.
        valid_images: at most so many, class-balanced; None = all of the validation part.
        resolution: shorter side in pixels after averaging down; None = as they are.
        split_seed: cuts validation from training.
        crop: see ``Augmentation``.
        crop_margin: pixels on each side, see ``Augmentation``.
        flip: see ``Augmentation``.
        numerics: ``"auto"`` (timed once per machine) or one of ``numerics.NUMERICS``.
        time_limit_s: a child that trains longer fails with ``timeout``; None = no limit. Not part
            of the digest: it cannot change a metric.
        max_parameters: a larger child fails with ``too_large`` without being built.
        max_macs: multiply-accumulates per image, likewise.
        max_memory_mb: estimated training memory, likewise.
    """

    name: str
    epochs: int
    batch_size: int
    learning_rate: float
    reward_epochs: int = 5
    momentum: float = 0.9
    weight_decay: float = 1e-4
    schedule: Schedule = "step"
    warmup: float = 0.0
    label_smoothing: float = 0.0
    train_images: int | None = None
    valid_images: int | None = None
    resolution: int | None = None
    split_seed: int = 0
    crop: Crop = "pad"
    crop_margin: int = 4
    flip: bool = True
    numerics: str = "auto"
    time_limit_s: float | None = None
    max_parameters: int | None = None
    max_macs: int | None = None
    max_memory_mb: float | None = None

    def __post_init__(self) -> None:
        """Check the ranges, so that a mistyped recipe fails before any child trains."""
        check_kinds(self)
        require(self.epochs >= 1, "epochs", self.epochs, "at least 1")
        allowed = f"1 to epochs ({self.epochs})"
        require(
            1 <= self.reward_epochs <= self.epochs, "reward_epochs", self.reward_epochs, allowed
        )
        require(self.batch_size >= 2, "batch_size", self.batch_size, "at least 2 (batch norm)")
        require(self.learning_rate > 0, "learning_rate", self.learning_rate, "above 0")
        require(0 <= self.momentum < 1, "momentum", self.momentum, "in [0, 1)")
        require(self.weight_decay >= 0, "weight_decay", self.weight_decay, "at least 0")
        require(self.schedule in ("step", "linear"), "schedule", self.schedule, "step or linear")
        require(0 <= self.warmup < 1, "warmup", self.warmup, "in [0, 1)")
        require(0 <= self.label_smoothing < 1, "label_smoothing", self.label_smoothing, "in [0, 1)")
        require(
            self.crop in ("none", "pad", "upsample"), "crop", self.crop, "none, pad or upsample"
        )
        require(self.crop_margin >= 0, "crop_margin", self.crop_margin, "at least 0")
        numerics = ("auto", *NUMERICS)
        require(self.numerics in numerics, "numerics", self.numerics, f"one of {numerics}")
        smallest = {"train_images": self.batch_size, "valid_images": 1, "resolution": 1}
        smallest |= {"time_limit_s": 0, "max_parameters": 1, "max_macs": 1, "max_memory_mb": 0}
        for field, least in smallest.items():
            value = getattr(self, field)
            require(value is None or value >= least, field, value, f"None or at least {least}")

    @property
    def selection(self) -> ImageSelection:
        """What of the data set this recipe uses."""
        return ImageSelection(
            self.resolution, self.train_images, self.valid_images, self.split_seed
        )

    @property
    def augmentation(self) -> Augmentation:
        """What happens to training images."""
        return Augmentation(self.crop, self.crop_margin, self.flip)

    def with_numerics(self, device: torch.device) -> "ImageRecipe":
        """This recipe with ``"auto"`` numerics replaced by the choice for ``device``."""
        if self.numerics != "auto":
            return self
        return replace(self, numerics=choose_numerics(device))

    def digest(self) -> str:
        """32 hex digits of everything that can change a metric or refuse an architecture."""
        return recipe_digest("image", self)


def image_recipe(
    recipe: "str | Mapping[str, Any] | ImageRecipe" = "quick", dataset: str = "cifar10"
) -> ImageRecipe:
    """The recipe that a user means.

    Args:
        recipe: a name; a dict of fields, with ``"name"`` naming the recipe to start from (default
            ``"quick"``); or a recipe.
        dataset: ``"cifar10"``, ``"digits"`` or a path: named recipes differ between data sets.

    Raises:
        ConfigurationError: unknown name or field, or a value out of range.
    """
    if isinstance(recipe, ImageRecipe):
        return recipe
    table = DIGITS_RECIPES if dataset == "digits" else RECIPES
    if isinstance(recipe, str):
        return find_recipe(recipe, table)
    return changed_recipe(recipe, table)


PAPER = ImageRecipe(
    name="paper",
    epochs=50,
    batch_size=64,
    learning_rate=0.1,
    time_limit_s=48 * 3600.0,
)

FAST = ImageRecipe(
    name="fast",
    epochs=12,
    batch_size=256,
    learning_rate=0.2,
    weight_decay=5e-4,
    schedule="linear",
    warmup=0.2,
    reward_epochs=2,
    time_limit_s=1800.0,
)

QUICK = ImageRecipe(
    name="quick",
    # A few CPU seconds buy thousands of images at 4x4 or hundreds at 8x8. Between two seeds the
    # accuracies of 16 random children correlate by 0.87 at 4x4 (4,096 images, two epochs) and not
    # at all at 8x8 (1,024 images, two epochs): there they are noise.
    epochs=2,
    reward_epochs=1,
    batch_size=32,
    learning_rate=0.1,
    weight_decay=5e-4,
    schedule="linear",
    warmup=0.2,
    train_images=3072,
    valid_images=2000,
    resolution=4,
    crop="none",
    crop_margin=0,
    time_limit_s=120.0,
    max_memory_mb=4096.0,
)

RECIPES = {recipe.name: recipe for recipe in (PAPER, FAST, QUICK)}
"""For colour images of about 32x32."""

DIGITS_RECIPES = {
    "paper": replace(PAPER, crop_margin=1, flip=False),
    "fast": replace(FAST, batch_size=64, crop_margin=1, flip=False),
    # The accuracies of 16 random children spread from 0.36 to 0.82 and correlate by 0.81 between
    # two seeds.
    "quick": replace(
        QUICK,
        epochs=1,
        batch_size=16,
        learning_rate=0.05,
        train_images=800,
        valid_images=None,
        resolution=None,
        crop="pad",
        crop_margin=1,
        flip=False,
    ),
}
"""For the digits: no flip (a mirrored 2 is no digit), windows moved by one of 8 pixels."""
