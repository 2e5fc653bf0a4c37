"""CIFAR-10 files: found, fetched whole or not at all, checked, and never half there."""

import hashlib
import pickle
import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torchvision.datasets import CIFAR10

from nas_env.data import cifar10
from nas_env.data.held_out_images import load_held_out_images
from nas_env.data.images import image_digest, load_images
from nas_env.errors import DatasetNotFoundError, InvalidDatasetError


@pytest.fixture
def small_cifar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """CIFAR-10's files with 20 images each, and torchvision's checksums changed to theirs."""
    root = tmp_path / "data"
    folder = root / cifar10.FOLDER
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    names = [name for name, _ in (*CIFAR10.train_list, *CIFAR10.test_list)]
    for name in names:
        pixels = rng.integers(0, 256, (20, 3072), np.uint8)
        entry = {"data": pixels, "labels": (np.arange(20) % 10).tolist()}
        (folder / name).write_bytes(pickle.dumps(entry))
    meta = {"label_names": [f"class{i}" for i in range(10)]}
    (folder / "batches.meta").write_bytes(pickle.dumps(meta))
    sums = {path.name: md5(path) for path in folder.iterdir()}
    monkeypatch.setattr(CIFAR10, "train_list", [[n, sums[n]] for n in names[:5]])
    monkeypatch.setattr(CIFAR10, "test_list", [[n, sums[n]] for n in names[5:]])
    monkeypatch.setattr(CIFAR10, "meta", CIFAR10.meta | {"md5": sums["batches.meta"]})
    return root


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def pack(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Replace the folder by its archive."""
    archive = root / cifar10.ARCHIVE
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(root / cifar10.FOLDER, arcname=cifar10.FOLDER)
    shutil.rmtree(root / cifar10.FOLDER)
    monkeypatch.setattr(CIFAR10, "tgz_md5", md5(archive))
    return archive


def without_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CIFAR10, "url", "http://127.0.0.1:9/cifar-10-python.tar.gz")


def test_files_on_disk_are_split_nine_to_one(small_cifar: Path) -> None:
    data = load_images("cifar10", small_cifar)
    assert data.train_images.shape == (90, 3, 32, 32)
    assert data.valid_labels.bincount().tolist() == [1] * 10
    assert data.classes[3] == "class3"
    assert len(load_held_out_images("cifar10", small_cifar).labels) == 20


def test_the_folder_itself_may_be_named(small_cifar: Path) -> None:
    assert len(load_images("cifar10", small_cifar / cifar10.FOLDER).train_labels) == 90


def test_archive_on_disk_is_unpacked(small_cifar: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack(small_cifar, monkeypatch)
    without_network(monkeypatch)
    assert len(load_images("cifar10", small_cifar).train_labels) == 90
    assert not list(small_cifar.glob(".cifar10-*"))


def test_truncated_archive_is_refused_and_nothing_is_unpacked(
    small_cifar: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = pack(small_cifar, monkeypatch)
    archive.write_bytes(archive.read_bytes()[:-10])
    with pytest.raises(InvalidDatasetError, match="truncated or altered"):
        load_images("cifar10", small_cifar)
    assert [path.name for path in small_cifar.iterdir()] == [cifar10.ARCHIVE]


def test_truncated_file_is_named(small_cifar: Path) -> None:
    damaged = small_cifar / cifar10.FOLDER / "data_batch_3"
    damaged.write_bytes(damaged.read_bytes()[:1000])
    with pytest.raises(
        InvalidDatasetError, match=r"is damaged: data_batch_3 missing.*Digits"
    ) as info:
        image_digest("cifar10", small_cifar)
    assert f"Delete the folder {damaged.parent} and start again" in str(info.value)
    assert "downloaded again" in str(info.value)


def test_a_download_says_which_folder_it_fills(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A mistyped NAS_ENV_DATA must not be made without a word."""
    monkeypatch.setattr(cifar10, "_reach_server", lambda: None)

    def no_space(*_: Any) -> None:
        raise OSError("no space")

    monkeypatch.setattr(cifar10, "_extract_or_download", no_space)
    monkeypatch.setenv("NAS_ENV_DATA", str(tmp_path / "dtaa"))
    with pytest.raises(DatasetNotFoundError, match="no space"):
        load_images("cifar10")
    assert f"into {tmp_path / 'dtaa'}, a folder that is made now" in caplog.text


def test_failed_download_is_at_once_clear_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_network(monkeypatch)
    sleeps: list[float] = []
    monkeypatch.setattr("time.sleep", sleeps.append)
    with pytest.raises(DatasetNotFoundError, match=r"cifar-10-batches-py.*NAS-Digits-v0") as info:
        load_images("cifar10", tmp_path / "data")
    assert not sleeps, "a server that refuses is not asked again"
    assert str(tmp_path / "data") in str(info.value)
    assert not list(tmp_path.iterdir()), "a folder that was mistyped must not be made"
