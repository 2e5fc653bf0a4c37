"""A user's own images: ``train/CLASS/*.png`` (or .jpg, .jpeg), optionally ``test/CLASS/*``.

Decoding tens of thousands of files takes most of a minute, so the decoded array is kept in the
cache folder, under a name made from every file's path, size and modification time. The identity of
the data is a hash of the files' names and bytes.
"""

import hashlib
import json
import os
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nas_env.data.datasets import ImageDataset, dataset_names, offline_hint
from nas_env.data.raw_images import RawImages
from nas_env.errors import DatasetNotFoundError, InvalidDatasetError
from nas_env.system.files import write_durably
from nas_env.system.folders import cache_dir, user_path

Part = Literal["train", "test"]
SUFFIXES = (".png", ".jpg", ".jpeg")
GREY_MODES = ("1", "L", "I", "I;16", "LA")


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
    return (user_path(path) / "train").is_dir()


def folder_row(path: str | os.PathLike[str]) -> ImageDataset:
    """A folder as a data set; whether it is there is found out when it is read."""
    root = user_path(path)
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
    cache_file = cache_dir() / "images" / f"{listing.stamp}.npz"
    cached = _read_cache(cache_file)
    if cached is not None:
        images = cached[0]
    else:
        images = _decode(listing)
        _write_cache(cache_file, images, content_digest(listing))
    return RawImages(images, listing.labels, listing.classes)


def folder_digest(root: Path) -> str:
    """Digest of the training part, from the cache or by hashing the files (no decoding)."""
    listing = list_image_folder(root, "train")
    cached = _read_cache(cache_dir() / "images" / f"{listing.stamp}.npz", digest_only=True)
    return cached[1] if cached is not None else content_digest(listing)


def list_image_folder(root: Path, part: Part) -> FolderListing:
    """Find the classes and files of one part and check that they can be trained on."""
    base = root / part
    if not base.is_dir():
        raise DatasetNotFoundError(
            f"No image folder at {root}: expected {base}/CLASS/*.png (or .jpg), one sub-folder per "
            f"class. Data sets with a name: {', '.join(dataset_names(ImageDataset))}. "
            f"{offline_hint(ImageDataset)}"
        )
    classes = sorted(p.name for p in base.iterdir() if p.is_dir() and not p.name.startswith("."))
    members = {name: _image_files(base / name) for name in classes}
    empty = [name for name in classes if not members[name]]
    if len(classes) < 2 or empty:
        problem = f"no images in {', '.join(empty)}" if empty else f"{len(classes)} class folder(s)"
        raise InvalidDatasetError(
            f"{base} cannot be trained on: {problem}. Expected at least two class folders "
            f"{part}/CLASS, each with {', '.join('*' + s for s in SUFFIXES)} files. "
            f"{offline_hint(ImageDataset)}"
        )
    files = [(name, entry) for name in classes for entry in members[name]]
    stats = [
        (f"{part}/{name}/{e.name}", e.stat().st_size, e.stat().st_mtime_ns) for name, e in files
    ]
    text = json.dumps([str(root.resolve()), stats])
    stamp = hashlib.sha256(text.encode()).hexdigest()[:32]
    labels = np.repeat(np.arange(len(classes)), [len(members[name]) for name in classes])
    paths = tuple(path for path, _, _ in stats)
    return FolderListing(root, part, tuple(classes), paths, labels.astype(np.int64), stamp)


def content_digest(listing: FolderListing) -> str:
    """32 hex digits over the names and bytes of all files: the same after a copy or a touch."""
    total = hashlib.sha256()
    for name in listing.files:
        content = hashlib.sha256(_read_bytes(listing.root / name)).hexdigest()
        total.update(f"{name}\n{content}\n".encode())
    return total.hexdigest()[:32]


def _image_files(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        found = [e for e in entries if e.name.lower().endswith(SUFFIXES) and e.is_file()]
    return sorted(found, key=lambda entry: entry.name)


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidDatasetError(f"Cannot read {path}: {error}. Check its permissions.") from error


def _decode(listing: FolderListing) -> NDArray[np.uint8]:
    """All files as (n, channels, height, width); grey only if every file is."""
    pictures = [_decode_file(listing.root / name) for name in listing.files]
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


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"


def _decode_file(path: Path) -> NDArray[np.uint8]:
    """One file as (height, width) uint8 for a grey image, else (height, width, 3)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return np.asarray(image.convert("L" if image.mode in GREY_MODES else "RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombWarning) as error:
        raise InvalidDatasetError(
            f"{path} is not a readable image ({error}). Remove or replace the file."
        ) from error


def _read_cache(path: Path, digest_only: bool = False) -> tuple[NDArray[np.uint8], str] | None:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            images = np.empty(0, np.uint8) if digest_only else archive["images"]
            return images, str(archive["digest"])
    except Exception:  # missing or damaged in any way: the images are decoded again
        return None


def _write_cache(path: Path, images: NDArray[np.uint8], digest: str) -> None:
    try:
        write_durably(path, lambda file: np.savez(file, images=images, digest=np.array(digest)))
    except OSError:
        return  # a read-only home or a full disk costs time, not correctness
