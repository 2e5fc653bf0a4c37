"""A search to finalise: four children on an image folder with a test part, trained in this process.

The folder's pictures are of two shades, which any network learns in an epoch.
"""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from PIL import Image

import agents
from agents.finalise.finalise import finalise
from agents.finalise.outcome import Finalised
from agents.finalise.progress import Stages
from agents.finalise.settings import FinaliseSettings

TINY = {
    "name": "quick",
    "epochs": 1,
    "reward_epochs": 1,
    "batch_size": 8,
    "resolution": None,
    "numerics": "float32",
}
FINAL = '{"name": "quick", "epochs": 3, "batch_size": 8, "resolution": null, "numerics": "float32"}'


def write_pictures(root: Path, parts: dict[str, int], classes: tuple[str, ...]) -> None:
    for part, count in parts.items():
        for shade, name in enumerate(classes):
            folder = root / part / name
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(count):
                random = np.random.default_rng([shade, number, len(part)])
                noise = random.integers(-60, 60, (6, 7, 3))
                ramp = np.linspace(-50, 50, 7)[None, :, None] * (1 if shade else -1)
                pixels = np.clip(120 + noise + ramp, 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")


@pytest.fixture(scope="session")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pictures, a run and its store; tests copy it."""
    folder = tmp_path_factory.mktemp("finalise")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAS_ENV_CACHE", str(folder / "cache"))
        write_pictures(folder / "pictures", {"train": 24, "test": 10}, ("dark", "light"))
        env = gym.make(
            "NAS-CIFAR10-v0",
            dataset=str(folder / "pictures"),
            recipe=TINY,
            num_layers=1,
            filters=[4, 6],
            store=str(folder / "store.sqlite"),
        )
        run = folder / "run"
        agents.run_search(env, "random", children=4, children_per_update=2, seed=3, run_dir=run)
        env.close()
    return folder


@pytest.fixture
def place(searched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the run and its store; the pictures stay where they are."""
    monkeypatch.setenv("NAS_ENV_CACHE", str(searched / "cache"))
    shutil.copytree(searched / "run", tmp_path / "run")
    for file in searched.glob("store.sqlite*"):
        shutil.copy(file, tmp_path / file.name)
    return tmp_path


@pytest.fixture
def settings(place: Path) -> FinaliseSettings:
    """Of a short finalise."""
    return FinaliseSettings(
        source=place / "run",
        store=place / "store.sqlite",
        top=2,
        seeds=1,
        grid="none",
        recipe=FINAL,
        evaluator="local",
    )


@pytest.fixture
def run(settings: FinaliseSettings) -> Callable[..., Finalised]:
    """Finalise with changed settings."""

    def call(**changes: object) -> Finalised:
        return finalise(replace(settings, **changes), Stages(silent=True))  # type: ignore[arg-type]

    return call
