"""Train one image child: architecture + data + recipe + seed -> validation accuracy.

The loop never waits for the device inside an epoch: the loss is summed on the device, looked at
once per epoch, and only the epochs that the metric needs are validated. On the CPU a child runs on
one thread and is bit for bit reproducible from its seed.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nas_env.child.conv.cost import conv_cost
from nas_env.child.conv.layers import BATCH_NORM_EPSILON
from nas_env.child.conv.network import ConvNet
from nas_env.child.cost import Cost
from nas_env.data.augment import draw_epoch, evaluation_batch
from nas_env.data.images import ImageData
from nas_env.errors import (
    CheckpointError,
    ChildDiverged,
    ChildTooLarge,
    ConfigurationError,
    InvalidArchitectureError,
)
from nas_env.space.conv_architecture import ConvArchitecture
from nas_env.space.layout import Architecture
from nas_env.system.threads import one_torch_thread
from nas_env.training.clean_state import clean_torch_state, seeded
from nas_env.training.image_numerics import Numerics, resolve_device
from nas_env.training.image_recipes import ImageRecipe
from nas_env.training.image_step import TrainingStep, make_step
from nas_env.training.memory import memory_errors
from nas_env.training.outcome import TrainingOutcome
from nas_env.training.time_limit import TimeLimit

EVALUATION_BATCH = 500
BYTES_PER_ACTIVATION = 6.0
"""``Cost`` counts every kept feature map: 4 bytes each, and half again for gradients in flight."""
BYTES_PER_PARAMETER = 12.0
"""Weight, gradient, momentum."""


@dataclass(frozen=True)
class ImageChild:
    """What is trained: a module for images of known channels and classes, and its size.

    Attributes:
        build: (channels of the images, classes, epsilon of batch normalisation) -> the module, with
            fresh weights from torch's generator.
        cost: of the network, on images of the data set.
        learning_rate: the peak that it brings along; None = the recipe's.
        trained_cost: of the narrower copy that is trained; None = it is the network itself.
    """

    build: Callable[[int, int, float], nn.Module]
    cost: Cost
    learning_rate: float | None = None
    trained_cost: Cost | None = None


def image_child(
    child: "Architecture | ImageChild", data: ImageData, width: float = 1.0
) -> ImageChild:
    """How an architecture is built for these images; an ``ImageChild`` as it is.

    Args:
        child: what to train.
        data: its images.
        width: share of the filters that is trained: see ``ImageRecipe``.

    Raises:
        InvalidArchitectureError: not an image architecture, or one that has no narrower copy.
    """
    if isinstance(child, ImageChild):
        if width != 1.0:
            raise InvalidArchitectureError(
                f"Only an architecture has a copy of width {width:g}: use a recipe of width 1."
            )
        return child
    if not isinstance(child, ConvArchitecture):
        raise InvalidArchitectureError(
            f"{type(child).__name__} cannot be trained on images: a ConvArchitecture is needed."
        )
    trained = child.narrower(width)

    def build(channels: int, classes: int, epsilon: float) -> nn.Module:
        return ConvNet(trained, channels, classes, epsilon)

    cost, trained_cost = (
        conv_cost(network, data.image_shape, len(data.classes)) for network in (child, trained)
    )
    return ImageChild(build, cost, child.learning_rate, trained_cost)


def train_image_child(
    architecture: Architecture | ImageChild,
    data: ImageData,
    recipe: ImageRecipe,
    seed: int,
    device: str | torch.device = "auto",
    look: Callable[[nn.Module], None] | None = None,
) -> TrainingOutcome:
    """Train one child and measure it on the validation images.

    Args:
        architecture: a convolutional architecture, or a child of another kind.
        data: as ``load_images(..., recipe.selection)`` gives it.
        recipe: how to train.
        seed: of initial weights, order of images and augmentation; in [0, 2^63).
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or a torch device.
        look: called with the trained child before it is dropped; cannot change the outcome.

    Returns:
        Metric and curve are those of the copy that ``recipe.width`` asks for, parameters and
        multiply-accumulates the architecture's own.

    Raises:
        ChildTooLarge: over the recipe's limits; nothing was built.
        ChildDiverged: the loss became NaN or infinite.
        ChildOutOfMemory: training did not fit.
        ChildTimeout: more of its own time than ``recipe.time_limit_s``.
        ChildStalled: many times that by the clock; no result.
        InvalidArchitectureError: not an image architecture.
    """
    start = time.monotonic()
    child = image_child(architecture, data, recipe.width)
    target = resolve_device(device)
    recipe = recipe.with_numerics(target)
    with memory_errors():
        data = data.to(target)
    with image_training(child, data, recipe, seed) as training:
        curve = _train(training)
        if look is not None:
            look(training.child)
    return TrainingOutcome(
        metric=max(curve),
        curve=tuple(curve),
        parameters=child.cost.parameters,
        macs=child.cost.macs,
        seconds=time.monotonic() - start,
        numerics=recipe.numerics,
    )


@contextmanager
def image_training(
    child: ImageChild, data: ImageData, recipe: ImageRecipe, seed: int
) -> Iterator["ImageTraining"]:
    """A training to run epoch by epoch, in a torch of its own; ``recipe.time_limit_s`` counts now.

    Args:
        child: what to train.
        data: on the device to train on.
        recipe: its numerics are chosen.
        seed: of initial weights, order of images and augmentation.
    """
    _check_data(data, recipe)
    _check_limits(child.cost, child.trained_cost or child.cost, recipe)
    device = data.train_images.device
    with clean_torch_state(), one_torch_thread(), memory_errors(), _returned_memory(device):
        yield ImageTraining(child, data, recipe, seed)


class ImageTraining:
    """One training between its epochs: see ``image_training``.

    Attributes:
        child: the module.
        epoch: epochs done.
    """

    def __init__(self, child: ImageChild, data: ImageData, recipe: ImageRecipe, seed: int) -> None:
        self.data = data
        self.recipe = recipe
        self._limit = TimeLimit(recipe.time_limit_s, data.train_images.device)
        numerics = Numerics(recipe.numerics)
        self.child = build_seeded(child, data, seed, numerics, recipe.batch_norm_epsilon)
        self.epoch = 0
        self._generator = torch.Generator().manual_seed(seed)
        steps = recipe.epochs * (len(data.train_labels) // recipe.batch_size)
        self._step = make_step(self.child, data, recipe, child.learning_rate, steps)

    def run_epoch(self) -> float:
        """Train one epoch; the mean loss of its steps.

        Raises:
            ChildDiverged: the loss became NaN or infinite.
            ChildTimeout: the recipe's time is over.
            ChildStalled: many times that by the clock.
        """
        self._limit.epoch_begins()
        count, size = len(self.data.train_labels), self.recipe.batch_size
        plan = draw_epoch(count, self.recipe.augmentation, self._generator)
        self.child.train()
        for batch in plan.to(self.data.train_images.device).batches(size):
            self._step.run(batch)
            self._limit.check()
        loss = _checked_loss(self._step, self.epoch)
        self._limit.epoch_ended()
        self.epoch += 1
        return loss / (count // size)

    def accuracy(self) -> float:
        """Of the child as it is, on the validation images."""
        self._limit.epoch_begins()
        accuracy = measure_accuracy(self.child, self.data, self.recipe)
        self._limit.epoch_ended()
        return accuracy

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that the next epoch depends on, as arrays."""
        child = {f"child/{k}": as_array(v) for k, v in self.child.state_dict().items()}
        generator = {"generator": self._generator.get_state().numpy().copy()}
        return {**child, **self._step.state(), **generator, "epoch": np.array(self.epoch)}

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from ``state``, bit for bit on a CPU.

        Raises:
            CheckpointError: it is that of another training.
        """
        weights = {k[6:]: torch.from_numpy(v) for k, v in state.items() if k.startswith("child/")}
        try:
            self.child.load_state_dict(weights)
            self._step.load_state(state)
            self._generator.set_state(torch.from_numpy(state["generator"]))
            self.epoch = int(state["epoch"])
        except (KeyError, RuntimeError, ValueError, TypeError) as error:
            raise CheckpointError(
                f"The checkpoint is not that of this training: {error}. Start it again."
            ) from error


def as_array(tensor: Tensor) -> NDArray[Any]:
    """A copy of its values on the CPU."""
    values: NDArray[Any] = tensor.detach().cpu().numpy()
    return values.copy()


def _train(training: ImageTraining) -> list[float]:
    """Run all epochs; the validation accuracy in the last ``reward_epochs``."""
    recipe = training.recipe
    curve: list[float] = []
    for epoch in range(recipe.epochs):
        training.run_epoch()
        if epoch >= recipe.epochs - recipe.reward_epochs:
            curve.append(training.accuracy())
    return curve


def build_seeded(
    architecture: ConvArchitecture | ImageChild,
    data: ImageData,
    seed: int,
    numerics: Numerics,
    batch_norm_epsilon: float = BATCH_NORM_EPSILON,
) -> nn.Module:
    """Build the child on the data's device, its weights a function of ``seed`` alone."""
    channels, classes = data.image_shape[0], len(data.classes)
    with seeded(seed):
        built = image_child(architecture, data).build(channels, classes, batch_norm_epsilon)
    return built.to(data.train_images.device).to(memory_format=numerics.memory_format)


