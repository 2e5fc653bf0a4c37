"""The table of data sets: rows of the package, and a data set that a user registers."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import agents
import nas_env
from nas_env.data import datasets
from nas_env.data.held_out_images import load_held_out_images
from nas_env.data.held_out_text import load_held_out_text
from nas_env.data.images import image_digest, load_images
from nas_env.data.text import load_text
from nas_env.errors import ConfigurationError, DatasetNotFoundError, InvalidDatasetError
from nas_env.space.conv_architecture import ConvArchitecture, Convolution

SMALL = ConvArchitecture((Convolution(1, 1, 4),))
SEARCH: dict[str, Any] = {"num_layers": 1, "filters": (4, 8), "filter_sizes": (1,), "device": "cpu"}
CELLS: dict[str, Any] = {"base_number": 2, "activations": ("tanh", "sigmoid"), "device": "cpu"}
CHILDREN: dict[str, Any] = {"children": 2, "children_per_update": 2, "seed": 0, "progress": False}


@pytest.fixture(autouse=True)
def own_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "_registered", {})


@pytest.fixture
def squares() -> nas_env.ImageDataset:
    """Bright squares and dark ones, told apart at once; its readers are known to nobody else."""

    def read(seed: int, count: int) -> nas_env.RawImages:
        labels = np.arange(count) % 2
        noise = np.random.default_rng(seed).integers(0, 60, (count, 1, 6, 6))
        noise[labels == 1, :, 2:4, 2:4] += 180
        return nas_env.RawImages(noise.astype(np.uint8), labels, ("dark", "bright"))

    row = nas_env.ImageDataset(
        name="squares",
        train=lambda data_dir: read(1, 200),
        held_out=lambda data_dir: read(2, 20),
        digest=lambda data_dir: "squares-1",
        env="NAS-Digits-v0",
        shape=(1, 6, 6),
        classes=2,
        validation_share=0.25,
        recipes={
            "quick": {
                "epochs": 3,
                "batch_size": 10,
                "train_images": None,
                "resolution": None,
                "numerics": "float32",
            }
        },
    )
    nas_env.register_dataset(row)
    return row


@pytest.fixture
def rhymes() -> nas_env.TextDataset:
    """Two words in turn."""
    row = nas_env.TextDataset(
        name="rhymes",
        train=lambda data_dir: "ding dong ding dong\n" * 100,
        valid=lambda data_dir: "ding dong\n" * 40,
        env="NAS-PyDocs-v0",
        recipes={
            "quick": {
                "hidden_size": 8,
                "batch_size": 4,
                "evaluation_batch": 4,
                "bptt_steps": 10,
                "vocabulary_size": None,
                "numerics": "float32",
            }
        },
    )
    nas_env.register_dataset(row)
    return row


def play(env: gym.Env[Any, Any]) -> dict[str, Any]:
    env.reset(seed=0)
    over, info = False, dict[str, Any]()
    while not over:
        _, _, over, _, info = env.step(0)
    env.close()
    return info


def test_shipped_rows_say_of_themselves_what_their_readers_give() -> None:
    assert datasets.dataset_names() == list(datasets.SHIPPED)
    row = datasets.dataset_of(datasets.ImageDataset, "digits")
    data = load_images(row)
    assert (data.image_shape, len(data.classes)) == (row.shape, row.classes)
    total = len(data.train_labels) + len(data.valid_labels)
    assert len(data.valid_labels) == round(total * row.validation_share)


@pytest.mark.parametrize("name", datasets.SHIPPED)
def test_every_row_names_an_environment_that_reads_it(name: str) -> None:
    row = datasets.find_dataset(name)
    env: Any = gym.make(row.env).unwrapped
    assert env.settings.dataset == name and isinstance(row, env.settings.kind.data)


def test_images_from_outside_are_trained_on_like_our_own(squares: nas_env.ImageDataset) -> None:
    data = load_images("squares")
    assert (len(data.train_labels), len(data.valid_labels)) == (150, 50)
    assert len(load_held_out_images("squares").labels) == 20
    evaluation = nas_env.evaluate(SMALL, "squares", device="cpu")
    assert evaluation.state == "complete" and len(evaluation.curve) == 1
    info = play(gym.make("NAS-Digits-v0", dataset="squares", **SEARCH))
    assert info["state"] == "complete" and info["metric"] > 0.3
    assert (
        info["parameters"]
        == nas_env.evaluate(
            nas_env.architecture_from_json(__import__("json").loads(info["architecture"])), squares
        ).parameters
    )


def test_text_from_outside_is_trained_on_like_our_own(rhymes: nas_env.TextDataset) -> None:
    assert sorted(load_text("rhymes").vocabulary.symbols) == ["<eos>", "<unk>", "ding", "dong"]
    evaluation = nas_env.evaluate(nas_env.published.NAS_CELL, "rhymes", device="cpu")
    assert evaluation.metric is not None and evaluation.metric < 4
    info = play(gym.make("NAS-PyDocs-v0", dataset="rhymes", **CELLS))
    assert info["state"] == "complete" and info["perplexity"] > 1
    with pytest.raises(DatasetNotFoundError, match="rhymes has no test text"):
        load_held_out_text("rhymes", load_text("rhymes").vocabulary)


@pytest.mark.parametrize("evaluator", ["local", pytest.param("process", marks=pytest.mark.slow)])
def test_searches_train_on_data_sets_from_outside(
    evaluator: str, squares: nas_env.ImageDataset, rhymes: nas_env.TextDataset
) -> None:
    images = {"dataset": "squares", "evaluator": evaluator, **SEARCH}
    text = {"dataset": "rhymes", "evaluator": evaluator, **CELLS}
    for env_id, arguments in (("NAS-Digits-v0", images), ("NAS-PyDocs-v0", text)):
        found = agents.run_search(
            lambda env_id=env_id, arguments=arguments: gym.make_vec(  # type: ignore[misc]
                env_id, num_envs=2, **{"workers": 1, **arguments}
            ),
            "random",
            **CHILDREN,
        )
        assert [episode.state for episode in found.episodes] == ["complete"] * 2


def test_the_identity_of_data_without_a_digest_follows_what_is_read() -> None:
    def row(value: int) -> nas_env.ImageDataset:
        images = np.full((4, 1, 2, 2), value, np.uint8)
        raw = nas_env.RawImages(images, np.arange(4) % 2, ("a", "b"))
        return nas_env.ImageDataset(name="plain", train=lambda data_dir: raw)

    assert image_digest(row(1)) == image_digest(row(1)) != image_digest(row(2))


def test_a_name_that_is_taken_is_refused(squares: nas_env.ImageDataset) -> None:
    nas_env.register_dataset(squares)  # the same again: a module that is imported twice
    for row in (replace(squares, classes=3), replace(squares, name="digits")):
        with pytest.raises(ConfigurationError, match=r"named '.*' already.*'digits'.*'squares'"):
            nas_env.register_dataset(row)
    with pytest.raises(ConfigurationError, match="takes an ImageDataset or a TextDataset"):
        nas_env.register_dataset("squares")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": ""}, "name must be text that is not empty"),
        ({"train": "folder"}, "train must be a function"),
        ({"held_out": 3}, "held_out must be a function"),
        ({"classes": 1}, "classes must be a whole number of at least 2"),
        ({"validation_share": 1.0}, "validation_share must be"),
    ],
)
def test_a_row_that_cannot_be_is_refused(
    squares: nas_env.ImageDataset, wrong: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        replace(squares, **wrong)


def test_recipes_of_a_row_may_change_only_what_there_is(squares: nas_env.ImageDataset) -> None:
    for recipes, message in (({"slow": {}}, "'slow'"), ({"quick": {"epoch": 1}}, "epoch")):
        with pytest.raises(ConfigurationError, match=message):
            nas_env.evaluate(SMALL, replace(squares, recipes=recipes))


def test_what_a_reader_gives_is_checked(squares: nas_env.ImageDataset) -> None:
    images, labels = np.zeros((4, 1, 6, 6), np.uint8), np.zeros(4, np.int64)
    for wrong in (
        (images[0], labels),
        (images / 2, labels),
        (images, labels[:3]),
        (images, labels + 2),
    ):
        with pytest.raises(InvalidDatasetError, match=r"\(n, channels, height, width\) uint8"):
            nas_env.RawImages(wrong[0], wrong[1], ("a", "b"))  # type: ignore[arg-type]
    with pytest.raises(InvalidDatasetError, match="gave ndarray; it must return"):
        load_images(replace(squares, train=lambda data_dir: images))  # type: ignore[arg-type,return-value]
    with pytest.raises(InvalidDatasetError, match=r"\(1, 6, 6\) and 2 classes; its row says"):
        load_images(replace(squares, shape=(3, 6, 6)))
    text = nas_env.TextDataset(name="t", train=lambda d: b"a", valid=lambda d: "b")  # type: ignore[arg-type,return-value]
    with pytest.raises(InvalidDatasetError, match="gave bytes; it must return text"):
        load_text(text)


def test_data_of_the_wrong_kind_are_told_from_the_table(
    squares: nas_env.ImageDataset, rhymes: nas_env.TextDataset
) -> None:
    with pytest.raises(DatasetNotFoundError, match=r"squares is images, not text.*NAS-CIFAR10-v0"):
        nas_env.evaluate(nas_env.published.NAS_CELL, "squares")
    with pytest.raises(DatasetNotFoundError, match=r"rhymes is text, not images.*NAS-PTB-v0"):
        nas_env.evaluate(SMALL, "rhymes")


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "pets" / "train" / "cat").mkdir(parents=True)
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "my.train.txt").write_text("dear all")
    yield tmp_path


def test_a_folder_is_a_row_of_what_is_in_it(folders: Path) -> None:
    assert isinstance(datasets.find_dataset(folders / "pets"), nas_env.ImageDataset)
    assert isinstance(datasets.find_dataset(str(folders / "letters")), nas_env.TextDataset)
    for name in (str(folders), "no-such"):
        with pytest.raises(DatasetNotFoundError, match=r"is no data set.*cifar10.*image folder"):
            datasets.find_dataset(name)
