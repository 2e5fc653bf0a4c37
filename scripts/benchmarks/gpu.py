"""Image children on a GPU: our loop against plain PyTorch with AMP, several children at once."""

import time
from dataclasses import dataclass, replace

from nas_env.errors import ConfigurationError
from nas_env.evaluation.evaluator import Job
from nas_env.evaluation.pool.process_pool import ProcessExecutor
from nas_env.tasks.image_task import ImageTask
from nas_env.training.image_numerics import resolve_device
from nas_env.training.image_recipes import image_recipe
from scripts.benchmarks import child as child_benchmark
from scripts.benchmarks.measure import machine, random_children


@dataclass(frozen=True)
class GpuOptions:
    """Images/s on a GPU against plain PyTorch with AMP; children/min with 1, 2 and 4 at once."""

    dataset: str = "cifar10"
    """Name or path of the data set that packed children train on."""
    data_dir: str | None = None
    """Folder of the data sets."""
    recipe: str = "fast"
    """Recipe of the packed children."""
    epochs: int = 2
    """Epochs of a packed child: enough to compare."""
    packed: tuple[int, ...] = (1, 2, 4)
    """Numbers of children that share the GPU."""
    children: int = 8
    """Children per measurement."""
    num_layers: int = 6
    """Layers of a child."""
    workers: int = 8
    """DataLoader processes of the plain loop."""
    seed: int = 0
    """Of the children's architectures."""


def run(options: GpuOptions) -> dict[str, object]:
    """Measure; see ``GpuOptions``.

    Raises:
        ConfigurationError: there is no GPU.
    """
    device = resolve_device("auto")
    if device.type != "cuda":
        raise ConfigurationError(
            "The gpu benchmark needs a CUDA device and there is none; `child` measures the CPU."
        )
    compared = child_benchmark.run(
        child_benchmark.ChildOptions(
            steps=30, num_layers=options.num_layers, seed=options.seed, workers=options.workers
        )
    )
    per_minute = {str(count): children_per_minute(options, count) for count in options.packed}
    return {"training": compared, "children_per_minute": per_minute, "machine": machine(device)}


def children_per_minute(options: GpuOptions, packed: int) -> float:
    """Children/min when ``packed`` processes share the GPU, their start not counted."""
    recipe = image_recipe(options.recipe, options.dataset)
    recipe = replace(recipe, epochs=options.epochs, reward_epochs=1)
    task = ImageTask(options.dataset, options.data_dir, recipe, "cuda")
    task.key()
    pool = ProcessExecutor(task, packed)
    jobs = [
        Job(architecture, number)
        for number, architecture in enumerate(
            random_children(options.children, options.num_layers, options.seed)
        )
    ]
    try:
        list(pool.run(jobs[:packed]))
        start = time.perf_counter()
        list(pool.run(jobs))
        return 60 * len(jobs) / (time.perf_counter() - start)
    finally:
        pool.close()
