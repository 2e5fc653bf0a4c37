"""The test images: for the one final measurement of a finished search, and nothing else.

No module that a search imports may import this one; a test parses the imports.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from nas_env.data.cifar10 import read_cifar10
from nas_env.data.digits import read_digits
from nas_env.data.image_folder import read_image_folder
from nas_env.data.images import shrink
from nas_env.system.folders import data_folder, user_path


@dataclass(frozen=True)
class HeldOutImages:
    """Held-out images (m, channels, height, width) uint8, labels (m,) int64, class names."""

    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]


def load_held_out_images(
    dataset: str, data_dir: str | Path | None = None, resolution: int | None = None
) -> HeldOutImages:
    """Read the test part of ``"cifar10"``, ``"digits"`` or an image folder's ``test/``.

    Raises:
        DatasetNotFoundError: no test part (an image folder without ``test/``), or no data.
        InvalidDatasetError: damaged or not usable.
    """
    if dataset == "digits":
        raw = read_digits("test")
    elif dataset == "cifar10":
        raw = read_cifar10(data_folder(data_dir), "test")
    else:
        raw, _ = read_image_folder(user_path(dataset), "test")
    images = shrink(torch.from_numpy(raw.images), resolution)
    return HeldOutImages(images, torch.from_numpy(raw.labels), raw.classes)
