"""Multiply-accumulates of the children of a run, counted from their architectures alone."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from agents.records.episode import Episode
from nas_env.child.conv.cost import Shape, conv_cost
from nas_env.errors import NasEnvError
from nas_env.space.architecture_json import architecture_from_json
from nas_env.space.conv_architecture import ConvArchitecture

KNOWN: dict[str, tuple[Shape, int]] = {
    "cifar10": ((3, 32, 32), 10),
    "digits": ((1, 8, 8), 10),
}
"""Data set -> shape of an image and number of classes."""


class MacCounter:
    """Counts for the images of one run's data set; 0 where image or architecture is not known.

    A count is given only if the parameters counted beside it are those that training counted, so
    a data set that has changed since gives none instead of a wrong one.

    Args:
        config: the run's ``config.json``.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        environment = config.get("environment", {})
        registered = {} if "dataset" in environment else _registered(str(config.get("env")))
        dataset = str(environment.get("dataset", registered.get("dataset", "")))
        known = KNOWN.get(dataset) or _folder(Path(dataset).expanduser())
        self._images: tuple[Shape, int] | None = None
        if known is not None:
            recipe = environment.get("recipe", "quick")
            self._images = _shrunk(known[0], _resolution(recipe, dataset)), known[1]

    def __call__(self, episode: Episode) -> int:
        """MACs of one forward pass of one image."""
        if self._images is None:
            return 0
        try:
            architecture = architecture_from_json(json.loads(episode.architecture))
        except (NasEnvError, ValueError):
            return 0
        if not isinstance(architecture, ConvArchitecture):
            return 0
        cost = conv_cost(architecture, *self._images)
        return cost.macs if cost.parameters == episode.parameters else 0


def _registered(env: str) -> Mapping[str, Any]:
    from nas_env.registration import REGISTRATIONS

    return next((one.arguments for one in REGISTRATIONS if one.id == env), {})


def _resolution(recipe: Any, dataset: str) -> int | None:
    from nas_env.training.image_recipes import image_recipe  # imports torch

    return image_recipe(recipe, dataset).resolution


def _folder(root: Path) -> tuple[Shape, int] | None:
    """Shape of the first image of an image folder, and its classes."""
    try:
        classes = sorted(path for path in (root / "train").iterdir() if path.is_dir())
        with Image.open(next(path for path in classes[0].iterdir() if path.is_file())) as image:
            channels = 1 if image.mode in ("1", "L", "I", "I;16", "LA") else 3
            return (channels, image.height, image.width), len(classes)
    except (OSError, IndexError, StopIteration):
        return None


def _shrunk(shape: Shape, resolution: int | None) -> Shape:
    """As ``nas_env.data.images.shrink`` does it."""
    channels, height, width = shape
    shorter = min(height, width)
    if resolution is None or resolution >= shorter:
        return shape
    return channels, round(height * resolution / shorter), round(width * resolution / shorter)
