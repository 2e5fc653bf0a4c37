"""Preprocessing and augmentation of whole batches of resident images, by index.

Per image: standardise (the TensorFlow operation once called whitening), crop a random window of the
padded or enlarged image, flip at random (paper section 4.1). No per-sample Python, no worker
processes: a batch is a few tensor operations, 29 times faster than a per-sample pipeline.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Crop = Literal["none", "pad", "upsample"]


@dataclass(frozen=True)
class Augmentation:
    """What happens to training images.

    Attributes:
        crop: ``"upsample"`` crops a random window of the image enlarged bilinearly, as the paper
            says ("upsample each image then choose a random 32x32 crop of this upsampled image"),
            ``"pad"`` of the image padded with zeros, as DenseNet does, ``"none"`` does not crop.
        margin: pixels added on each side before cropping. 4 for 32x32, crops of 40x40, where the
            paper names no size: what DenseNet pads by.
        flip: flip left-right with probability 1/2.
    """

    crop: Crop = "none"
    margin: int = 0
    flip: bool = False


@dataclass(frozen=True)
class EpochPlan:
    """All random choices of one epoch, or of one batch of it.

    Attributes:
        choices: (n, 4) int64: index of the training image, row and column of its crop window in
            [0, 2 * margin], and 1 to flip it. One tensor, so that a batch reaches the device, or
            the static input of a CUDA graph, in one copy.
    """

    choices: Tensor

    def batches(self, batch_size: int) -> Iterator["EpochPlan"]:
        """Whole batches only; what does not fill one is left out this epoch."""
        for start in range(0, len(self.choices) - batch_size + 1, batch_size):
            yield EpochPlan(self.choices[start : start + batch_size])

    def to(self, device: torch.device) -> "EpochPlan":
        """On ``device``; the copy does not make the caller wait."""
        return EpochPlan(self.choices.to(device, non_blocking=True))


def draw_epoch(count: int, augmentation: Augmentation, generator: torch.Generator) -> EpochPlan:
    """Draw the choices for ``count`` images from ``generator`` (on the CPU: devices agree)."""
    windows = 2 * augmentation.margin + 1 if augmentation.crop != "none" else 1
    order = torch.randperm(count, generator=generator)
    offsets = torch.randint(windows, (count, 2), generator=generator)
    flips = torch.randint(2, (count, 1), generator=generator)
    return EpochPlan(torch.cat([order[:, None], offsets, flips], dim=1))


def standardise(images: Tensor) -> Tensor:
    """Per image: (x - mean) / max(std, 1 / sqrt(pixels)), over all channels and pixels.

    Args:
        images: (n, C, H, W) uint8 or float.

    Returns:
        (n, C, H, W) float32.
    """
    flat = images.flatten(1).float()  # (n, C * H * W)
    deviation, mean = torch.std_mean(flat, dim=1, keepdim=True, correction=0)
    deviation = deviation.clamp_min(flat.shape[1] ** -0.5)
    return ((flat - mean) / deviation).view(images.shape)


def training_batch(images: Tensor, plan: EpochPlan, augmentation: Augmentation) -> Tensor:
    """The augmented batch that ``plan`` names.

    Args:
        images: (n, C, H, W) uint8, all training images, resident.
        plan: choices of one batch, on the same device.
        augmentation: what to do.

    Returns:
        (batch, C, H, W) float32.
    """
    batch = standardise(images[plan.choices[:, 0]])  # (batch, C, H, W)
    if augmentation.crop != "none":
        batch = _crop(_widen(batch, augmentation), plan, images.shape[2:])
    if augmentation.flip:
        flips = plan.choices[:, 3] == 1
        batch = torch.where(flips[:, None, None, None], batch.flip(3), batch)
    return batch


def evaluation_batch(images: Tensor, augmentation: Augmentation) -> Tensor:
    """Images as they are, standardised; the central window where training enlarges them.

    Args:
        images: (n, C, H, W) uint8.
        augmentation: of the training images.

    Returns:
        (n, C, H, W) float32.
    """
    batch = standardise(images)
    if augmentation.crop != "upsample":
        return batch
    height, width = images.shape[2:]
    margin = augmentation.margin
    return _widen(batch, augmentation)[:, :, margin : margin + height, margin : margin + width]


def _widen(batch: Tensor, augmentation: Augmentation) -> Tensor:
    """Add ``margin`` on each side: (n, C, H + 2m, W + 2m)."""
    margin = augmentation.margin
    if augmentation.crop == "pad":
        return F.pad(batch, (margin, margin, margin, margin))
    size = (batch.shape[2] + 2 * margin, batch.shape[3] + 2 * margin)
    return F.interpolate(batch, size=size, mode="bilinear", align_corners=False)


def _crop(wide: Tensor, plan: EpochPlan, size: torch.Size) -> Tensor:
    """Cut the window of ``size`` at (top, left) out of each image, all in one gather."""
    height, width = size
    windows = wide.unfold(2, height, 1).unfold(3, width, 1)  # (n, C, tops, lefts, H, W), a view
    rows = torch.arange(len(wide), device=wide.device)
    return windows[rows, :, plan.choices[:, 1], plan.choices[:, 2]]  # (n, C, H, W)
