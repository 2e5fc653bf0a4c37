"""Image data as every child sees it: training and validation tensors, resident in memory.

The part for validation is cut from the training part by seed (CIFAR-10: 45,000 / 5,000, paper
section 4.1), unless the data set has one of its own. The test part is out of reach here: only
``nas_env.data.held_out_images`` reads it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from nas_env.checks import at_least, check_settings, listed
from nas_env.data.datasets import DatasetGiven, ImageDataset, dataset_of
from nas_env.data.raw_images import RawImages, balanced_order, content_digest, random_order
from nas_env.errors import InvalidDatasetError
from nas_env.system.folders import data_folder

Split = Literal["balanced", "random"]


@dataclass(frozen=True)
class ImageSelection:
    """Which images of a data set a child is trained and validated on. All change the metric.

    Attributes:
        resolution: the shorter side after averaging down; None keeps the images as they are. Never
            enlarges.
        train_images: at most so many training images; None = all.
        valid_images: at most so many validation images; None = all.
        split_seed: cuts the validation part, and orders both.
        split: ``"balanced"``: every part has all classes in proportion; ``"random"``: whatever the
            class.
    """

    resolution: Annotated[int | None, at_least(1)] = None
    train_images: Annotated[int | None, at_least(1)] = None
    valid_images: Annotated[int | None, at_least(1)] = None
    split_seed: Annotated[int, at_least(0)] = 0
    split: Split = "balanced"

    def __post_init__(self) -> None:
        """Check every field."""
        check_settings(self, "image selection")


@dataclass(frozen=True)
class ImageData:
    """Training and validation images.

    Attributes:
        train_images: (n, channels, height, width) uint8.
        train_labels: (n,) int64.
        valid_images: (m, channels, height, width) uint8.
        valid_labels: (m,) int64.
        classes: class names, in label order.
    """

    train_images: Tensor
    train_labels: Tensor
    valid_images: Tensor
    valid_labels: Tensor
    classes: tuple[str, ...]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        channels, height, width = self.train_images.shape[1:]
        return channels, height, width

    def to(self, device: torch.device) -> "ImageData":
        """The same data, resident on ``device``."""
        return replace(
            self,
            train_images=self.train_images.to(device),
            train_labels=self.train_labels.to(device),
            valid_images=self.valid_images.to(device),
            valid_labels=self.valid_labels.to(device),
        )


def load_images(
    dataset: DatasetGiven,
    data_dir: str | Path | None = None,
    selection: ImageSelection | None = None,
) -> ImageData:
    """Read a data set, cut the validation part, and reduce it to what ``selection`` asks for.

    Args:
        dataset: a name, the path of an image folder, a row, or images in memory.
        data_dir: where downloaded data sets live (default: ``data_folder()``).
        selection: sizes and split; everything at full size by default.

    Raises:
        DatasetNotFoundError: neither on disk nor downloadable.
        InvalidDatasetError: there, but damaged or not usable.
    """
    selection = selection or ImageSelection()
    row = dataset_of(ImageDataset, dataset)
    folder = data_folder(data_dir)
    raw = _read(row, row.train, folder)
    valid_raw = raw if row.valid is None else _read(row, row.valid, folder, like=raw)
    ordered = balanced_order if selection.split == "balanced" else random_order
    order = ordered(raw.labels, selection.split_seed)
    if row.valid is None:
        cut = max(1, round(len(order) * row.validation_share))
        train, valid = order[cut:], order[:cut]
    else:
        train, valid = order, ordered(valid_raw.labels, selection.split_seed)
    train, valid = train[: selection.train_images], valid[: selection.valid_images]
    return ImageData(
        train_images=shrink(torch.from_numpy(raw.images[train]), selection.resolution),
        train_labels=torch.from_numpy(raw.labels[train]),
        valid_images=shrink(torch.from_numpy(valid_raw.images[valid]), selection.resolution),
        valid_labels=torch.from_numpy(valid_raw.labels[valid]),
        classes=raw.classes,
    )


def image_digest(dataset: DatasetGiven, data_dir: str | Path | None = None) -> str:
    """Identity of the source data, without decoding it where the row knows how. May download it.

    Raises:
        DatasetNotFoundError: neither on disk nor downloadable.
        InvalidDatasetError: there, but damaged or not usable.
    """
    row, folder = dataset_of(ImageDataset, dataset), data_folder(data_dir)
    if row.digest is not None:
        return row.digest(folder)
    raw = _read(row, row.train, folder)
    return content_digest(raw, row.valid and _read(row, row.valid, folder, like=raw))


def shrink(images: Tensor, resolution: int | None) -> Tensor:
    """Average (n, C, H, W) uint8 images down so that the shorter side is ``resolution``."""
    height, width = images.shape[2:]
    shorter = min(height, width)
    if resolution is None or resolution >= shorter:
        return images
    size = (round(height * resolution / shorter), round(width * resolution / shorter))
    chunks = [
        F.interpolate(chunk.float(), size=size, mode="area").round_().to(torch.uint8)
        for chunk in torch.split(images, 4096)
    ]
    return torch.cat(chunks)  # (n, C, *size)


def _read(
    row: ImageDataset,
    reader: Callable[[Path], RawImages],
    folder: Path,
    like: RawImages | None = None,
) -> RawImages:
    """What a reader of the row gives, if it is as the row says, and like its training part."""
    raw = reader(folder)
    if not isinstance(raw, RawImages):
        raise InvalidDatasetError(
            f"The reader of {row.name} gave {type(raw).__name__}; it must return nas_env.RawImages."
        )
    found = (raw.images.shape[1:], len(raw.classes))
    expected = (row.shape or found[0], row.classes or found[1])
    if found != expected:
        raise InvalidDatasetError(
            f"{row.name} has images of shape {found[0]} and {found[1]} classes; its row says "
            f"{expected[0]} and {expected[1]}. Correct one of them."
        )
    if like is not None and (found[0], raw.classes) != (like.images.shape[1:], like.classes):
        raise InvalidDatasetError(
            f"The validation images of {row.name} are {found[0]} of the classes "
            f"{listed(raw.classes)}, those of training {like.images.shape[1:]} of "
            f"{listed(like.classes)}. Both parts must be alike."
        )
    return raw
