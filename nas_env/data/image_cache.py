"""Decoded image folders on disk: as many as fit in a fixed room, the latest used first to stay.

An entry is a ``.npz`` with the images and the digest of their files, named by the state of the
files. It can be made again at any time, so whatever is wrong with it means: decode again.
"""

import contextlib
import os
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas_env.system.files import TEMPORARY, write_durably
from nas_env.system.folders import cache_dir

MOST_BYTES = 20 * 2**30
"""Of all entries; the one just written stays, whatever its size."""
ABANDONED_S = 24 * 3600
"""A file still unfinished after so long belongs to a process that was killed."""


def read_digest(stamp: str) -> str | None:
    """The digest of an entry; None where there is none."""
    try:
        with _path(stamp).open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return str(archive["digest"])
    except Exception:  # missing or damaged in any way
        return None


def read_images(stamp: str, count: int) -> NDArray[np.uint8] | None:
    """The (count, channels, height, width) images of an entry; None where there is none."""
    path = _path(stamp)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            images: NDArray[np.uint8] = archive["images"]
    except Exception:  # missing or damaged in any way
        return None
    if images.dtype != np.uint8 or images.ndim != 4 or len(images) != count:
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # used now
    return images


def write_images(stamp: str, images: NDArray[np.uint8], digest: str) -> None:
    """Keep an entry, and let the longest unused ones go for it."""
    path = _path(stamp)
    try:
        write_durably(path, lambda file: np.savez(file, images=images, digest=np.array(digest)))
        _prune(path)
    except OSError:
        return  # a read-only home or a full disk costs time, not correctness


def _path(stamp: str) -> Path:
    return cache_dir() / "images" / f"{stamp}.npz"


def _prune(newest: Path) -> None:
    """Delete from the longest unused entry on until all fit."""
    entries, room = [], MOST_BYTES - newest.stat().st_size
    for entry in os.scandir(newest.parent):
        with contextlib.suppress(OSError):  # another process may have deleted it
            found = entry.stat(follow_symlinks=False)
            if entry.name.endswith(TEMPORARY) and found.st_mtime < time.time() - ABANDONED_S:
                os.unlink(entry.path)
            elif entry.name.endswith(".npz") and entry.name != newest.name:
                entries.append((found.st_mtime, found.st_size, entry.path))
    for _, size, path in sorted(entries, reverse=True):
        room -= size
        if room < 0:
            with contextlib.suppress(OSError):
                os.unlink(path)
