"""Child training: against a plain PyTorch loop, and against the machine's own matmul rate.

Both at 32x32, the size of the paper, and at the size of the ``quick`` recipe. The two loops take
turns on the same network, so that a busy machine slows both alike.
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch

from nas_env.child.conv.cost import conv_cost
from nas_env.data.augment import draw_epoch
from nas_env.data.images import ImageData
from nas_env.space.conv_architecture import ConvArchitecture
from nas_env.system.threads import one_torch_thread
from nas_env.training.image_numerics import Numerics, resolve_device
from nas_env.training.image_recipes import ImageRecipe, image_recipe
from nas_env.training.image_step import make_step
from nas_env.training.image_training import build_seeded
from scripts.benchmarks.measure import Clock, machine, random_children, random_images, spread
from scripts.benchmarks.plain_training import PlainTraining

Step = Callable[[], None]
QUICK = image_recipe("quick")
SIZES = {32: image_recipe({"name": "paper", "crop": "pad"}), QUICK.resolution or 32: QUICK}
"""Resolution -> recipe whose batch size, augmentation and optimiser are measured there. Both loops
crop from padded images: the plain one knows no other crop."""


@dataclass(frozen=True)
class ChildOptions:
    """Images/s of child training against a plain PyTorch loop, and GFLOP/s against matmul."""

    children: int = 20
    """Random children whose GFLOP/s are measured."""
    compared: int = 4
    """Of these, how many are also trained by the plain loop."""
    steps: int = 3
    """Steps per measurement."""
    rounds: int = 3
    """Measurements of each side; the two loops take turns."""
    num_layers: int = 6
    """Layers of a child."""
    seed: int = 0
    """Of the children's architectures and weights."""
    device: str = "auto"
    """Device to train on: auto, cpu or cuda."""
    numerics: str = "auto"
    """Arithmetic of our loop: auto times it, as training does."""
    workers: int = 0
    """DataLoader processes of the plain loop; on the CPU their time is not seen, so 0."""


def run(options: ChildOptions) -> dict[str, object]:
    """Measure at both sizes; see ``ChildOptions``."""
    device = resolve_device(options.device)
    children = random_children(options.children, options.num_layers, options.seed)
    result: dict[str, object] = {}
    with one_torch_thread():
        for resolution, named in SIZES.items():
            recipe = replace(named, numerics=options.numerics).with_numerics(device)
            data = random_images(max(256, 4 * recipe.batch_size), resolution, device)
            rates = matmul_share(children, data, recipe, options)
            pairs = against_plain(children[: options.compared], data, recipe, options)
            about = {"numerics": recipe.numerics, "batch_size": recipe.batch_size}
            result[f"{resolution}x{resolution}"] = about | rates | pairs
        result["machine"] = machine(device)
    return result | {"seed": options.seed}


def matmul_share(
    children: list[ConvArchitecture], data: ImageData, recipe: ImageRecipe, options: ChildOptions
) -> dict[str, object]:
    """GFLOP/s of each child's training steps, and as a share of the matmul rate.

    FLOP of a step: 2 x MACs x 3 (forward, gradient of inputs, gradient of weights) per image.
    """
    clock = Clock(data.train_images.device)
    dtype = torch.bfloat16 if recipe.numerics.startswith("bfloat16") else torch.float32
    matmul, achieved = [clock.matmul_rate(dtype)], []
    for child in children:
        step = our_step(child, data, recipe, options.seed)
        work = partial(repeat, step, options.steps)
        step()
        seconds = statistics.median(clock.seconds(work) for _ in range(options.rounds))
        macs = conv_cost(child, data.image_shape, len(data.classes)).macs
        achieved.append(6.0 * macs * recipe.batch_size * options.steps / seconds)
        matmul.append(clock.matmul_rate(dtype, rounds=2))
    peak = statistics.median(matmul)
    return {
        "matmul_gflops": {name: value / 1e9 for name, value in spread(matmul).items()},
        "child_gflops": {name: value / 1e9 for name, value in spread(achieved).items()},
        "share_of_matmul": spread([rate / peak for rate in achieved]),
        "children": len(children),
    }


def against_plain(
    children: list[ConvArchitecture], data: ImageData, recipe: ImageRecipe, options: ChildOptions
) -> dict[str, object]:
    """Images/s of our loop and of the plain one on the same children, and their ratio."""
    clock = Clock(data.train_images.device)
    images = recipe.batch_size * options.steps
    ours: list[float] = []
    plain: list[float] = []
    for child in children:
        mine = our_step(child, data, recipe, options.seed)
        other = plain_step(child, data, recipe, options)
        mine()
        other()
        for _ in range(options.rounds):
            ours.append(images / clock.seconds(partial(repeat, mine, options.steps)))
            plain.append(images / clock.seconds(partial(repeat, other, options.steps)))
    ratios = [fast / slow for fast, slow in zip(ours, plain, strict=True)]
    return {
        "images_per_s": spread(ours),
        "plain_images_per_s": spread(plain),
        "speed_up_over_plain": spread(ratios),
    }


def our_step(child: ConvArchitecture, data: ImageData, recipe: ImageRecipe, seed: int) -> Step:
    """One step of our loop on the child, as a function."""
    module = build_seeded(child, data, seed, Numerics(recipe.numerics))
    step = make_step(module, data, recipe, None, steps=1_000_000)
    device = data.train_images.device
    generator = torch.Generator().manual_seed(seed)
    plan = draw_epoch(len(data.train_labels), recipe.augmentation, generator).to(device)
    (batch, *_) = plan.batches(recipe.batch_size)
    return lambda: step.run(batch)


def plain_step(
    child: ConvArchitecture, data: ImageData, recipe: ImageRecipe, options: ChildOptions
) -> Step:
    """One step of the plain loop on the child, as a function."""
    module = build_seeded(child, data, options.seed, Numerics("float32"))
    return PlainTraining(module, data, recipe, options.workers).step


def repeat(step: Step, times: int) -> None:
    """Call ``step`` so many times."""
    for _ in range(times):
        step()
