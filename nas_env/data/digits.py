"""The 1,797 handwritten digits (8x8, one channel) that ship with scikit-learn: no download."""

from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from nas_env.data.datasets import ImageDataset
from nas_env.data.raw_images import RawImages

SOURCE = "sklearn-digits-1797-test360"
TEST_IMAGES = 360
"""The last 360 in file order: mostly other writers than the rest."""


def digits_digest(data_dir: Path) -> str:
    """``SOURCE``: the images are those of every version of scikit-learn."""
    return SOURCE


def read_digits(data_dir: Path, part: Literal["train", "test"]) -> RawImages:
    """Read one part: the first 1,437 images, or the 360 held out for the final test."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    # Pixel values are counts 0..16 of a 4x4 bitmap: spread them over the range of a byte.
    scaled = np.round(bunch.images * (255.0 / 16.0)).astype(np.uint8)[:, None]  # (n, 1, 8, 8)
    labels = bunch.target.astype(np.int64)
    cut = len(labels) - TEST_IMAGES
    chosen = slice(0, cut) if part == "train" else slice(cut, None)
    return RawImages(scaled[chosen], labels[chosen], tuple(str(d) for d in range(10)))


_UNMIRRORED = {"crop_margin": 1, "flip": False}
"""A mirrored 2 is no digit; windows move by one of 8 pixels."""

DATASET = ImageDataset(
    name="digits",
    env="NAS-Digits-v0",
    train=partial(read_digits, part="train"),
    held_out=partial(read_digits, part="test"),
    digest=digits_digest,
    shape=(1, 8, 8),
    classes=10,
    validation_share=0.3,
    recipes={
        "paper": _UNMIRRORED,
        "fast": {"batch_size": 64, **_UNMIRRORED},
        # The accuracies of 16 random children spread from 0.36 to 0.82 and correlate by 0.81
        # between two seeds.
        "quick": {
            "epochs": 1,
            "batch_size": 16,
            "learning_rate": 0.05,
            "train_images": 800,
            "valid_images": None,
            "resolution": None,
            "width": 1.0,
            "crop": "pad",
            **_UNMIRRORED,
        },
    },
    offline=True,
)
