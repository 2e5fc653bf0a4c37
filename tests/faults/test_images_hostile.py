"""Hostile and damaged image folders: one message, or images; no process, no hang."""

import os
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nas_env.data.images import image_digest, load_images
from tests.faults.damage import cases, copy_of, damage
from tests.faults.hostile import attempt, nothing_started_or_written, put_special
from tests.faults.outcome import Count

SIDE = 12
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 12 12\n%%EndComments\n{} loop\n%%EOF\n"
FORMATS: dict[str, tuple[str, ...]] = {  # suffix -> modes that it holds
    "png": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "jpg": ("L", "RGB", "CMYK"),
    "gif": ("L", "P"),
    "tif": ("1", "L", "RGB", "CMYK", "LAB", "I;16", "F"),
    "webp": ("RGB", "RGBA"),
    "bmp": ("1", "L", "P", "RGB"),
    "ppm": ("L", "RGB"),
}


def draw(mode: str, rng: random.Random) -> Image.Image:
    pixels = np.random.default_rng(rng.randrange(2**32)).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    if mode == "I;16":
        return Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    if mode == "LAB":
        return Image.frombytes("LAB", (SIDE, SIDE), pixels.tobytes())
    return Image.fromarray(pixels).convert(mode)


def write_any(path: Path, rng: random.Random) -> str:
    suffix = rng.choice([*FORMATS])
    mode = rng.choice(FORMATS[suffix])
    exif = Image.Exif()
    exif[0x0112] = rng.choice((1, 3, 6, 8, 99))
    options = {"exif": exif} if suffix in ("png", "jpg", "tif", "webp") else {}
    draw(mode, rng).save(path, {"jpg": "jpeg", "tif": "tiff"}.get(suffix, suffix), **options)
    return f"{suffix} of mode {mode}"


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def odd_png(rng: random.Random) -> bytes:
    """A header of any numbers, right checksums, perhaps a bomb in the text."""
    sides = [rng.choice((0, 1, SIDE, 9000, 60_000, 2**31 - 1, 2**32 - 1)) for _ in range(2)]
    kind = [
        rng.choice((1, 2, 4, 8, 16, 99)),
        rng.choice((0, 2, 3, 4, 6, 7)),
        0,
        0,
        rng.choice((0, 1)),
    ]
    parts = [chunk(b"IHDR", struct.pack(">IIBBBBB", *sides, *kind))]
    if rng.random() < 0.3:
        parts.append(chunk(rng.choice((b"zTXt", b"iCCP")), b"a\0\0" + zlib.compress(bytes(10**7))))
    parts.append(chunk(b"IDAT", zlib.compress(rng.randbytes(rng.choice((0, 100, 10_000))))))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")


def odd_tiff(rng: random.Random) -> bytes:
    """A directory of any tags."""
    tags = sorted(rng.sample((256, 257, 258, 259, 262, 273, 277, 278, 279, 339, 274), 9))
    entries = [
        struct.pack("<HHII", tag, rng.choice((1, 3, 4, 5)), 1, rng.choice((0, 1, 8, SIDE, 2**31)))
        for tag in tags
    ]
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + b"".join(entries) + bytes(4 + 400)


def as_other_program(path: Path, rng: random.Random) -> str:
    path.write_bytes(rng.choice((EPS, EPS, b"%PDF-1.4\n", b"<svg/>", b"#!/bin/sh\n", b"MZ", b"")))
    return "a program"


def as_odd_png(path: Path, rng: random.Random) -> str:
    path.write_bytes(odd_png(rng))
    return "odd PNG"


def as_odd_tiff(path: Path, rng: random.Random) -> str:
    path.write_bytes(odd_tiff(rng))
    return "odd TIFF"


def as_damaged(path: Path, rng: random.Random) -> str:
    return f"{write_any(path, rng)}, {damage(path, rng)}"


def as_odd_name(path: Path, rng: random.Random) -> str:
    names = (
        b"\xff\xfe.png",
        b"\xed\xa0\x80.jpg",
        b"a\n.png",
        b" .png",
        b"-rf.png",
        b"x" * 240 + b".png",
    )
    name = rng.choice((*names, b"a.eps", b"b.heic", b"c.PNG", b".png"))
    os.rename(path, os.fsencode(path.parent) + b"/" + name)
    return f"named {name!r}"


HOSTILE: list[Callable[[Path, random.Random], str]] = [
    *(write_any, as_damaged, as_damaged, as_damaged, as_other_program, as_odd_png, as_odd_tiff),
    *(put_special, as_odd_name),
]


@pytest.mark.slow
def test_a_hostile_image_is_one_message_or_an_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng, count = random.Random(14), Count()
    whole = tmp_path / "whole"
    for name in ("cat", "dog"):
        (whole / "train" / name).mkdir(parents=True)
        for number in range(2):
            draw("L", rng).save(whole / "train" / name / f"{number}.png")
    with nothing_started_or_written(tmp_path, monkeypatch):
        for case in range(cases(60, 500)):
            folder = copy_of(whole, tmp_path / "folder")
            what = rng.choice(HOSTILE)(folder / "train" / "cat" / "0.png", rng)
            for function in (image_digest, load_images):
                count.add(f"case {case}: {what}", attempt(function, str(folder)))
    assert count.ended["refused"] and count.ended["identical"]
    count.check()
