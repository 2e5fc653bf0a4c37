"""Images and labels that a user has in memory -> ``RawImages``.

Arrays of NumPy, tensors of torch, lists of pictures, and data sets of torch; nothing here imports
torch. What could be meant in two ways is refused in words.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nas_env.checks import listed, shown
from nas_env.data.image_files import fit, pixels_of
from nas_env.data.raw_images import RawImages
from nas_env.errors import InvalidDatasetError

_CHANNELS = (1, 2, 3, 4)
_TOP = 255
WAYS = (
    "Give (images, labels): images an array or tensor (n, height, width), (n, height, width, "
    "channels) or (n, channels, height, width), or a list of pictures; labels n whole numbers or "
    "texts. Or give a torch Dataset whose items are (image, label)."
)


def raw_images(
    given: Any,
    classes: Sequence[str] | None = None,
    image_size: int | None = None,
    like: RawImages | None = None,
) -> RawImages:
    """One part of a data set.

    Args:
        given: ``(images, labels)``, a torch ``Dataset`` (those of torchvision among them), or
            ``RawImages``.
        classes: class names in label order; None = those of the data set, or of the labels found.
        image_size: bring every image to this height and width; None = all have one size.
        like: the training part, where this is another: labels without class names of their own
            are those of its labels.

    Raises:
        InvalidDatasetError: it cannot be used, in words.
    """
    if isinstance(given, RawImages):
        if image_size is None:
            return given
        given, classes = (given.images, given.labels), classes or given.classes
    if isinstance(given, tuple | list):
        if len(given) != 2:
            raise InvalidDatasetError(f"Data in memory have {len(given)} parts. {WAYS}")
        images, labels = given
    else:
        images, labels = _items(given)
        classes = classes or _classes_of(given)
    pixels = _pixels(images, image_size)
    if classes is None and like is not None:
        labels, classes = _label_array(labels).astype(str), like.classes
    numbers, names = number_labels(labels, classes)
    if len(numbers) != len(pixels):
        raise InvalidDatasetError(f"{len(pixels)} images have {len(numbers)} labels. {WAYS}")
    return RawImages(pixels, numbers, names)


def number_labels(
    labels: Any, classes: Sequence[str] | None = None
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Labels as numbers from 0, and what the classes are called.

    Args:
        labels: (n,) or (n, 1) whole numbers or texts.
        classes: their names: the label k, or the text ``classes[k]``, is class k. None = the
            different labels, sorted.

    Raises:
        InvalidDatasetError: they are something else, or not among ``classes``.
    """
    found = _label_array(labels)
    texts = found.dtype.kind == "U"
    different = np.unique(found)
    if classes is None:
        names = tuple(str(label) for label in different)
        numbers = np.searchsorted(different, found)
    else:
        names = tuple(classes)
        known: list[Any] = list(names) if texts else list(range(len(names)))
        strange = [label for label in different.tolist() if label not in known]
        if strange:
            raise InvalidDatasetError(
                f"The labels {listed(map(repr, strange))} are none of the {len(names)} classes: "
                f"{listed(map(repr, names))}."
            )
        place = {label: number for number, label in enumerate(known)}
        numbers = np.array([place[label] for label in found.tolist()], np.int64)
    if len(names) < 2:
        raise InvalidDatasetError(
            f"All {len(found)} images are of one class, {names}: there is nothing to learn."
        )
    return numbers.astype(np.int64), names


def _label_array(labels: Any) -> NDArray[Any]:
    """(n,) int64 or text.

    Raises:
        InvalidDatasetError: they are something else.
    """
    found = _plain(labels) if hasattr(labels, "detach") else np.asarray(labels)
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    if found.ndim == 1 and found.dtype.kind in "iub":
        return found.astype(np.int64)
    if found.ndim == 1 and found.dtype.kind in "UO" and all(isinstance(one, str) for one in found):
        return found.astype(str)
    hint = " (of one-hot rows take the argmax)" if found.ndim == 2 else ""
    raise InvalidDatasetError(
        f"Labels are {found.dtype} of shape {found.shape}; they must be whole numbers or texts, "
        f"one an image{hint}."
    )


def _items(given: Any) -> tuple[list[Any], list[Any]]:
    """All items of a torch ``Dataset``: images and labels."""
    if not hasattr(given, "__getitem__") or not hasattr(given, "__len__"):
        raise InvalidDatasetError(
            f"{type(given).__name__} cannot be read item by item: give the Dataset itself, with "
            f"a length, not a loader or an iterable of it. {WAYS}"
        )
    images, labels = [], []
    for number in range(len(given)):
        item = given[number]
        if not isinstance(item, tuple | list) or len(item) != 2:
            raise InvalidDatasetError(
                f"Item {number} of {type(given).__name__} is {shown(item)}; expected a pair "
                "(image, label)."
            )
        images.append(item[0])
        labels.append(item[1].item() if hasattr(item[1], "item") else item[1])
    if images and not np.array_equal(_picture(images[0]), _picture(given[0][0])):
        raise InvalidDatasetError(
            f"{type(given).__name__} gives another image each time it is read: leave out its "
            "random transforms; a recipe crops and flips the images as it says."
        )
    return images, labels


