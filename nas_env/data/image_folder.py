"""A user's own images: ``train/CLASS/*.png`` (or .jpg, .tif, ...), optionally ``test/CLASS/*``.

Decoding tens of thousands of files takes most of a minute, so the decoded array is kept in the
cache folder, under a name made from every file's path, size and modification time. The identity of
the data is a hash of the files' names and bytes.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import psutil
from numpy.typing import NDArray

from nas_env.data import image_cache
from nas_env.data.datasets import ImageDataset, dataset_names, offline_hint
from nas_env.data.image_files import (
    DECODING,
    MOST_BYTES,
    REFUSED_SUFFIXES,
    SUFFIXES,
    decode_image,
    decoded_otherwise,
    read_image_bytes,
)
from nas_env.data.raw_images import RawImages
from nas_env.errors import DatasetNotFoundError, InvalidDatasetError
from nas_env.system.folders import user_path
from nas_env.system.reading import check_regular, is_folder, reason

Part = Literal["train", "test"]
_SMALL_BYTES = 2**30  # what is needed of memory without asking whether it is there


@dataclass(frozen=True)
class FolderListing:
    """The files of one part, in a fixed order.

    Attributes:
        root: the data set's folder.
        part: ``"train"`` or ``"test"``.
        classes: sub-folder names, sorted.
        files: paths relative to ``root``, sorted by class, then name.
        labels: (n,) class of each file.
        stamp: hash of paths, sizes and modification times: changes when any file does.
    """

    root: Path
    part: Part
    classes: tuple[str, ...]
    files: tuple[str, ...]
    labels: NDArray[np.int64]
    stamp: str


def looks_like(path: str | os.PathLike[str]) -> bool:
    """Whether there is a folder of images."""
    return is_folder(user_path(path) / "train")


def folder_row(path: str | os.PathLike[str]) -> ImageDataset:
    """A folder as a data set; whether it is there is found out when it is read."""
    root = user_path(path).absolute()
    return ImageDataset(
        name=str(path),
        train=partial(_read, root, "train"),
        held_out=partial(_read, root, "test"),
        digest=partial(_digest, root),
    )


def _read(root: Path, part: Part, data_dir: Path) -> RawImages:
    return read_image_folder(root, part)


def _digest(root: Path, data_dir: Path) -> str:
    return folder_digest(root)


def read_image_folder(root: Path, part: Part) -> RawImages:
    """Decode one part, or fetch it from the cache.

    Raises:
        DatasetNotFoundError: no such folder.
        InvalidDatasetError: fewer than two classes, an empty class, an unreadable image, or images
            of different sizes.
    """
    listing = list_image_folder(root, part)
    images = image_cache.read_images(listing.stamp, len(listing.files))
    if images is None:
        images = _decode(listing)
        image_cache.write_images(listing.stamp, images, content_digest(listing))
    return RawImages(images, listing.labels, listing.classes)


def folder_digest(root: Path) -> str:
    """Digest of the training part, from the cache or by hashing the files (hardly any decoding)."""
    listing = list_image_folder(root, "train")
    return image_cache.read_digest(listing.stamp) or content_digest(listing)


def list_image_folder(root: Path, part: Part) -> FolderListing:
    """Find the classes and files of one part and check that they can be trained on."""
    base = root / part
    if not is_folder(base):
        raise DatasetNotFoundError(
            f"No image folder at {root}: expected {base}/CLASS/*.png (or .jpg), one sub-folder per "
            f"class. Data sets with a name: {', '.join(dataset_names(ImageDataset))}. "
            f"{offline_hint(ImageDataset)}"
        )
    with _reading(base):
        found = [entry for entry in os.scandir(base) if not entry.name.startswith(".")]
        classes = sorted(entry.name for entry in found if is_folder(entry))
        members = {name: _image_files(base / name) for name in classes}
    empty = [name for name in classes if not members[name]]
    if len(classes) < 2 or empty:
        problem = f"no images in {', '.join(empty)}" if empty else f"{len(classes)} class folder(s)"
        raise InvalidDatasetError(
            f"{base} cannot be trained on: {problem}. Expected at least two class folders "
            f"{part}/CLASS, each with {', '.join('*' + s for s in SUFFIXES)} files. "
            f"{offline_hint(ImageDataset)}"
        )
    stats = [
        (f"{part}/{name}/{file}", size, changed)
        for name in classes
        for file, size, changed in members[name]
    ]
    text = json.dumps([DECODING, str(root.resolve()), stats])
    stamp = hashlib.sha256(text.encode()).hexdigest()[:32]
    labels = np.repeat(np.arange(len(classes)), [len(members[name]) for name in classes])
    paths = tuple(path for path, _, _ in stats)
    return FolderListing(root, part, tuple(classes), paths, labels.astype(np.int64), stamp)


def content_digest(listing: FolderListing) -> str:
    """32 hex digits over the names and bytes of all files: the same after a copy or a touch."""
    total = hashlib.sha256()
    for name in listing.files:
        content = read_image_bytes(listing.root / name)
        line = f"{name}\n{hashlib.sha256(content).hexdigest()}\n{decoded_otherwise(content)}"
        # A name that is no UTF-8 has surrogates; the digest of any other is that of UTF-8.
        total.update(line.encode("utf-8", "surrogatepass"))
    return total.hexdigest()[:32]


@contextmanager
def _reading(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InvalidDatasetError(
            f"The image folder {folder} cannot be read: {reason(error)}. Check its permissions."
        ) from error


def _image_files(folder: Path) -> list[tuple[str, int, int]]:
    """(name, size, time of the last change) of the images in the folder of a class, sorted.

    Raises:
        InvalidDatasetError: something that is named like an image is none that can be read.
    """
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            suffix = os.path.splitext(entry.name)[1].lower()
            if suffix in REFUSED_SUFFIXES:
                raise InvalidDatasetError(
                    f"{entry.path} cannot be used: {REFUSED_SUFFIXES[suffix]}. Convert it to one "
                    f"of {', '.join(SUFFIXES)}, or move it away."
                )
            if suffix in SUFFIXES:
                found.append((entry.name, *_state(entry)))
    return sorted(found)


def _state(entry: os.DirEntry[str]) -> tuple[int, int]:
    """Size and time of the last change of a regular file."""
    try:
        stats = check_regular(entry, MOST_BYTES)
    except OSError as error:
        raise InvalidDatasetError(
            f"{entry.path} is named like an image, but {reason(error)}. Remove or rename it."
        ) from error
    return stats.st_size, stats.st_mtime_ns


def _decode(listing: FolderListing) -> NDArray[np.uint8]:
    """All files as (n, channels, height, width); grey only if every file is."""
    pictures = _decode_files(listing)
    first = pictures[0].shape[:2]
    for name, picture in zip(listing.files, pictures, strict=True):
        if picture.shape[:2] != first:
            raise InvalidDatasetError(
                f"Images differ in size: {listing.root / name} is {_size(picture.shape)}, "
                f"{listing.root / listing.files[0]} is {_size(first)} (width x height). Resize all "
                "images of the folder to one size."
            )
    if any(picture.ndim == 3 for picture in pictures):
        pictures = [p if p.ndim == 3 else np.repeat(p[..., None], 3, axis=2) for p in pictures]
        return np.ascontiguousarray(np.stack(pictures).transpose(0, 3, 1, 2))
    return np.stack(pictures)[:, None]


def _decode_files(listing: FolderListing) -> list[NDArray[np.uint8]]:
    first = decode_image(listing.root / listing.files[0])
    needed = 2 * first.nbytes * len(listing.files)  # one by one, then in one array
    if needed > _SMALL_BYTES and needed > psutil.virtual_memory().available:
        raise InvalidDatasetError(
            f"{len(listing.files):,} images of {_size(first.shape)} in {listing.root} need "
            f"{needed / 2**30:.0f} GiB of memory to be read, more than there is. Shrink the files: "
            "children see them at a recipe's resolution anyway."
        )
    return [first, *(decode_image(listing.root / name) for name in listing.files[1:])]


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
