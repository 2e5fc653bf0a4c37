"""The cache of decoded folders: bounded, and never stale."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from nas_env.data import image_cache, image_folder
from nas_env.data.image_cache import read_digest, read_images, write_images
from nas_env.data.image_files import DECODING

IMAGES = (np.arange(3000) % 256).astype(np.uint8).reshape(3, 1, 10, 100)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NAS_ENV_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "images"


def names(cache: Path) -> set[str]:
    return {path.stem for path in cache.iterdir()}


def test_what_was_written_is_read(cache: Path) -> None:
    write_images("a", IMAGES, "digest of a")
    found = read_images("a", 3)
    assert found is not None and np.array_equal(found, IMAGES)
    assert read_digest("a") == "digest of a"
    assert read_images("a", 4) is None and read_images("b", 3) is None


def test_the_longest_unused_entries_make_room(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for age, name in enumerate(("new", "middle", "old")):
        write_images(name, IMAGES, name)
        os.utime(cache / f"{name}.npz", (time.time() - 100 * (age + 1),) * 2)
    size = (cache / "new.npz").stat().st_size
    assert read_images("old", 3) is not None  # used now, so it is not the oldest any more
    monkeypatch.setattr(image_cache, "MOST_BYTES", int(3.5 * size))
    write_images("newest", IMAGES, "newest")
    assert names(cache) == {"newest", "old", "new"}
    monkeypatch.setattr(image_cache, "MOST_BYTES", 10)
    write_images("too large", IMAGES, "kept all the same")
    assert names(cache) == {"too large"}


def test_what_a_killed_process_left_unfinished_goes(cache: Path) -> None:
    cache.mkdir(parents=True)
    for name, age in ((".a.npz-1.tmp", 2 * image_cache.ABANDONED_S), (".b.npz-2.tmp", 5)):
        (cache / name).write_bytes(b"half")
        os.utime(cache / name, (time.time() - age,) * 2)
    write_images("a", IMAGES, "a")
    assert {path.name for path in cache.iterdir()} == {"a.npz", ".b.npz-2.tmp"}


def test_an_array_of_an_older_decoding_is_not_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "train" / name).mkdir(parents=True)
        (tmp_path / "train" / name / "0.png").write_bytes(b"any")
    stamp = image_folder.list_image_folder(tmp_path, "train").stamp
    monkeypatch.setattr(image_folder, "DECODING", DECODING + 1)
    assert image_folder.list_image_folder(tmp_path, "train").stamp != stamp