def _classes_of(given: Any) -> tuple[str, ...] | None:
    """Class names of a data set of torchvision, also behind ``torch.utils.data.Subset``."""
    while given is not None:
        names = getattr(given, "classes", None)
        if isinstance(names, list | tuple) and all(isinstance(name, str) for name in names):
            return tuple(names)
        given = getattr(given, "dataset", None)
    return None


def _pixels(images: Any, image_size: int | None) -> NDArray[np.uint8]:
    """(n, channels, height, width) uint8."""
    if not isinstance(images, list | tuple):
        batch = _plain(images)
        if batch.ndim == 3:
            batch = batch[..., None]
        if batch.ndim != 4 or not len(batch):
            raise InvalidDatasetError(f"Images are of shape {batch.shape}. {WAYS}")
        batch = np.moveaxis(batch, 1 + _channel_axis(batch.shape[1:]), 3)
        pictures = [_bytes([batch])[0]] if image_size is None else _bytes(list(batch))
        if image_size is None:
            return np.ascontiguousarray(pictures[0].transpose(0, 3, 1, 2))
    else:
        pictures = _bytes([_picture(image) for image in images])
    if image_size is not None:
        pictures = [fit(picture, image_size) for picture in pictures]
    return _stack(pictures)


def _stack(pictures: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Pictures of one size as a batch; grey ones become colour where any is."""
    sizes = sorted({picture.shape[:2] for picture in pictures})
    if len(sizes) != 1:
        raise InvalidDatasetError(
            f"Images differ in size: {listed(f'{w}x{h}' for h, w in sizes) or 'there are none'}. "
            "Bring them to one size: dataset={'train': ..., 'image_size': 32}."
        )
    most = max(picture.shape[2] for picture in pictures)
    same = [p if p.shape[2] == most else np.repeat(p[..., :1], most, axis=2) for p in pictures]
    if {picture.shape[2] for picture in pictures} - {1, most}:
        raise InvalidDatasetError("Images differ in their number of channels. Give all the same.")
    return np.ascontiguousarray(np.stack(same).transpose(0, 3, 1, 2))


def _picture(image: Any) -> NDArray[Any]:
    """One image as (height, width, channels), its values as they are."""
    if isinstance(image, Image.Image):
        try:
            picture: NDArray[Any] = pixels_of(image, image.format or "PNG")
        except ValueError as error:
            raise InvalidDatasetError(f"An image cannot be used: {error}.") from error
    else:
        picture = _plain(image)
    if picture.ndim == 2:
        picture = picture[..., None]
    if picture.ndim != 3:
        raise InvalidDatasetError(f"An image is of shape {picture.shape}. {WAYS}")
    return np.moveaxis(picture, _channel_axis(picture.shape), 2)


def _channel_axis(shape: tuple[int, ...]) -> int:
    """Where the channels of (height, width, channels) or (channels, height, width) are."""
    first, last = shape[0] in _CHANNELS, shape[2] in _CHANNELS
    if first != last:
        return 0 if first else 2
    which = "either the first or the last" if first else "neither the first nor the last"
    raise InvalidDatasetError(
        f"Images are of shape {shape}: {which} of these may be the channels (1 to 4). Say which: "
        "dataset=nas_env.RawImages(images, labels, classes) takes (n, channels, height, width) "
        "uint8."
    )


def _bytes(arrays: list[NDArray[Any]]) -> list[NDArray[np.uint8]]:
    """The same values as bytes: whole numbers 0 to 255 stay, fractions 0 to 1 are spread."""
    if all(array.dtype == np.uint8 for array in arrays) or not arrays:
        return arrays
    kinds = {array.dtype.kind for array in arrays}
    if not kinds <= set("buif"):
        found = listed(sorted({str(a.dtype) for a in arrays}))
        raise InvalidDatasetError(f"Images are of type {found}. {WAYS}")
    low = min(float(array.min()) for array in arrays)
    high = max(float(array.max()) for array in arrays)
    fractions = kinds <= {"f"} and 0 <= low <= high <= 1
    if kinds == {"b"} or fractions:
        return [np.round(array.astype(np.float32) * _TOP).astype(np.uint8) for array in arrays]
    whole = all(
        array.dtype.kind != "f" or bool((array == np.floor(array)).all()) for array in arrays
    )
    if not (whole and 0 <= low <= high <= _TOP):
        raise InvalidDatasetError(
            f"Images have values from {low:g} to {high:g}; expected whole numbers from 0 to 255, "
            "or fractions from 0 to 1. Give them as they were before they were normalised: "
            "children standardise every image themselves."
        )
    return [array.astype(np.uint8) for array in arrays]


def _plain(array: Any) -> NDArray[Any]:
    """NumPy's array of an array or tensor, wherever it lives."""
    if hasattr(array, "detach"):
        tensor = array.detach().cpu()
        return np.asarray(tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor)
    if not hasattr(array, "__array__"):
        raise InvalidDatasetError(f"Images are {shown(array)}. {WAYS}")
    return np.asarray(array)
