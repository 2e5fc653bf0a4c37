"""What people call a picture -> the uint8 pixels that a network was trained on."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from nas_env.data.image_files import decode_image, fit
from nas_env.errors import ConfigurationError

Picture = str | Path | Image.Image | NDArray[Any] | Tensor
"""A file, a Pillow image, or an array: (height, width), (height, width, channels), or channels
first; uint8, or numbers in [0, 1], or numbers in [0, 255]."""

_LUMA = (0.299, 0.587, 0.114)  # ITU-R 601, as Pillow converts colour to grey


def as_batch(
    pictures: Picture | Sequence[Picture],
    image_shape: tuple[int, int, int],
    fitted_to: int | None = None,
) -> Tensor:
    """One picture, several, or an array of several, as a network's input.

    Args:
        pictures: see ``Picture``; an array with four axes is several pictures.
        image_shape: (channels, height, width) of the network's images.
        fitted_to: side of the square that the pictures of training were brought to; None = not.

    Returns:
        (n, channels, height, width) uint8.

    Raises:
        ConfigurationError: something that is no picture.
        InvalidDatasetError: a file that cannot be read.
    """
    found = [_fitted(pixels, image_shape, fitted_to) for pixels in _each(pictures)]
    if not found:
        raise ConfigurationError("No picture given: name one or more.")
    return torch.stack(found)


def resized(images: Tensor, height: int, width: int) -> Tensor:
    """(n, C, h, w) uint8 -> (n, C, height, width) uint8.

    Smaller by averaging areas, as the images of a recipe's resolution are; larger bilinearly.
    """
    if images.shape[2:] == (height, width):
        return images
    smaller = images.shape[2] >= height and images.shape[3] >= width
    values = images.float()
    if smaller:
        values = F.interpolate(values, size=(height, width), mode="area")
    else:
        values = F.interpolate(
            values, size=(height, width), mode="bilinear", align_corners=False, antialias=True
        )
    return values.round_().clamp_(0, 255).to(torch.uint8)


def _each(pictures: Picture | Sequence[Picture]) -> Iterator[Tensor]:
    """Each picture as (channels, height, width) uint8."""
    if isinstance(pictures, list | tuple):
        for one in pictures:
            yield from _each(one)
    elif isinstance(pictures, str | Path):
        yield _channels_first(decode_image(Path(pictures)), pictures)
    elif isinstance(pictures, Image.Image):
        grey = pictures.mode in ("1", "L", "LA")
        yield _channels_first(np.asarray(pictures.convert("L" if grey else "RGB")), "the picture")
    elif isinstance(pictures, np.ndarray | Tensor):
        array = pictures.detach().cpu().numpy() if isinstance(pictures, Tensor) else pictures
        several = array if array.ndim == 4 else array[None]
        for one in several:
            yield _channels_first(_bytes(one), f"an array of shape {array.shape}")
    else:
        raise ConfigurationError(
            f"A picture is a path, a Pillow image or an array, got {type(pictures).__name__}."
        )


def _bytes(array: NDArray[Any]) -> NDArray[np.uint8]:
    """Numbers in [0, 1] or [0, 255] as uint8."""
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if array.dtype.kind not in "fiu" or not array.size or not np.isfinite(array).all():
        raise ConfigurationError(
            f"Pixels are finite numbers, got an array of type {array.dtype}, shape {array.shape}."
        )
    low, high = float(array.min()), float(array.max())
    if low < 0 or high > 255:
        raise ConfigurationError(
            f"Pixels are numbers in [0, 1] or [0, 255], got {low:g} to {high:g}: give them as they "
            "are in the picture, not normalised."
        )
    scale = 255.0 if array.dtype.kind == "f" and high <= 1 else 1.0
    return np.rint(array * scale).astype(np.uint8)


def _channels_first(array: NDArray[np.uint8], what: object) -> Tensor:
    """(h, w), (h, w, C) or (C, h, w) with C = 1, 3 or 4 -> (1 or 3, h, w); transparency is left."""
    if array.ndim == 2:
        array = array[None]
    elif array.ndim == 3 and array.shape[2] in (1, 3, 4):
        array = array.transpose(2, 0, 1)
    elif array.ndim != 3 or array.shape[0] not in (1, 3, 4):
        array = np.zeros((0, 0, 0), np.uint8)
    if 0 in array.shape:
        raise ConfigurationError(
            f"{what} is no picture: allowed are (height, width), and 1, 3 or 4 channels first or "
            "last; four axes for several pictures."
        )
    return torch.from_numpy(np.ascontiguousarray(array[:3]))


def _fitted(pixels: Tensor, image_shape: tuple[int, int, int], fitted_to: int | None) -> Tensor:
    """To the network's channels and size; of another shape, the middle is taken."""
    if fitted_to is not None:
        square = fit(np.ascontiguousarray(pixels.permute(1, 2, 0).numpy()), fitted_to)
        pixels = torch.from_numpy(np.array(square)).permute(2, 0, 1)
    channels, height, width = image_shape
    if channels == 3 and len(pixels) == 1:
        pixels = pixels.expand(3, -1, -1)
    elif channels == 1 and len(pixels) == 3:
        weights = torch.tensor(_LUMA)[:, None, None]
        pixels = (pixels.float() * weights).sum(0, keepdim=True).round().to(torch.uint8)
    elif channels != len(pixels):
        raise ConfigurationError(
            f"The network takes {channels} channels, the picture has {len(pixels)}."
        )
    return resized(_middle(pixels, height / width)[None], height, width)[0]


def _middle(pixels: Tensor, ratio: float) -> Tensor:
    """The largest part in the middle with this ratio of height to width, within a pixel."""
    height, width = pixels.shape[1:]
    kept = min(height, max(1, round(width * ratio))), min(width, max(1, round(height / ratio)))
    top, left = (height - kept[0]) // 2, (width - kept[1]) // 2
    return pixels[:, top : top + kept[0], left : left + kept[1]]
