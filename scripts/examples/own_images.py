"""Search for a network for your own images: a folder ``train/CLASS/*.png``.

``python scripts/examples/own_images.py path/to/folder``, or without a folder on stripes and checks
that it draws itself.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import gymnasium as gym
import numpy as np
import tyro
from PIL import Image

import agents
import nas_env  # registers the environments
from agents.command import run_script
from nas_env.data.image_files import FORMATS
from nas_env.tasks.drawing import draw_text

RECIPE = {
    "name": "quick",
    "epochs": 2,
    "batch_size": 16,
    "resolution": 8,
    "train_images": 192,
    "valid_images": 60,
}
"""A short training. Leave it out, or say ``recipe="fast"``, for a search in earnest."""


@dataclass(frozen=True)
class Options:
    """Search for a network for images."""

    folder: tyro.conf.Positional[Path | None] = None
    """Folder with train/CLASS/*.png (or .jpg), all of one size. Default: images drawn here."""
    children: int = 4
    """Budget."""
    run_dir: Path | None = None
    """Folder to record the run in, with a report. Default: none."""


def draw_images(root: Path, per_class: int = 100, side: int = 12) -> Path:
    """Three classes of noisy patterns as PNG files: lying stripes, standing stripes, checks."""
    rng = np.random.default_rng(0)
    rows, columns = np.indices((side, side)) // 2 % 2  # (side, side) each
    patterns = {"lying": rows, "standing": columns, "checks": rows ^ columns}
    for name, pattern in patterns.items():
        folder = root / "train" / name
        folder.mkdir(parents=True)
        for number in range(per_class):
            moved = np.roll(pattern, rng.integers(0, 4, size=2), axis=(0, 1))
            grey = 45 * moved[..., None] + rng.integers(0, 211, size=(side, side, 3))
            Image.fromarray(grey.astype(np.uint8)).save(folder / f"{number:03}.png")
    return root


def sizes_of(folder: Path) -> dict[str, int]:
    """What a network for these images needs to know: their channels, and the number of classes."""
    first = next((folder / "train").glob("*/*"))
    with Image.open(first, formats=FORMATS) as image:
        channels = 1 if image.mode == "L" else 3
    classes = sum(entry.is_dir() for entry in (folder / "train").iterdir())
    return {"image_channels": channels, "classes": classes}


def search(folder: Path, options: Options) -> None:
    """Search, print the best network, build it."""
    env = gym.make(
        "NAS-CIFAR10-v0", dataset=str(folder), recipe=RECIPE, num_layers=3, filters=(6, 12)
    )
    try:
        found = agents.run_search(
            env, "random", options.children, children_per_update=2, run_dir=options.run_dir
        )
    finally:
        env.close()
    for episode in found.episodes:
        outcome = episode.message or f"accuracy {episode.metric:.3f}"
        print(f"child {episode.number}: {outcome}, {episode.parameters:,} parameters")
    architecture = env.unwrapped.search_space.decode(found.best.tokens)  # type: ignore[attr-defined]
    network = nas_env.build_child(architecture, **sizes_of(folder))
    count = sum(weights.numel() for weights in network.parameters())
    print(f"best: child {found.best.number}, built with {count:,} parameters")
    print(draw_text(architecture))


def main() -> int:
    """Search on the folder given, or on one made for the moment."""
    options = tyro.cli(Options, description=__doc__)
    if options.folder is not None:
        search(options.folder, options)
        return 0
    with tempfile.TemporaryDirectory() as made:
        search(draw_images(Path(made)), options)
    return 0


if __name__ == "__main__":
    run_script(main)
