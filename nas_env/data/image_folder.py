"""A user's own images: ``train/CLASS/*.png`` (or .jpg, .tif, ...), and ``valid/`` and ``test/``.

Without ``valid`` a part for validation is cut from ``train``. Decoding tens of thousands of files
takes most of a minute, so the decoded array is kept in the cache folder, under a name made from
every file's path, size and modification time. The identity of the data is a hash of the files'
names and bytes.
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

from nas_env.checks import listed
from nas_env.data import image_cache
from nas_env.data.datasets import ImageDataset, dataset_names, offline_hint
from nas_env.data.image_files import (
    DECODING,
    MOST_BYTES,
    REFUSED_SUFFIXES,
    SUFFIXES,
    decode_image,
    decoded_otherwise,
    fit,
    read_image_bytes,
)
from nas_env.data.raw_images import RawImages
from nas_env.errors import DatasetNotFoundError, InvalidDatasetError
from nas_env.system.folders import user_path
from nas_env.system.reading import check_regular, is_folder, reason

Part = Literal["train", "valid", "test"]
_SMALL_BYTES = 2**30  # what is needed of memory without asking whether it is there


@dataclass(frozen=True)
class FolderListing:
    """The files of one part, in a fixed order.

    Attributes:
        root: the data set's folder.
        part: ``"train"``, ``"valid"`` or ``"test"``.
        classes: sub-folder names of ``train``, sorted.
        files: paths relative to ``root``, sorted by class, then name.
        labels: (n,) class of each file.
        stamp: hash of paths, sizes and modification times: changes when any file does.
        image_size: side that every image is brought to; None = all have one size.
    """

    root: Path
    part: Part
    classes: tuple[str, ...]
    files: tuple[str, ...]
    labels: NDArray[np.int64]
    stamp: str
    image_size: int | None = None


def looks_like(path: str | os.PathLike[str]) -> bool:
    """Whether there is a folder of images."""
    return is_folder(user_path(path) / "train")


def folder_row(path: str | os.PathLike[str], image_size: int | None = None) -> ImageDataset:
    """A folder as a data set; whether it is there is found out when it is read.

    Args:
        path: the folder.
        image_size: bring every image to this height and width; None = all have one size.
    """
    root = user_path(path)
    own_valid = is_folder(root / "valid")
    return ImageDataset(
        name=str(path),
        train=partial(_read, root, "train", image_size),
        valid=partial(_read, root, "valid", image_size) if own_valid else None,
        held_out=partial(_read, root, "test", image_size),
        held_out_classes=partial(_test_classes, root),
        digest=partial(_digest, root, image_size),
    )


def _read(root: Path, part: Part, image_size: int | None, data_dir: Path) -> RawImages:
    return read_image_folder(root, part, image_size)


def _test_classes(root: Path, data_dir: Path) -> tuple[str, ...] | None:
    return tuple(_class_folders(root / "test")) if is_folder(root / "test") else None


def _digest(root: Path, image_size: int | None, data_dir: Path) -> str:
    return folder_digest(root, image_size)


def read_image_folder(root: Path, part: Part, image_size: int | None = None) -> RawImages:
    """Decode one part, or fetch it from the cache.

    Raises:
        DatasetNotFoundError: no such folder.
        InvalidDatasetError: fewer than two classes, an empty class, an unreadable image, or images
            of different sizes.
    """
    listing = list_image_folder(root, part, image_size)
    images = image_cache.read_images(listing.stamp, len(listing.files))
    if images is None:
        images = _decode(listing)
        image_cache.write_images(listing.stamp, images, content_digest(listing))
    if part != "train":
        images = _with_channels_of(read_image_folder(root, "train", image_size), images, listing)
    return RawImages(images, listing.labels, listing.classes)


def _with_channels_of(
    train: RawImages, images: NDArray[np.uint8], listing: FolderListing
) -> NDArray[np.uint8]:
    """Grey images as colour where those of training are.

    Raises:
        InvalidDatasetError: they are of another form than those of training.
    """
    if images.shape[1] == 1 and train.images.shape[1] == 3:
        images = np.repeat(images, 3, axis=1)
    if images.shape[1:] != train.images.shape[1:]:
        raise InvalidDatasetError(
            f"Images in {listing.root / listing.part} have (channels, height, width) "
            f"{images.shape[1:]}, those in train {train.images.shape[1:]}. "
            f"{_resize_hint(listing.root)}"
        )
    return images


def _resize_hint(root: Path) -> str:
    return (
        f"Bring them to one size: dataset={{'folder': {str(root)!r}, 'image_size': 32}}, on the "
        f"command line --dataset '{json.dumps({'folder': str(root), 'image_size': 32})}'."
    )


def folder_digest(root: Path, image_size: int | None = None) -> str:
    """Digest of the training part, and of one for validation where there is one.

    It comes from the cache or by hashing the files, with hardly any decoding.
    """
    parts: tuple[Part, ...] = ("train", "valid") if is_folder(root / "valid") else ("train",)
    digests = []
    for part in parts:
        listing = list_image_folder(root, part, image_size)
        digests.append(image_cache.read_digest(listing.stamp) or content_digest(listing))
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256(json.dumps(digests).encode()).hexdigest()[:32]


def list_image_folder(root: Path, part: Part, image_size: int | None = None) -> FolderListing:
    """Find the classes and files of one part and check that they can be trained on."""
    base = root / part
    if not is_folder(base):
        raise DatasetNotFoundError(
            f"No image folder at {root}: expected {base}/CLASS/*.png (or .jpg), one sub-folder per "
            f"class. Data sets with a name: {', '.join(dataset_names(ImageDataset))}. "
            f"{offline_hint(ImageDataset)}"
        )
    classes = _class_folders(base if part == "train" else root / "train")
    strange = sorted({*_class_folders(base)} - {*classes})
    if strange:
        raise InvalidDatasetError(
            f"{base} has folders of classes that {root / 'train'} lacks: {listed(strange)}. A "
            "class is learned in training: add images of it there, or move these away."
        )
    with _reading(base):
        members = {name: _image_files(base / name) for name in classes if is_folder(base / name)}
    empty = [name for name in members if not members[name]]
    if len(classes) < 2 or empty or not members:
        problem = f"no images in {', '.join(empty)}" if empty else f"{len(members)} class folder(s)"
        raise InvalidDatasetError(
            f"{base} cannot be trained on: {problem}. Expected at least two class folders "
            f"{part}/CLASS, each with {', '.join('*' + s for s in SUFFIXES)} files. "
            f"{offline_hint(ImageDataset)}"
        )
    stats = [
        (f"{part}/{name}/{file}", size, changed)
        for name, files in members.items()
        for file, size, changed in files
    ]
    resized = [] if image_size is None else [image_size]
    text = json.dumps([DECODING, str(root.resolve()), stats, *resized])
    stamp = hashlib.sha256(text.encode()).hexdigest()[:32]
    numbers = [number for number, name in enumerate(classes) if name in members]
    labels = np.repeat(numbers, [len(files) for files in members.values()]).astype(np.int64)
    paths = tuple(path for path, _, _ in stats)
    return FolderListing(root, part, tuple(classes), paths, labels, stamp, image_size)


def _class_folders(base: Path) -> list[str]:
    """Names of the folders in the folder of a part, sorted."""
    if not is_folder(base):
        return []
    with _reading(base):
        found = [entry for entry in os.scandir(base) if not entry.name.startswith(".")]
        return sorted(entry.name for entry in found if is_folder(entry))


def content_digest(listing: FolderListing) -> str:
    """32 hex digits over the names and bytes of all files: the same after a copy or a touch."""
    total = hashlib.sha256()
    if listing.image_size is not None:
        total.update(f"image_size {listing.image_size}\n".encode())
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
                f"{listing.root / listing.files[0]} is {_size(first)} (width x height). "
                f"{_resize_hint(listing.root)}"
            )
    if any(picture.ndim == 3 for picture in pictures):
        pictures = [p if p.ndim == 3 else np.repeat(p[..., None], 3, axis=2) for p in pictures]
        return np.ascontiguousarray(np.stack(pictures).transpose(0, 3, 1, 2))
    return np.stack(pictures)[:, None]


def _decode_files(listing: FolderListing) -> list[NDArray[np.uint8]]:
    first = _decode_file(listing, 0)
    needed = 2 * first.nbytes * len(listing.files)  # one by one, then in one array
    if needed > _SMALL_BYTES and needed > psutil.virtual_memory().available:
        raise InvalidDatasetError(
            f"{len(listing.files):,} images of {_size(first.shape)} in {listing.root} need "
            f"{needed / 2**30:.0f} GiB of memory to be read, more than there is. Shrink the files, "
            f"or have them shrunk. {_resize_hint(listing.root)}"
        )
    return [first, *(_decode_file(listing, number) for number in range(1, len(listing.files)))]


def _decode_file(listing: FolderListing, number: int) -> NDArray[np.uint8]:
    picture = decode_image(listing.root / listing.files[number])
    return picture if listing.image_size is None else fit(picture, listing.image_size)


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