@torch.no_grad()
def measure_accuracy(child: nn.Module, data: ImageData, recipe: ImageRecipe) -> float:
    """Fraction of validation images classified correctly; one wait for the device."""
    numerics = Numerics(recipe.numerics)
    correct = torch.zeros((), dtype=torch.int64, device=data.valid_labels.device)
    child.eval()
    for start in range(0, len(data.valid_labels), EVALUATION_BATCH):
        part = slice(start, start + EVALUATION_BATCH)
        images = evaluation_batch(data.valid_images[part], recipe.augmentation)
        with numerics.autocast(images.device):
            logits: Tensor = child(images.contiguous(memory_format=numerics.memory_format))
        correct += (logits.argmax(1) == data.valid_labels[part]).sum()
    return correct.item() / len(data.valid_labels)


def _check_data(data: ImageData, recipe: ImageRecipe) -> None:
    if len(data.train_labels) < recipe.batch_size or not len(data.valid_labels):
        raise ConfigurationError(
            f"{len(data.train_labels)} training and {len(data.valid_labels)} validation images do "
            f"not fill one batch of {recipe.batch_size}: lower batch_size or raise train_images."
        )


def _check_limits(cost: Cost, trained: Cost, recipe: ImageRecipe) -> None:
    """Of the network, what is a property of it; of the copy that is trained, memory."""
    memory_mb = estimate_memory_mb(trained, recipe.batch_size)
    for what, value, limit in (
        ("parameters", cost.parameters, recipe.max_parameters),
        ("multiply-accumulates", cost.macs, recipe.max_macs),
        ("MB of estimated memory", memory_mb, recipe.max_memory_mb),
    ):
        if limit is not None and value > limit:
            raise ChildTooLarge(f"{value:,.0f} {what}, over the recipe's limit of {limit:,.0f}.")


def estimate_memory_mb(cost: Cost, batch_size: int) -> float:
    """Megabytes that one training step needs, about."""
    activations = cost.activation_elements * batch_size * BYTES_PER_ACTIVATION
    return (activations + cost.parameters * BYTES_PER_PARAMETER) / 1e6


def _checked_loss(step: TrainingStep, epoch: int) -> float:
    loss = step.take_loss()
    if not math.isfinite(loss):
        raise ChildDiverged(f"The training loss is {loss} after epoch {epoch + 1}.")
    return loss


@contextmanager
def _returned_memory(device: torch.device) -> Iterator[None]:
    """Give a GPU's cached memory back after each child: other processes may share the GPU."""
    try:
        yield
    finally:
        if device.type == "cuda":
            torch.cuda.empty_cache()
