"""Images as read from their source, before splitting and resizing, and how to split them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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
