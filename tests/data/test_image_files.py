"""Image files of strangers: what is read, how, and that nothing they hold is run."""

import hashlib
import os
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray
from PIL import EpsImagePlugin, Image

from nas_env.data import image_folder
from nas_env.data.image_files import (
    FORMATS,
    REFUSED_SUFFIXES,
    UNDER_THEIR_NAME,
    decode_image,
)
from nas_env.data.images import image_digest, load_images
from nas_env.errors import InvalidDatasetError
from tests.faults.hostile import special

EPS = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 8 8
%%EndComments
(mark) (w) file closefile
showpage
%%EOF
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_ENV_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of two grey images."""
    root = tmp_path / "pets"
    for number, name in enumerate(("cat", "dog")):
        (root / "train" / name).mkdir(parents=True)
        for file in range(2):
            pixels = np.random.default_rng(2 * number + file).integers(0, 256, (8, 8), np.uint8)
            Image.fromarray(pixels).save(root / "train" / name / f"{file}.png")
    return root


def ramp(kind: type[np.generic] = np.uint16) -> NDArray[np.generic]:
    return (np.arange(64).reshape(8, 8) * 1040).astype(kind)


def test_an_image_that_is_a_program_is_refused_and_nothing_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools, mark = folder / "bin", folder / "ran"
    tools.mkdir()
    (tools / "gs").write_text(f"#!/bin/sh\ntouch {mark}\necho 10.0\n")
    (tools / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", str(tools), prepend=os.pathsep)
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)
    (folder / "train" / "cat" / "0.png").write_bytes(EPS)
    with pytest.raises(InvalidDatasetError, match=r"0\.png is not a readable image.*no format"):
        load_images(str(folder))
    assert not mark.exists()
    with Image.open(folder / "train" / "cat" / "0.png") as image, pytest.raises(OSError):
        image.load()
    assert mark.exists(), "the file is harmless, so this test shows nothing"


@pytest.mark.parametrize("suffix", REFUSED_SUFFIXES)
def test_a_format_that_is_not_read_is_refused_in_words(folder: Path, suffix: str) -> None:
    (folder / "train" / "cat" / f"2{suffix}").write_bytes(EPS)
    with pytest.raises(InvalidDatasetError, match=re.escape(REFUSED_SUFFIXES[suffix])):
        image_digest(str(folder))


@pytest.mark.parametrize("suffix", ["bmp", "gif", "tif", "TIFF", "webp", "pgm", "jpg", "ppm"])
def test_every_safe_format_is_read(folder: Path, suffix: str) -> None:
    pixels = np.full((8, 8, 3), 90, np.uint8)
    Image.fromarray(pixels).save(folder / "train" / "cat" / f"2.{suffix}")
    found = decode_image(folder / "train" / "cat" / f"2.{suffix}")
    assert found.shape[:2] == (8, 8) and abs(int(found.mean()) - 90) <= 1
    data = load_images(str(folder))
    assert len(data.train_labels) + len(data.valid_labels) == 5


@pytest.mark.parametrize("suffix", [".jp2", ".sgi", ".dib", ".pcx", ".tga", ".dds", ".jfif"])
def test_rarer_formats_are_read_under_their_own_name_alone(folder: Path, suffix: str) -> None:
    """Garbage that is named .png must not pass for a format without a mark, such as TGA."""
    written, path = UNDER_THEIR_NAME[suffix], folder / "train" / "cat" / f"2{suffix}"
    Image.new("RGB", (8, 8), (90, 91, 92)).save(path, written)
    found = decode_image(path)
    assert found.shape == (8, 8, 3) and np.abs(found.astype(int) - (90, 91, 92)).max() <= 2
    assert load_images(str(folder)).image_shape == (3, 8, 8)
    if written not in FORMATS and suffix != ".dib":
        with pytest.raises(InvalidDatasetError, match="its content is of no format that is read"):
            decode_image(path.rename(path.with_suffix(".png")))


def test_of_an_icon_the_largest_picture_is_read(tmp_path: Path) -> None:
    Image.new("RGB", (48, 48), (90, 91, 92)).save(tmp_path / "a.ico", sizes=[(16, 16), (48, 48)])
    assert decode_image(tmp_path / "a.ico").shape == (48, 48, 3)


def test_a_program_under_a_rarer_name_is_not_run(folder: Path) -> None:
    for suffix in UNDER_THEIR_NAME:
        path = folder / "train" / "cat" / f"2{suffix}"
        path.write_bytes(EPS)
        with pytest.raises(InvalidDatasetError, match="is not a readable image"):
            decode_image(path)


def test_sixteen_bits_are_scaled_to_eight_not_clipped(folder: Path) -> None:
    for suffix in ("png", "tif", "pgm"):
        path = folder / "train" / "cat" / f"2.{suffix}"
        if suffix == "pgm":  # old versions of Pillow do not write it
            path.write_bytes(b"P5 8 8 65535\n" + ramp().astype(">u2").tobytes())
        else:
            Image.fromarray(ramp()).save(path)
        expected = np.round(ramp().astype(float) / 257)
        np.testing.assert_array_equal(decode_image(path), expected)


def test_whole_numbers_without_a_fixed_range_are_refused(tmp_path: Path) -> None:
    for kind in (np.int32, np.float32):
        path = tmp_path / "wide.tif"
        Image.fromarray(ramp(kind) * 100).save(path)
        with pytest.raises(InvalidDatasetError, match=r"no fixed range.*8 or 16 bits"):
            decode_image(path)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_every_mode_becomes_grey_or_colour(tmp_path: Path, mode: str) -> None:
    grey = Image.fromarray((ramp() // 257).astype(np.uint8))
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    grey.convert("RGB").convert(mode).save(path)
    found = decode_image(path)
    assert found.dtype == np.uint8
    assert found.shape == ((8, 8) if mode in ("1", "L", "LA") else (8, 8, 3))
    if mode not in ("1", "P"):
        assert np.abs(found.reshape(8, 8, -1)[..., 0] - np.asarray(grey, float)).max() <= 2


def test_a_photograph_is_turned_as_its_exif_orientation_says(tmp_path: Path) -> None:
    pixels = np.arange(48, dtype=np.uint8).reshape(6, 8)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to show
    for name in ("a.png", "a.tif"):
        Image.fromarray(pixels).save(tmp_path / name, exif=exif)
        np.testing.assert_array_equal(decode_image(tmp_path / name), np.rot90(pixels, -1))


def test_the_digest_tells_images_that_were_decoded_otherwise_before(folder: Path) -> None:
    path = folder / "train" / "cat" / "0.png"
    digests = [image_digest(str(folder))]
    exif = Image.Exif()
    for orientation in (1, 6):
        exif[0x0112] = orientation
        Image.fromarray((ramp() // 257).astype(np.uint8)).save(path, exif=exif)
        listing = image_folder.list_image_folder(folder, "train")
        plain = digest_of_version_1(listing)
        digests.append(image_digest(str(folder)))
        assert (digests[-1] == plain) == (orientation == 1)
    Image.fromarray(ramp()).save(path)
    listing = image_folder.list_image_folder(folder, "train")
    assert image_digest(str(folder)) != digest_of_version_1(listing)


def digest_of_version_1(listing: image_folder.FolderListing) -> str:
    """As it was before 16 bits and orientation were honoured; stores hold results under it."""
    total = hashlib.sha256()
    for name in listing.files:
        content = hashlib.sha256((listing.root / name).read_bytes()).hexdigest()
        total.update(f"{name}\n{content}\n".encode())
    return total.hexdigest()[:32]


def test_the_digest_of_a_plain_folder_is_what_it_was(folder: Path) -> None:
    listing = image_folder.list_image_folder(folder, "train")
    assert image_digest(str(folder)) == digest_of_version_1(listing)


@pytest.mark.parametrize("side", [10_000, 60_000])
def test_a_decompression_bomb_is_one_message(folder: Path, side: int) -> None:
    def chunk(name: bytes, body: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + body))
        return struct.pack(">I", len(body)) + name + body + check

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes((side + 1) * 20))
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows)
    (folder / "train" / "cat" / "0.png").write_bytes(bomb + chunk(b"IEND", b""))
    with pytest.raises(InvalidDatasetError, match=r"0\.png has too many pixels.*at most"):
        load_images(str(folder))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("pipe", "a named pipe, not a file"),
        ("socket", "a socket, not a file"),
        ("folder", "a folder, not a file"),
        ("device", "a device, not a file"),
        ("loop", "symbolic links"),
        ("nowhere", "No such file"),
    ],
)
def test_what_is_no_regular_file_is_refused_without_waiting(
    folder: Path, kind: str, words: str
) -> None:
    special(kind, folder / "train" / "cat" / "x.png")
    for function in (image_digest, load_images):
        with pytest.raises(InvalidDatasetError, match=rf"x\.png is named like an image.*{words}"):
            function(str(folder))


def test_names_that_are_not_utf_8_are_read_and_their_digest_stays(folder: Path) -> None:
    name = os.fsdecode(b"\xff\xfe.png")
    os.rename(folder / "train" / "cat" / "0.png", folder / "train" / "cat" / name)
    os.rename(folder / "train" / "dog", folder / "train" / os.fsdecode(b"\xffdog"))
    first = image_digest(str(folder))
    assert len(load_images(str(folder)).train_labels) == 3
    os.utime(folder / "train" / "cat" / name)
    assert image_digest(str(folder)) == first


def test_a_folder_that_does_not_fit_in_memory_is_refused_before_it_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_folder, "_SMALL_BYTES", 100)
    assert load_images(str(folder)).image_shape == (1, 8, 8)
    for entry in (folder.parent / "cache" / "images").iterdir():
        entry.unlink()
    monkeypatch.setattr(psutil, "virtual_memory", lambda: Memory(300))
    with pytest.raises(InvalidDatasetError, match=r"4 images of 8x8.*memory"):
        load_images(str(folder))


class Memory:
    def __init__(self, available: int) -> None:
        self.available = available
