"""How the benchmarks measure: clocks, pairs that take turns, medians, and what machine it was."""

import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from nas_env.data.images import ImageData
from nas_env.space.conv import ConvSpace
from nas_env.space.conv_architecture import ConvArchitecture
from nas_env.training.machine_choice import machine_name


@dataclass(frozen=True)
class Clock:
    """Seconds of a piece of work on one device.

    On the CPU, seconds of processor time of this process: with one thread that is wall-clock time
    on a quiet machine, and other programs do not count. On a GPU, wall-clock time between waits.
    """

    device: torch.device

    def seconds(self, work: Callable[[], object]) -> float:
        """Run ``work`` once."""
        if self.device.type != "cuda":
            start = time.process_time()
            work()
            return time.process_time() - start
        torch.cuda.synchronize(self.device)
        start = time.perf_counter()
        work()
        torch.cuda.synchronize(self.device)
        return time.perf_counter() - start

    def matmul_rate(self, dtype: torch.dtype, size: int = 1024, rounds: int = 5) -> float:
        """FLOP/s of the machine's own matrix product, the best of ``rounds``."""
        left = torch.randn(size, size, device=self.device).to(dtype)
        repeats = 20 if self.device.type == "cuda" else 1

        def work() -> None:
            for _ in range(repeats):
                left @ left

        work()
        best = min(self.seconds(work) for _ in range(rounds))
        return 2.0 * size**3 * repeats / best


def random_children(count: int, num_layers: int, seed: int) -> list[ConvArchitecture]:
    """Children as an untrained agent samples them from ``NAS-CIFAR10-v0``."""
    space = ConvSpace(num_layers=num_layers)
    rng = np.random.default_rng(seed)
    return [space.decode(space.sample(rng)) for _ in range(count)]


def random_images(
    count: int, resolution: int, device: torch.device, classes: int = 10
) -> ImageData:
    """Noise in the place of images: speed does not depend on what they show."""
    generator = torch.Generator().manual_seed(0)
    shape = (count, 3, resolution, resolution)
    images = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    labels = torch.randint(classes, (count,), generator=generator)
    names = tuple(str(label) for label in range(classes))
    return ImageData(images, labels, images[:64], labels[:64], names).to(device)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median and range."""
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def machine(device: torch.device) -> dict[str, object]:
    """What to print beside every figure."""
    return {
        "device": machine_name(device.type),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
    }
