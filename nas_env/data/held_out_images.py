"""The test images: for the one final measurement of a finished search, and nothing else.

No module that a search imports may import this one; a test parses the imports.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from nas_env.data.datasets import DatasetGiven, ImageDataset, dataset_of
from nas_env.data.images import shrink
from nas_env.errors import DatasetNotFoundError, InvalidDatasetError
from nas_env.system.folders import data_folder


@dataclass(frozen=True)
class HeldOutImages:
    """Held-out images (m, channels, height, width) uint8, labels (m,) int64, class names."""

    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]


def check_held_out_images(
    dataset: DatasetGiven, classes: tuple[str, ...], data_dir: str | Path | None = None
) -> bool:
    """Whether there is a test part, as far as can be told without reading its images.

    Args:
        dataset: as for ``load_held_out_images``.
        classes: of the training part.
        data_dir: likewise.

    Raises:
        InvalidDatasetError: its classes are others.
    """
    row = dataset_of(ImageDataset, dataset)
    if row.held_out is None:
        return False
    if row.held_out_classes is None:
        return True
    found = row.held_out_classes(data_folder(data_dir))
    if found is not None:
        _same_classes(row.name, found, classes)
    return found is not None


def _same_classes(name: str, found: tuple[str, ...], classes: tuple[str, ...]) -> None:
    if found != classes:
        missing = ", ".join(sorted({*classes} - {*found})) or "none"
        strange = ", ".join(sorted({*found} - {*classes})) or "none"
        raise InvalidDatasetError(
            f"The test part of {name} has other classes than its training part (missing: "
            f"{missing}; unknown: {strange}): labels would not mean the same. Give both parts the "
            "same class folders, in the same spelling."
        )


def load_held_out_images(
    dataset: DatasetGiven,
    data_dir: str | Path | None = None,
    resolution: int | None = None,
    classes: tuple[str, ...] | None = None,
) -> HeldOutImages:
    """Read the test part of a data set: by name, of an image folder (``test/``), or of a row.

    Args:
        dataset: which.
        data_dir: where downloaded data sets live.
        resolution: as of the recipe.
        classes: of the training part, which this one is to have too; None = not compared.

    Raises:
        DatasetNotFoundError: no test part (an image folder without ``test/``), or no data.
        InvalidDatasetError: damaged or not usable, or of other classes.
    """
    row = dataset_of(ImageDataset, dataset)
    if row.held_out is None:
        raise DatasetNotFoundError(
            f"{row.name} has no test images: give its row a held_out reader to measure on them."
        )
    raw = row.held_out(data_folder(data_dir))
    if classes is not None:
        _same_classes(row.name, raw.classes, classes)
    images = shrink(torch.from_numpy(raw.images), resolution)
    return HeldOutImages(images, torch.from_numpy(raw.labels), raw.classes)
