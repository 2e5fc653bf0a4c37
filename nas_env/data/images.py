"""Image data as every child sees it: training and validation tensors, resident in memory.

The part for validation is cut from the training part by seed (CIFAR-10: 45,000 / 5,000, paper
section 4.1). The test part is out of reach here: only ``nas_env.data.held_out_images`` reads it.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from nas_env.data import cifar10, digits
from nas_env.data.image_folder import folder_digest, read_image_folder
from nas_env.data.raw_images import RawImages, balanced_order
from nas_env.system.folders import data_folder, user_path

VALID_FRACTION = {"cifar10": 0.1, "digits": 0.3}
FOLDER_VALID_FRACTION = 0.1


@dataclass(frozen=True)
class ImageSelection:
    """Which images of a data set a child is trained and validated on. All change the metric.

    Attributes:
        resolution: the shorter side after averaging down; None keeps the images as they are. Never
            enlarges.
        train_images: at most so many training images; None = all.
        valid_images: at most so many validation images; None = all.
        split_seed: cuts the validation part, and orders both.
    """

    resolution: int | None = None
    train_images: int | None = None
    valid_images: int | None = None
    split_seed: int = 0


@dataclass(frozen=True)
class ImageData:
    """Training and validation images.

    Attributes:
        train_images: (n, channels, height, width) uint8.
        train_labels: (n,) int64.
        valid_images: (m, channels, height, width) uint8.
        valid_labels: (m,) int64.
        classes: class names, in label order.
        digest: identity of the source data, as ``dataset_digest`` gives it.
    """

    train_images: Tensor
    train_labels: Tensor
    valid_images: Tensor
    valid_labels: Tensor
    classes: tuple[str, ...]
    digest: str

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
    dataset: str, data_dir: str | Path | None = None, selection: ImageSelection | None = None
) -> ImageData:
    """Read a data set, cut the validation part, and reduce it to what ``selection`` asks for.

    Args:
        dataset: ``"cifar10"``, ``"digits"``, or the path of an image folder.
        data_dir: where downloaded data sets live (default: ``data_folder()``).
        selection: sizes and split; everything at full size by default.

    Raises:
        DatasetNotFoundError: neither on disk nor downloadable.
        InvalidDatasetError: there, but damaged or not usable.
    """
    selection = selection or ImageSelection()
    raw, source = _read(dataset, data_dir)
    order = balanced_order(raw.labels, selection.split_seed)
    cut = max(1, round(len(order) * VALID_FRACTION.get(dataset, FOLDER_VALID_FRACTION)))
    train = order[cut:][: selection.train_images]
    valid = order[:cut][: selection.valid_images]
    return ImageData(
        train_images=shrink(torch.from_numpy(raw.images[train]), selection.resolution),
        train_labels=torch.from_numpy(raw.labels[train]),
        valid_images=shrink(torch.from_numpy(raw.images[valid]), selection.resolution),
        valid_labels=torch.from_numpy(raw.labels[valid]),
        classes=raw.classes,
        digest=source,
    )


def dataset_digest(dataset: str, data_dir: str | Path | None = None) -> str:
    """Identity of the source data, without decoding it. Fetches CIFAR-10 if it is not there.

    Raises:
        DatasetNotFoundError: neither on disk nor downloadable.
        InvalidDatasetError: there, but damaged or not usable.
    """
    if dataset == "digits":
        return digits.SOURCE
    if dataset == "cifar10":
        cifar10.ensure_cifar10(data_folder(data_dir))
        return cifar10.SOURCE
    return folder_digest(user_path(dataset))


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


def _read(dataset: str, data_dir: str | Path | None) -> tuple[RawImages, str]:
    if dataset == "digits":
        return digits.read_digits("train"), digits.SOURCE
    if dataset == "cifar10":
        return cifar10.read_cifar10(data_folder(data_dir), "train"), cifar10.SOURCE
    return read_image_folder(user_path(dataset), "train")
