"""How an image child is trained: every number of every recipe, in this one file.

``paper`` follows Zoph & Le (2017, section 4.1 and appendix A); where the paper is silent the
settings are DenseNet's, whose code it names. ``fast`` fits a search of a day on one GPU, ``quick``
a search of minutes on two CPU cores.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import torch

from nas_env.checks import (
    above,
    at_least,
    at_most,
    below,
    check_settings,
    different,
    one_of,
    require,
)
from nas_env.child.conv.layers import BATCH_NORM_EPSILON
from nas_env.data.augment import Augmentation, Crop
from nas_env.data.datasets import ImageDataset
from nas_env.data.images import ImageSelection, Split
from nas_env.training.image_numerics import NUMERICS, choose_numerics
from nas_env.training.recipe_choice import (
    check_reward_epochs,
    chosen_recipe,
    recipe_digest,
    seed_digest,
)

Schedule = Literal["step", "linear"]
DecayEpochs = Annotated[tuple[Annotated[float, above(0)], ...], different]


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
        schedule: ``"step"``: x0.1 after each of ``decay_epochs``; ``"linear"``: down to zero.
        decay_epochs: of the schedule ``"step"``: epochs after which the rate falls tenfold; None =
            at 50% and 75% of all steps.
        warmup: fraction of all steps during which the rate rises linearly from zero.
        label_smoothing: of the training loss.
        batch_norm_epsilon: added to the variance that batch normalisation divides by; a batch
            normalisation that an architecture chose has its own.
        width: share of each layer's filters that is trained. Below 1 the child is a narrower copy
            of the network, its filters rounded, at least one a layer; what is told of a child
            (``parameters``, ``macs``) is the network's own.
        train_images: at most so many, split as ``split`` says; None = all of the training part.
        valid_images: likewise; None = all of the validation part.
        resolution: shorter side in pixels after averaging down; None = as they are.
        split_seed: cuts validation from training.
        split: ``"balanced"``: both parts hold all classes in proportion, however small they are;
            ``"random"``: the validation images are drawn whatever their class.
        crop: see ``Augmentation``.
        crop_margin: pixels on each side, see ``Augmentation``.
        flip: see ``Augmentation``.
        numerics: ``"auto"`` (timed once per machine) or one of ``numerics.NUMERICS``.
        time_limit_s: a child that trains longer fails with ``timeout``; None = no limit. Its own
            time: processor seconds, or seconds on the GPU. Not part of the digest: it cannot
            change a metric.
        max_parameters: a network of more fails with ``too_large`` without being built; at full
            width, as the network that is searched for.
        max_macs: multiply-accumulates per image, likewise.
        max_memory_mb: estimated memory of the training, likewise; of the copy that is trained.
    """

    name: str
    epochs: Annotated[int, at_least(1)]
    batch_size: Annotated[int, at_least(2)]  # batch normalisation needs two
    learning_rate: Annotated[float, above(0)]
    reward_epochs: Annotated[int, at_least(1)] = 5
    momentum: Annotated[float, at_least(0), below(1)] = 0.9
    weight_decay: Annotated[float, at_least(0)] = 1e-4
    schedule: Schedule = "step"
    decay_epochs: DecayEpochs | None = None
    warmup: Annotated[float, at_least(0), below(1)] = 0.0
    label_smoothing: Annotated[float, at_least(0), below(1)] = 0.0
    batch_norm_epsilon: Annotated[float, above(0)] = BATCH_NORM_EPSILON
    width: Annotated[float, above(0), at_most(1)] = 1.0
    train_images: Annotated[int | None, at_least(2)] = None
    valid_images: Annotated[int | None, at_least(1)] = None
    resolution: Annotated[int | None, at_least(1)] = None
    split_seed: Annotated[int, at_least(0)] = 0
    split: Split = "balanced"
    crop: Crop = "pad"
    crop_margin: Annotated[int, at_least(0)] = 4
    flip: bool = True
    numerics: Annotated[str, one_of("auto", *NUMERICS)] = "auto"
    time_limit_s: Annotated[float | None, at_least(0)] = None
    max_parameters: Annotated[int | None, at_least(1)] = None
    max_macs: Annotated[int | None, at_least(1)] = None
    max_memory_mb: Annotated[float | None, at_least(0)] = None

    def __post_init__(self) -> None:
        """Check every setting, so that a mistyped recipe fails before any child trains."""
        check_settings(self, "recipe")
        check_reward_epochs(self)
        images = self.train_images
        allowed = f"at least batch_size ({self.batch_size})"
        require(
            images is None or images >= self.batch_size, "train_images", images, allowed, "recipe"
        )
        self._check_decay()

    def _check_decay(self) -> None:
        decay, last = self.decay_epochs, self.epochs
        if decay is None:
            return
        alone = 'None unless schedule is "step"'
        require(self.schedule == "step", "decay_epochs", decay, alone, "recipe")
        rising = list(decay) == sorted(decay) and all(epoch < last for epoch in decay)
        require(rising, "decay_epochs", decay, f"rising, each below epochs ({last})", "recipe")

    @property
    def selection(self) -> ImageSelection:
        """What of the data set this recipe uses."""
        return ImageSelection(
            self.resolution, self.train_images, self.valid_images, self.split_seed, self.split
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

    def seed_digest(self) -> str:
        """Likewise, but for the arithmetic: children's seeds derive from it."""
        return seed_digest("image", self)


def image_recipe(
    recipe: "str | Mapping[str, Any] | ImageRecipe" = "quick",
    dataset: str | ImageDataset | None = None,
) -> ImageRecipe:
    """The recipe that a user means.

    Args:
        recipe: a name; a dict of fields, with ``"name"`` naming the recipe to start from (default
            ``"quick"``); or a recipe.
        dataset: a data set whose row may change the named recipes; None = as they stand here.

    Raises:
        ConfigurationError: unknown name or field, or a value out of range.
    """
    return chosen_recipe(recipe, RECIPES, ImageDataset, dataset)


PAPER = ImageRecipe(
    name="paper",
    epochs=50,
    batch_size=64,
    learning_rate=0.1,
    split="random",
    crop="upsample",
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
    # Chosen by how it orders networks beside a long training, at twice the price of a
    # training at 4x4 pixels, which orders them hardly better than their size does: four times the
    # pixels tell more, half the filters take little away (docs/results/recipes.md).
    epochs=3,
    reward_epochs=1,
    batch_size=32,
    learning_rate=0.1,
    weight_decay=5e-4,
    schedule="linear",
    warmup=0.2,
    train_images=3840,
    valid_images=2000,
    resolution=8,
    width=0.5,
    crop="none",
    crop_margin=0,
    time_limit_s=120.0,
    max_memory_mb=4096.0,
)

RECIPES = {recipe.name: recipe for recipe in (PAPER, FAST, QUICK)}
"""For colour images of about 32x32; the row of a data set has what differs."""
