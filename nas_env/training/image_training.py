"""Train one image child: architecture + data + recipe + seed -> validation accuracy.

The loop never waits for the device inside an epoch: the loss is summed on the device, looked at
once per epoch, and only the epochs that the metric needs are validated. On the CPU a child runs on
one thread and is bit for bit reproducible from its seed.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from nas_env.child.conv.cost import conv_cost
from nas_env.child.conv.layers import BATCH_NORM_EPSILON
from nas_env.child.conv.network import ConvNet
from nas_env.child.cost import Cost
from nas_env.data.augment import draw_epoch, evaluation_batch
from nas_env.data.images import ImageData
from nas_env.errors import (
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


def train_image_child(
    architecture: Architecture,
    data: ImageData,
    recipe: ImageRecipe,
    seed: int,
    device: str | torch.device = "auto",
    look: Callable[[nn.Module], None] | None = None,
) -> TrainingOutcome:
    """Train one child and measure it on the validation images.

    Args:
        architecture: a convolutional architecture.
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
    if not isinstance(architecture, ConvArchitecture):
        raise InvalidArchitectureError(
            f"{type(architecture).__name__} cannot be trained on images: a ConvArchitecture is "
            "needed."
        )
    target = resolve_device(device)
    recipe = recipe.with_numerics(target)
    _check_data(data, recipe)
    trained = architecture.narrower(recipe.width)
    cost, trained_cost = (
        conv_cost(network, data.image_shape, len(data.classes))
        for network in (architecture, trained)
    )
    _check_limits(cost, trained_cost, recipe)
    with clean_torch_state(), one_torch_thread(), memory_errors(), _returned_memory(target):
        child, curve = _train(trained, data.to(target), recipe, seed)
        if look is not None:
            look(child)
    return TrainingOutcome(
        metric=max(curve),
        curve=tuple(curve),
        parameters=cost.parameters,
        macs=cost.macs,
        seconds=time.monotonic() - start,
        numerics=recipe.numerics,
    )


def _train(
    architecture: ConvArchitecture, data: ImageData, recipe: ImageRecipe, seed: int
) -> tuple[nn.Module, list[float]]:
    """Run all epochs; the child, and its validation accuracy in the last ``reward_epochs``."""
    device = data.train_images.device
    limit = TimeLimit(recipe.time_limit_s, device)
    numerics = Numerics(recipe.numerics)
    child = build_seeded(architecture, data, seed, numerics, recipe.batch_norm_epsilon)
    generator = torch.Generator().manual_seed(seed)
    count = len(data.train_labels)
    steps = recipe.epochs * (count // recipe.batch_size)
    step = make_step(child, data, recipe, architecture.learning_rate, steps)
    curve: list[float] = []
    for epoch in range(recipe.epochs):
        limit.epoch_begins()
        plan = draw_epoch(count, recipe.augmentation, generator).to(device)
        child.train()
        for batch in plan.batches(recipe.batch_size):
            step.run(batch)
            limit.check()
        _check_loss(step, epoch)
        if epoch >= recipe.epochs - recipe.reward_epochs:
            curve.append(measure_accuracy(child, data, recipe))
        limit.epoch_ended()
    return child, curve


def build_seeded(
    architecture: ConvArchitecture,
    data: ImageData,
    seed: int,
    numerics: Numerics,
    batch_norm_epsilon: float = BATCH_NORM_EPSILON,
) -> nn.Module:
    """Build the child on the data's device, its weights a function of ``seed`` alone."""
    channels, classes = data.image_shape[0], len(data.classes)
    with seeded(seed):
        child: nn.Module = ConvNet(architecture, channels, classes, batch_norm_epsilon)
    return child.to(data.train_images.device).to(memory_format=numerics.memory_format)


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


def _check_loss(step: TrainingStep, epoch: int) -> None:
    loss = step.take_loss()
    if not math.isfinite(loss):
        raise ChildDiverged(f"The training loss is {loss} after epoch {epoch + 1}.")


@contextmanager
def _returned_memory(device: torch.device) -> Iterator[None]:
    """Give a GPU's cached memory back after each child: other processes may share the GPU."""
    try:
        yield
    finally:
        if device.type == "cuda":
            torch.cuda.empty_cache()
