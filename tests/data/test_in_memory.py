"""Images in memory: arrays, tensors and torch data sets, wherever a data set can be named."""

import copy
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import DataLoader, Subset, TensorDataset

import agents
import nas_env
from nas_env.data.datasets import ImageDataset, dataset_of
from nas_env.data.held_out_images import load_held_out_images
from nas_env.data.images import image_digest, load_images
from nas_env.data.raw_images import content_digest
from nas_env.errors import (
    ConfigurationError,
    DatasetNotFoundError,
    InvalidDatasetError,
    RunFolderError,
)
from nas_env.space.conv_architecture import ConvArchitecture, Convolution

SMALL = ConvArchitecture((Convolution(1, 1, 4),))
RECIPE = {
    "name": "quick",
    "epochs": 1,
    "reward_epochs": 1,
    "batch_size": 8,
    "resolution": None,
    "train_images": None,
    "valid_images": None,
    "numerics": "float32",
}
SEARCH: dict[str, Any] = {"num_layers": 1, "filters": (4, 8), "filter_sizes": (1,), "device": "cpu"}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_ENV_CACHE", str(tmp_path / "cache"))


def squares(count: int = 60, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """(n, 6, 6) grey images with a bright square or none, and their labels."""
    labels = np.arange(count) % 2
    images = np.random.default_rng(seed).integers(0, 60, (count, 6, 6)).astype(np.uint8)
    images[labels == 1, 2:4, 2:4] += 180
    return images, labels


class Pictures(torch.utils.data.Dataset[Any]):
    """Like those of torchvision: PIL images, whole numbers, and the names of the classes."""

    def __init__(self, transform: Callable[[Any], Any] = lambda image: image) -> None:
        self.images, self.labels = squares()
        self.classes, self.transform = ["dark", "bright"], transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, number: int) -> tuple[Any, int]:
        return self.transform(Image.fromarray(self.images[number])), int(self.labels[number])


