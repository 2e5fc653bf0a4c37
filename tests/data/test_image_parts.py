"""Image folders: a validation part of their own, classes by name, and one size on request."""

import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from PIL import Image

import nas_env
from agents.search.launch import _from_any_folder
from nas_env.data.datasets import find_dataset
from nas_env.data.held_out_images import load_held_out_images
from nas_env.data.images import image_digest, load_images
from nas_env.errors import ConfigurationError, DatasetNotFoundError, InvalidDatasetError


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_ENV_CACHE", str(tmp_path / "cache"))


def write(root: Path, part: str, name: str, count: int, **form: Any) -> None:
    """Images of one brightness each, which differs between classes and parts."""
    height, width = form.get("size", (6, 6))
    channels = form.get("channels", (3,))
    value = {"train": 40, "valid": 120, "test": 200}[part] + len(name)
    for number in range(count):
        path = root / part / name / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((height, width, *channels), value, np.uint8)).save(path)


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    for name in ("cat", "zebra"):
        write(tmp_path / "pets", "train", name, 10)
    return tmp_path / "pets"


def test_the_folder_valid_is_the_validation_part(pets: Path) -> None:
    before = image_digest(pets)
    assert len(load_images(pets).valid_labels) == 2  # a tenth of train
    for name in ("cat", "zebra"):
        write(pets, "valid", name, 3)
    data = load_images(pets)
    assert (len(data.train_labels), len(data.valid_labels)) == (20, 6)
    assert set(data.train_images.flatten().tolist()) == {43, 45}
    assert set(data.valid_images.flatten().tolist()) == {123, 125}
    after = image_digest(pets)
    assert after != before
    write(pets, "valid", "cat", 4)
    assert image_digest(pets) not in (before, after)


@pytest.mark.parametrize("part", ["valid", "test"])
def test_labels_of_every_part_follow_the_classes_of_training(pets: Path, part: str) -> None:
    """A class without images in it moves no other label."""
    write(pets, part, "zebra", 3, channels=())  # grey beside colour
    labels = (
        load_images(pets).valid_labels if part == "valid" else load_held_out_images(pets).labels
    )
    assert labels.tolist() == [1, 1, 1]
    write(pets, part, "dog", 1)
    with pytest.raises(InvalidDatasetError, match=f"{part} has folders of classes .* lacks: dog"):
        load_images(pets) if part == "valid" else load_held_out_images(pets)


def test_parts_of_other_sizes_are_refused_and_the_setting_is_named(pets: Path) -> None:
    for name in ("cat", "zebra"):
        write(pets, "valid", name, 2, size=(8, 8))
    with pytest.raises(InvalidDatasetError, match=r"valid have .*\(3, 8, 8\).*'image_size': 32"):
        load_images(pets)
    assert load_images({"folder": pets, "image_size": 5}).image_shape == (3, 5, 5)


def test_images_of_mixed_sizes_are_brought_to_one_on_request(pets: Path) -> None:
    write(pets, "train", "dog", 4, size=(9, 30))
    write(pets, "test", "dog", 4, size=(50, 20), channels=())
    with pytest.raises(
        InvalidDatasetError, match=r"differ in size: .*--dataset '\{\"folder\""
    ) as told:
        load_images(pets)
    asked = json.loads(str(told.value).split("--dataset '")[1].split("'")[0])
    assert asked == {"folder": str(pets), "image_size": 32}
    data = load_images(asked)
    assert data.image_shape == (3, 32, 32)
    assert set(data.train_images.flatten().tolist()) == {43, 45}
    assert load_held_out_images(json.dumps(asked)).images.shape == (4, 3, 32, 32)
    eight = {**asked, "image_size": 8}
    assert image_digest(eight) != image_digest(asked)
    assert load_images(eight).image_shape == (3, 8, 8)  # not what the cache holds of the other
    env: Any = gym.make("NAS-CIFAR10-v0", dataset=asked).unwrapped
    assert env.settings.recorded_dataset == asked
    assert env.settings.make_task().key()[0] == image_digest(asked)
    json.dumps(gym.make("NAS-CIFAR10-v0", dataset=asked).spec.to_json())  # type: ignore[union-attr]


def test_the_middle_square_of_an_image_is_what_remains(tmp_path: Path) -> None:
    picture = np.zeros((10, 30, 3), np.uint8)
    picture[:, 7:23] = 250  # the middle half
    for name in ("a", "b"):
        (tmp_path / "train" / name).mkdir(parents=True)
        for number in range(5):
            Image.fromarray(picture).save(tmp_path / "train" / name / f"{number}.png")
    data = load_images({"folder": tmp_path, "image_size": 4})
    assert int(data.train_images.min()) == 250


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"image_size": 0}, "image_size must be a whole number of at least 1"),
        ({"image_size": 10**6}, "image_size must be"),
        ({"imagesize": 8}, "no 'imagesize'. Did you mean 'image_size'"),
    ],
)
def test_settings_that_cannot_be_are_told(pets: Path, given: dict[str, Any], words: str) -> None:
    with pytest.raises((ConfigurationError, InvalidDatasetError), match=words):
        find_dataset({"folder": str(pets), **given})


def test_a_command_line_names_folder_and_size_as_json(
    pets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pets.parent)
    text = _from_any_folder('{"folder": "pets", "image_size": 8}')
    assert json.loads(text) == {"folder": str(pets), "image_size": 8}
    assert _from_any_folder("pets") == str(pets) and _from_any_folder("digits") == "digits"
    assert find_dataset(text).env == "NAS-CIFAR10-v0"
    with pytest.raises(DatasetNotFoundError, match="neither a data set nor JSON"):
        nas_env.evaluate(nas_env.published.FIGURE_7, '{"folder": pets}')
