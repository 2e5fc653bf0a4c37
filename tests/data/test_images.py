"""Image data: splits, sizes, sources, and what users are told about unusable data."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nas_env.data import image_folder
from nas_env.data.held_out_images import load_held_out_images
from nas_env.data.images import ImageSelection, image_digest, load_images, shrink
from nas_env.data.raw_images import balanced_order, random_order
from nas_env.errors import ConfigurationError, DatasetNotFoundError, InvalidDatasetError


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_ENV_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("NAS_ENV_DATA", raising=False)


def write_image(path: Path, seed: int, size: tuple[int, int] = (8, 8), mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (size[1], size[0], 3) if mode == "RGB" else (size[1], size[0])
    pixels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    Image.fromarray(pixels).save(path)


def write_folder(root: Path, per_class: int = 10, mode: str = "RGB") -> Path:
    for part in ("train", "test"):
        for label, name in enumerate(("cat", "dog")):
            for number in range(per_class):
                write_image(root / part / name / f"{number}.png", 100 * label + number, mode=mode)
    return root


def test_split_is_disjoint_complete_and_the_same_for_one_seed() -> None:
    labels = np.repeat(np.arange(10), 50)
    order = balanced_order(labels, seed=3)
    assert sorted(order.tolist()) == list(range(500))
    assert np.array_equal(order, balanced_order(labels, seed=3))
    assert not np.array_equal(order, balanced_order(labels, seed=4))


@pytest.mark.parametrize("prefix", [10, 50, 200])
def test_every_prefix_of_the_split_is_class_balanced(prefix: int) -> None:
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(10), 50))
    counts = np.bincount(labels[balanced_order(labels, seed=1)[:prefix]], minlength=10)
    assert counts.tolist() == [prefix // 10] * 10


def test_rare_classes_reach_the_validation_part_in_proportion() -> None:
    labels = np.array([0] * 900 + [1] * 100)
    counts = np.bincount(labels[balanced_order(labels, seed=0)[:100]])
    assert abs(counts[1] - 10) <= 1


def test_a_random_split_is_drawn_whatever_the_class_and_the_same_for_one_seed() -> None:
    labels = np.repeat(np.arange(10), 50)
    order = random_order(labels, seed=3)
    assert sorted(order.tolist()) == list(range(500))
    assert np.array_equal(order, random_order(labels, seed=3))
    assert not np.array_equal(order, random_order(labels, seed=4))
    assert len(set(np.bincount(labels[order[:200]], minlength=10))) > 1
    data = load_images("digits", None, ImageSelection(split="random"))
    other = load_images("digits", None, ImageSelection(split="balanced"))
    assert len(data.valid_labels) == len(other.valid_labels) == 431
    assert not torch.equal(data.valid_images, other.valid_images)


def test_digits_are_offline_and_keep_their_test_part_apart() -> None:
    data, test = load_images("digits"), load_held_out_images("digits")
    assert data.image_shape == (1, 8, 8)
    assert len(data.train_labels) + len(data.valid_labels) + len(test.labels) == 1797
    assert data.train_images.dtype == torch.uint8 and data.train_images.max() == 255
    seen = {image.numpy().tobytes() for image in (*data.train_images, *data.valid_images)}
    assert sum(image.numpy().tobytes() in seen for image in test.images) == 0
    assert len(data.classes) == 10


def test_selection_takes_a_balanced_prefix_of_the_same_split() -> None:
    whole, part = load_images("digits"), load_images("digits", None, ImageSelection(None, 100, 50))
    assert torch.equal(part.train_images, whole.train_images[:100])
    assert torch.equal(part.valid_labels, whole.valid_labels[:50])


def test_a_split_seed_below_zero_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match=r"split_seed must be .* at least 0, got -1"):
        ImageSelection(split_seed=-1)


def test_images_are_averaged_down_and_never_enlarged() -> None:
    images = torch.tensor([[0, 100], [100, 200]], dtype=torch.uint8).repeat(2, 3)[None, None]
    assert images.shape == (1, 1, 4, 6)
    assert shrink(images, 2).tolist() == [[[[100, 100, 100], [100, 100, 100]]]]
    assert shrink(images, 10) is images


def test_image_folder_is_read_in_full_and_split(tmp_path: Path) -> None:
    data = load_images(str(write_folder(tmp_path / "pets")))
    assert data.classes == ("cat", "dog")
    assert len(data.valid_labels) == 2 and len(data.train_labels) == 18
    assert sorted(data.valid_labels.tolist()) == [0, 1]
    assert data.image_shape == (3, 8, 8)
    expected = np.asarray(Image.open(tmp_path / "pets/train/cat/0.png")).transpose(2, 0, 1)
    every = torch.cat([data.train_images, data.valid_images]).numpy()
    assert any(np.array_equal(image, expected) for image in every)


def test_grey_folder_has_one_channel_and_mixed_folder_three(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "grey", mode="L")
    assert load_images(str(root)).image_shape == (1, 8, 8)
    write_image(root / "train" / "cat" / "colour.png", 1)
    assert load_images(str(root)).image_shape == (3, 8, 8)


def test_second_read_of_a_folder_comes_from_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = str(write_folder(tmp_path / "pets"))
    first = load_images(root)

    def refuse(path: Path) -> None:
        raise AssertionError(f"decoded {path} again")

    monkeypatch.setattr(image_folder, "decode_image", refuse)
    assert torch.equal(load_images(root).train_images, first.train_images)


def test_damaged_cache_is_decoded_again(tmp_path: Path) -> None:
    root = str(write_folder(tmp_path / "pets"))
    first = load_images(root)
    (cached,) = (tmp_path / "cache" / "images").glob("*.npz")
    cached.write_bytes(cached.read_bytes()[:100])
    assert torch.equal(load_images(root).train_images, first.train_images)


def test_unwritable_cache_costs_nothing_but_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("not a folder")
    monkeypatch.setenv("NAS_ENV_CACHE", str(blocker / "cache"))
    assert load_images(str(write_folder(tmp_path / "pets"))).classes == ("cat", "dog")


def test_digest_follows_the_content_not_the_place_or_the_date(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "pets")
    first = image_digest(str(root))
    shutil.copytree(root, tmp_path / "copy")
    assert image_digest(str(tmp_path / "copy")) == first
    write_image(root / "train" / "cat" / "0.png", 999)
    assert image_digest(str(root)) != first
    changed = image_digest(str(root))
    load_images(str(root))  # from now on the digest is in the cache
    assert image_digest(str(root)) == changed


def test_missing_folder_names_the_expected_files_and_an_offline_way(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match=r"train/CLASS/\*\.png.*NAS-Digits-v0") as info:
        load_images(str(tmp_path / "nowhere"))
    assert str(tmp_path / "nowhere") in str(info.value)


@pytest.mark.parametrize("name", ["pydocs", "texts"])
def test_text_given_for_images_says_which_environments_read_text(name: str, tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "my.train.txt").write_text("words")
    with pytest.raises(DatasetNotFoundError, match=rf"{name} is text.*NAS-PyDocs-v0"):
        image_digest(name if name == "pydocs" else str(tmp_path / name))


def test_folder_of_one_class_is_refused(tmp_path: Path) -> None:
    write_image(tmp_path / "train" / "cat" / "0.png", 0)
    with pytest.raises(InvalidDatasetError, match=r"1 class folder.*at least two"):
        image_digest(str(tmp_path))


def test_empty_class_is_named(tmp_path: Path) -> None:
    root = write_folder(tmp_path)
    (root / "train" / "emu").mkdir()
    with pytest.raises(InvalidDatasetError, match="no images in emu"):
        load_images(str(root))


def test_images_of_different_sizes_are_named(tmp_path: Path) -> None:
    root = write_folder(tmp_path)
    write_image(root / "train" / "dog" / "wide.png", 0, size=(12, 8))
    with pytest.raises(InvalidDatasetError, match=r"wide\.png is 12x8.*is 8x8"):
        load_images(str(root))


@pytest.mark.parametrize("content", [b"", b"not an image", None])
def test_unreadable_image_is_named(tmp_path: Path, content: bytes | None) -> None:
    root = write_folder(tmp_path)
    bad = root / "train" / "dog" / "3.png"
    bad.write_bytes(bad.read_bytes()[:60] if content is None else content)
    with pytest.raises(InvalidDatasetError, match=r"dog/3\.png is not a readable image"):
        load_images(str(root))


def test_folder_without_test_part_says_so(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "pets")
    assert len(load_held_out_images(str(root)).labels) == 20
    shutil.rmtree(root / "test")
    with pytest.raises(DatasetNotFoundError, match="test/CLASS"):
        load_held_out_images(str(root))
