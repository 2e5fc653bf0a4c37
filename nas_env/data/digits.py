"""The 1,797 handwritten digits (8x8, one channel) that ship with scikit-learn: no download."""

from typing import Literal

import numpy as np

from nas_env.data.raw_images import RawImages

SOURCE = "sklearn-digits-1797-test360"
TEST_IMAGES = 360
"""The last 360 in file order: mostly other writers than the rest."""


def read_digits(part: Literal["train", "test"]) -> RawImages:
    """Read one part: the first 1,437 images, or the 360 held out for the final test."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    # Pixel values are counts 0..16 of a 4x4 bitmap: spread them over the range of a byte.
    scaled = np.round(bunch.images * (255.0 / 16.0)).astype(np.uint8)[:, None]  # (n, 1, 8, 8)
    labels = bunch.target.astype(np.int64)
    cut = len(labels) - TEST_IMAGES
    chosen = slice(0, cut) if part == "train" else slice(cut, None)
    return RawImages(scaled[chosen], labels[chosen], tuple(str(d) for d in range(10)))
