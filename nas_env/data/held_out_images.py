"""The test images: for the one final measurement of a finished search, and nothing else.

No module that a search imports may import this one; a test parses the imports.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from nas_env.data.datasets import DatasetGiven, ImageDataset, dataset_of
from nas_env.data.images import shrink
from nas_env.errors import DatasetNotFoundError
from nas_env.system.folders import data_folder


@dataclass(frozen=True)
class HeldOutImages:
    """Held-out images (m, channels, height, width) uint8, labels (m,) int64, class names."""

    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]


def load_held_out_images(
    dataset: DatasetGiven,
    data_dir: str | Path | None = None,
    resolution: int | None = None,
) -> HeldOutImages:
    """Read the test part of a data set: by name, of an image folder (``test/``), or of a row.

    Raises:
        DatasetNotFoundError: no test part (an image folder without ``test/``), or no data.
        InvalidDatasetError: damaged or not usable.
    """
    row = dataset_of(ImageDataset, dataset)
    if row.held_out is None:
        raise DatasetNotFoundError(
            f"{row.name} has no test images: give its row a held_out reader to measure on them."
        )
    raw = row.held_out(data_folder(data_dir))
    images = shrink(torch.from_numpy(raw.images), resolution)
    return HeldOutImages(images, torch.from_numpy(raw.labels), raw.classes)