FORMS: dict[str, Callable[[], Any]] = {
    "grey": squares,
    "channels last": lambda: (squares()[0][..., None], squares()[1]),
    "channels first": lambda: (squares()[0][:, None], squares()[1]),
    "tensors": lambda: tuple(map(torch.from_numpy, squares())),
    "fractions": lambda: (squares()[0].astype(np.float64) / 255, squares()[1].tolist()),
    "whole floats": lambda: (torch.from_numpy(squares()[0]).float(), squares()[1]),
    "a list of pictures": lambda: ([*map(Image.fromarray, squares()[0])], squares()[1]),
    "raw": lambda: nas_env.RawImages(squares()[0][:, None], squares()[1], ("0", "1")),
    "tensor data set": lambda: TensorDataset(*map(torch.from_numpy, squares())),
    "subset": lambda: Subset(TensorDataset(*map(torch.from_numpy, squares())), range(60)),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_images_are_one_data_set_in_whatever_form(form: str) -> None:
    data, expected = load_images(FORMS[form]()), squares()[0][:, None]
    assert data.classes == ("0", "1")
    assert (len(data.train_labels), len(data.valid_labels)) == (54, 6)
    seen = torch.cat([data.train_images, data.valid_images]).numpy()
    assert sorted(map(bytes, seen)) == sorted(map(bytes, expected))
    assert image_digest(FORMS[form]()) == image_digest(squares())


def test_a_data_set_of_torchvision_keeps_its_class_names() -> None:
    torchvision = pytest.importorskip("torchvision")
    for given in (
        Pictures(),
        Pictures(torchvision.transforms.ToTensor()),
        Subset(Pictures(), [*range(40)]),
    ):
        data = load_images(given)
        assert data.classes == ("dark", "bright") and data.image_shape == (1, 6, 6)
    assert image_digest(Pictures()) == image_digest(Pictures(torchvision.transforms.ToTensor()))


def test_labels_may_be_texts_or_any_numbers() -> None:
    images, labels = squares()
    texts = load_images((images, np.array(["square", "none"])[labels]))
    assert texts.classes == ("none", "square")
    numbers = load_images((images, labels * 7 - 3))
    assert numbers.classes == ("-3", "4")
    assert torch.equal(numbers.train_labels, load_images((images, labels)).train_labels)


@pytest.mark.parametrize(
    "change",
    [
        lambda images, labels: (
            images ^ (np.arange(60) == 7).astype(np.uint8)[:, None, None],
            labels,
        ),
        lambda images, labels: (images, 1 - labels),
        lambda images, labels: {"train": (images, labels), "classes": ["a", "b"]},
        lambda images, labels: {"train": (images, labels), "valid": (images[:10], labels[:10])},
        lambda images, labels: {"train": (images, labels), "image_size": 5},
    ],
)
def test_a_change_of_pixels_labels_names_or_parts_is_another_data_set(change: Any) -> None:
    assert image_digest(change(*squares())) != image_digest(squares())


def test_a_validation_part_of_its_own_is_measured_on_and_all_else_trained_on() -> None:
    valid = squares(20, seed=1)
    data = load_images({"train": squares(), "valid": valid, "test": squares(8, seed=2)})
    assert (len(data.train_labels), len(data.valid_labels)) == (60, 20)
    assert sorted(map(bytes, data.valid_images.numpy())) == sorted(map(bytes, valid[0][:, None]))
    images, labels = squares()
    names = np.array(["a", "b", "c"])
    part = {"train": (images, names[labels]), "valid": (images, names[1 + labels])}
    with pytest.raises(
        InvalidDatasetError, match=r"labels 'c' are none of the 2 classes: 'a', 'b'"
    ):
        load_images(part)
    with pytest.raises(InvalidDatasetError, match=r"Images of valid have .*\(1, 5, 6\)"):
        load_images({"train": squares(), "valid": (images[:, 1:], labels)})
    shifted = load_images(
        {"train": (images, labels + 1), "valid": (images[1::2], labels[1::2] + 1)}
    )
    assert shifted.classes == ("1", "2") and set(shifted.valid_labels.tolist()) == {1}


def test_mixed_sizes_are_brought_to_one_on_request() -> None:
    images = [np.full((8 + n % 3, 12, 3), 10 * n, np.uint8) for n in range(20)]
    with pytest.raises(InvalidDatasetError, match=r"differ in size: 12x8, 12x9, 12x10.*image_size"):
        load_images((images, [0, 1] * 10))
    data = load_images({"train": (images, [0, 1] * 10), "image_size": 4})
    assert data.image_shape == (3, 4, 4)
    assert set(data.train_images[:, 0, 0, 0].tolist()) <= {10 * n for n in range(20)}


REFUSED: list[tuple[Any, str]] = [
    ((np.zeros((4, 3, 3, 3)), [0, 1, 0, 1]), "either the first or the last.*RawImages"),
    ((np.zeros((4, 8, 8, 5)), [0, 1, 0, 1]), "neither the first nor the last.*RawImages"),
    ((np.zeros((4, 64)), [0, 1, 0, 1]), r"Images are of shape \(4, 64\)"),
    ((np.full((4, 8, 8), -1.5), [0, 1, 0, 1]), "values from -1.5 to -1.5.*before they were normal"),
    ((np.full((4, 8, 8), np.nan), [0, 1, 0, 1]), "values from nan"),
    ((np.full((4, 8, 8), 300), [0, 1, 0, 1]), "values from 300 to 300"),
    ((np.zeros((4, 8, 8), complex), [0, 1, 0, 1]), "of type complex128"),
    ((np.zeros((4, 8, 8)), [0, 1, 0]), "4 images have 3 labels"),
    ((np.zeros((4, 8, 8)), np.eye(4)), "of one-hot rows take the argmax"),
    ((np.zeros((4, 8, 8)), [0.5, 1, 0, 1]), "Labels are float64"),
    ((np.zeros((4, 8, 8)), [1, 1, 1, 1]), "are of one class"),
    ((np.zeros((0, 8, 8)), []), r"Images are of shape \(0, 8, 8, 1\)"),
    (([], []), "there are none"),
    ((np.zeros((4, 8, 8)),), "Data in memory have 1 parts"),
    (np.zeros((4, 2, 2)), r"(?s)Item 0 of ndarray is .*expected a pair"),
    (7, "int cannot be read item by item"),
    (DataLoader(TensorDataset(torch.zeros(4, 8, 8), torch.arange(4))), "not a loader"),
    ({"train": squares(), "vaild": squares()}, "no 'vaild'. Did you mean 'valid'?"),
    ({"valid": squares()}, "needs 'train' or 'folder'"),
    ({"train": squares(), "classes": "ab"}, "classes must be a list of different texts"),
    ({"train": squares(), "classes": ["a", "a"]}, "classes must be a list of different texts"),
    ({"train": squares(), "classes": ["a"]}, r"labels 1 are none of the 1 classes"),
]


@pytest.mark.parametrize(("given", "words"), REFUSED)
def test_what_cannot_be_used_is_told_in_words(given: Any, words: str) -> None:
    with pytest.raises(InvalidDatasetError, match=words):
        load_images(given)


def test_random_transforms_are_refused() -> None:
    noise = np.random.default_rng(0)
    given = Pictures(lambda image: np.asarray(image) // 2 + noise.integers(0, 99, (6, 6)))
    with pytest.raises(InvalidDatasetError, match="leave out its random transforms"):
        load_images(given)


def test_images_are_no_text() -> None:
    with pytest.raises(DatasetNotFoundError, match="is images, not text"):
        nas_env.evaluate(nas_env.published.NAS_CELL, squares())


def test_a_search_trains_on_arrays_and_records_what_they_were(tmp_path: Path) -> None:
    images = squares()
    expected = nas_env.evaluate(SMALL, images, RECIPE, device="cpu")
    assert expected.state == "complete"
    env = gym.make("NAS-Digits-v0", dataset=images, recipe=RECIPE, **SEARCH)
    env.reset(seed=0)
    over, info = False, dict[str, Any]()
    while not over:
        _, _, over, _, info = env.step(0)
    assert info["metric"] == expected.metric  # 1x1, 4 filters
    with pytest.raises(TypeError, match="ndarray is not JSON"):
        env.spec.to_json()  # type: ignore[union-attr]

    def search(given: Any, children: int, resume: bool) -> agents.SearchResult:
        return agents.run_search(
            lambda: gym.make_vec(
                "NAS-Digits-v0", 2, dataset=given, recipe=RECIPE, evaluator="local", **SEARCH
            ),
            "random", children, 2, run_dir=tmp_path / "run", resume=resume,
        )  # fmt: skip

    search(images, 2, resume=False)
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["environment"]["dataset"] == {
        "digest": image_digest(images), "images": [60, 1, 6, 6], "classes": ["0", "1"],
    }  # fmt: skip
    assert len(search(images, 4, resume=True).episodes) == 4
    with pytest.raises(RunFolderError, match=r"environment\.dataset\.digest: 'images-.* now"):
        search(squares(seed=1), 6, resume=True)


def test_run_search_takes_them_with_an_id(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="dataset goes with the id"):
        agents.run_search(gym.make("NAS-Digits-v0"), children=1, dataset=squares())
    run = tmp_path / "run"
    recorded = {"digest": "images-0", "images": [60, 1, 6, 6], "classes": ["0", "1"]}
    with pytest.raises(DatasetNotFoundError, match="give them again, as dataset="):
        load_images(recorded)
    assert not run.exists()


def test_workers_get_the_images_once_as_a_file(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (400, 3, 32, 32)).astype(np.uint8)
    row = dataset_of(ImageDataset, {"train": (images, np.arange(400) % 4), "test": squares_like()})
    travelled = pickle.dumps(row)
    assert len(travelled) < 10_000 < images.nbytes
    assert len([*(tmp_path / "cache" / "images").glob("*.npz")]) == 1
    there = pickle.loads(travelled)
    assert there == pickle.loads(pickle.dumps(row))
    assert np.array_equal(there.train(tmp_path).images, images)
    assert copy.deepcopy(row).train is row.train
    assert len(load_held_out_images(row).labels) == 8
    with pytest.raises(DatasetNotFoundError, match="stay in the process that was given them"):
        load_held_out_images(there)
    kept = next((tmp_path / "cache" / "images").glob("*.npz"))
    with np.load(kept) as archive:
        digest, other = archive["digest"], archive["images"].copy()
    other[3, 0, 0, 0] ^= 1
    np.savez(kept, images=other, digest=digest)
    with pytest.raises(InvalidDatasetError, match="gone or damaged"):
        pickle.loads(travelled)


def squares_like() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    return np.zeros((8, 3, 32, 32), np.uint8), np.arange(8) % 4


def test_what_the_user_does_with_the_arrays_later_changes_nothing(tmp_path: Path) -> None:
    images, labels = squares()
    images, classes = images[:, None], ("dark", "bright")
    before = image_digest((images, labels))
    for given in ((images, labels), nas_env.RawImages(images, labels, classes)):
        row = dataset_of(ImageDataset, given)
        kept = row.train(tmp_path).images.copy(), row.train(tmp_path).labels.copy()
        images ^= 255
        labels[:] = 1 - labels
        assert np.array_equal(row.train(tmp_path).images, kept[0])
        assert np.array_equal(row.train(tmp_path).labels, kept[1])
        assert image_digest(row) == content_digest(
            nas_env.RawImages(*kept, row.train(tmp_path).classes)
        )
    assert image_digest((images, labels)) == before  # turned twice


def test_a_cache_that_cannot_be_written_costs_time_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NAS_ENV_CACHE", str(tmp_path / "file"))
    there = pickle.loads(pickle.dumps(dataset_of(ImageDataset, squares())))
    assert image_digest(there) == image_digest(squares())
    assert load_images(there).image_shape == (1, 6, 6)


@pytest.mark.slow
def test_worker_processes_measure_what_this_process_does() -> None:
    given = {"train": squares(), "valid": squares(20, seed=1)}
    here = nas_env.evaluate(SMALL, given, RECIPE, device="cpu")
    there = nas_env.evaluate(SMALL, given, RECIPE, device="cpu", evaluator="process", workers=1)
    assert there.state == "complete" and there.metric == here.metric
