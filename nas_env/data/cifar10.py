"""CIFAR-10 through torchvision: files already there, an archive already there, or a download.

Every file is checked against its published MD5. A download or an extraction happens in a temporary
folder that is renamed when complete, so an interrupted one leaves nothing that looks like data.
"""

import contextlib
import os
import socket
import tempfile
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nas_env.data.datasets import ImageDataset, offline_hint
from nas_env.data.raw_images import RawImages
from nas_env.errors import DatasetNotFoundError, InvalidDatasetError
from nas_env.system.folders import tell_of_download

FOLDER = "cifar-10-batches-py"
ARCHIVE = "cifar-10-python.tar.gz"
SOURCE = "cifar10-c58f30108f718f92721af3b95e74349a"
"""Identity of the data: the MD5 of the published archive, which every file is checked against."""
CONNECT_TIMEOUT_S = 15.0


def read_cifar10(data_dir: Path, part: Literal["train", "test"]) -> RawImages:
    """Read one part: 50,000 or 10,000 colour images of 32x32.

    Args:
        data_dir: folder that holds, or will hold, ``cifar-10-batches-py``.
        part: which part.

    Raises:
        DatasetNotFoundError: not there, and the download failed.
        InvalidDatasetError: there, but a file is missing, truncated or altered.
    """
    root = ensure_cifar10(data_dir)
    from torchvision.datasets import CIFAR10

    data = CIFAR10(str(root), train=part == "train", download=False)
    images = np.ascontiguousarray(data.data.transpose(0, 3, 1, 2))  # (n, 3, 32, 32)
    return RawImages(images, np.asarray(data.targets, np.int64), tuple(data.classes))


def cifar10_digest(data_dir: Path) -> str:
    """``SOURCE``, once the files are there and verified."""
    ensure_cifar10(data_dir)
    return SOURCE


def ensure_cifar10(data_dir: Path) -> Path:
    """Make sure that verified files are on disk; return the folder that holds ``FOLDER``."""
    root = data_dir.parent if data_dir.name == FOLDER else data_dir
    if (root / FOLDER).is_dir():
        _check_files(root / FOLDER)
    else:
        _fetch(root)
    return root


def _check_files(folder: Path) -> None:
    from torchvision.datasets import CIFAR10
    from torchvision.datasets.utils import check_integrity

    expected = [*CIFAR10.train_list, *CIFAR10.test_list]
    expected.append([CIFAR10.meta["filename"], CIFAR10.meta["md5"]])
    damaged = [name for name, md5 in expected if not check_integrity(str(folder / name), md5)]
    if damaged:
        raise InvalidDatasetError(
            f"CIFAR-10 in {folder} is damaged: {', '.join(damaged)} missing, truncated or altered "
            f"(MD5 differs). Expected files: {', '.join(name for name, _ in expected)}. Delete the "
            f"folder {folder} and start again: it is then unpacked from {folder.parent / ARCHIVE} "
            f"where that is there, else downloaded again. {offline_hint(ImageDataset)}"
        )


def _fetch(root: Path) -> None:
    """Extract the archive in ``root``, or download it, all or nothing."""
    try:
        if not (root / ARCHIVE).exists():
            _reach_server()  # a mistyped folder is not made where nothing can be written into it
            tell_of_download("CIFAR-10 (170 MB)", root)
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root, prefix=".cifar10-") as temporary:
            _extract_or_download(root, Path(temporary))
            with contextlib.suppress(FileExistsError, OSError):
                # Another process may have finished first: then its folder is checked below.
                os.replace(Path(temporary) / FOLDER, root / FOLDER)
    except (OSError, RuntimeError, EOFError) as error:
        raise DatasetNotFoundError(
            f"CIFAR-10 was not found and could not be fetched ({error}). Looked in {root} for the "
            f"folder {FOLDER} (data_batch_1 ... data_batch_5, test_batch, batches.meta) or the "
            f"archive {ARCHIVE}. Put either there, name another folder with --data-dir or "
            f"NAS_ENV_DATA, or connect to a network. {offline_hint(ImageDataset)}"
        ) from error
    _check_files(root / FOLDER)


def _extract_or_download(root: Path, temporary: Path) -> None:
    from torchvision.datasets import CIFAR10
    from torchvision.datasets.utils import check_integrity, extract_archive

    archive = root / ARCHIVE
    if archive.exists():
        if not check_integrity(str(archive), CIFAR10.tgz_md5):
            raise InvalidDatasetError(
                f"The archive {archive} is truncated or altered: its MD5 is not "
                f"{CIFAR10.tgz_md5}. Delete this file and start again: it is then downloaded "
                f"again. {offline_hint(ImageDataset)}"
            )
        extract_archive(str(archive), str(temporary))
    else:
        with _socket_timeout(CONNECT_TIMEOUT_S):
            CIFAR10(str(temporary), download=True)


def _reach_server() -> None:
    from torchvision.datasets import CIFAR10

    request = urllib.request.Request(CIFAR10.url, headers={"User-Agent": "nas_env"})
    with urllib.request.urlopen(request, timeout=CONNECT_TIMEOUT_S):
        pass


@contextlib.contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    """Bound every network wait: an unreachable network must not hang for minutes."""
    before: Any = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


DATASET = ImageDataset(
    name="cifar10",
    env="NAS-CIFAR10-v0",
    train=partial(read_cifar10, part="train"),
    held_out=partial(read_cifar10, part="test"),
    digest=cifar10_digest,
    shape=(3, 32, 32),
    classes=10,
)
"""45,000 images for training and 5,000 for validation (paper section 4.1)."""
