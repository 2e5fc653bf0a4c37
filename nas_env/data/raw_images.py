"""Images as read from their source, before splitting and resizing, and how to split them."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas_env.errors import InvalidDatasetError


@dataclass(frozen=True)
class RawImages:
    """One part (``train`` or ``test``) of a source.

    Attributes:
        images: (n, channels, height, width) uint8.
        labels: (n,) int64 in [0, len(classes)).
        classes: class names, in label order.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        """Check that these can be trained on, whoever read them.

        Raises:
            InvalidDatasetError: naming what is wrong.
        """
        images, labels = np.asarray(self.images), np.asarray(self.labels)
        wrong = None
        if images.dtype != np.uint8 or images.ndim != 4:
            wrong = f"images are {images.dtype} of shape {images.shape}"
        elif labels.dtype.kind not in "iu" or labels.shape != images.shape[:1]:
            wrong = f"{len(images)} images have labels that are {labels.dtype} of {labels.shape}"
        elif len(labels) and not 0 <= labels.min() <= labels.max() < len(self.classes):
            wrong = f"labels are {labels.min()} to {labels.max()} for {len(self.classes)} classes"
        if wrong:
            raise InvalidDatasetError(
                f"Images cannot be used: {wrong}. Expected images (n, channels, height, width) "
                "uint8, and a whole number for each, from 0 to below the number of class names."
            )
        object.__setattr__(self, "images", images)
        object.__setattr__(self, "labels", labels.astype(np.int64, copy=False))


def random_order(labels: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """A random order of the examples, whatever their classes: the paper's split (section 4.1).

    Args:
        labels: (n,) class of each example.
        seed: of the split; the same seed gives the same order on every machine.

    Returns:
        (n,) a permutation of 0..n-1.
    """
    return np.random.default_rng(seed).permutation(len(labels))


def content_digest(raw: RawImages, valid: RawImages | None = None) -> str:
    """Identity of images by their content, of training and of a validation part of their own."""
    hashed = hashlib.sha256(repr((raw.images.shape, raw.classes)).encode())
    for part in (raw,) if valid is None else (raw, valid):
        hashed.update(np.ascontiguousarray(part.images).data)
        hashed.update(np.ascontiguousarray(part.labels).data)
    return f"images-{hashed.hexdigest()[:32]}"


def balanced_order(labels: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """A random order of the examples in which every prefix holds all classes in proportion.

    Each class is shuffled, its k-th of m examples gets the rank (k + u) / m with u uniform, and
    the examples are sorted by rank. So a validation set cut from the front and a training subset
    of any size are balanced: less noise between small subsets.

    Args:
        labels: (n,) class of each example.
        seed: of the split; the same seed gives the same order on every machine.

    Returns:
        (n,) a permutation of 0..n-1.
    """
    rng = np.random.default_rng(seed)
    ranks = np.empty(len(labels), np.float64)
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        ranks[members] = (np.arange(len(members)) + rng.random(len(members))) / len(members)
    return np.argsort(ranks, kind="stable")
