"""A user's own text, a folder of files: clear words for missing, empty or binary ones."""

import hashlib
import os
from functools import partial
from pathlib import Path
from typing import Literal

from nas_env.data.datasets import TextDataset, dataset_names, offline_hint
from nas_env.errors import DatasetNotFoundError, InvalidDatasetError
from nas_env.system.folders import user_path
from nas_env.system.reading import is_folder, read_regular, reason

Part = Literal["train", "valid", "test"]

MOST_BYTES = 2**30
"""Of a file: its words, a list in memory, take ten times as much."""
_SHOWN_BYTES = 20
_SHOWN_NAMES = 5
_TOKENISATION = 1
"""Bumped when the same text would give other tokens: part of every digest."""


def looks_like(path: str | os.PathLike[str]) -> bool:
    """Whether there is a folder of texts."""
    return bool(_files(user_path(path), "train"))


def folder_row(path: str | os.PathLike[str]) -> TextDataset:
    """A folder as a data set; whether it is there is found out when it is read."""
    root = user_path(path).absolute()
    return TextDataset(
        name=str(path),
        train=partial(_read, root, "train"),
        valid=partial(_read, root, "valid"),
        held_out=partial(_read, root, "test"),
        digest=partial(_digest, root),
    )


def digest_of_texts(train: bytes, valid: bytes) -> str:
    """Identity of a text: of what is read and of how it becomes tokens."""
    hashed = hashlib.sha256(str(_TOKENISATION).encode())
    for content in (train, valid):
        hashed.update(hashlib.sha256(content).digest())
    return f"text-{hashed.hexdigest()[:32]}"


def _read(root: Path, part: Part, data_dir: Path) -> str:
    return read_text(folder_file(root, part))


def _digest(root: Path, data_dir: Path) -> str:
    return digest_of_texts(*(read_bytes(folder_file(root, part)) for part in ("train", "valid")))


def read_text(path: Path) -> str:
    """The text of a UTF-8 file.

    Raises:
        DatasetNotFoundError: there is no such file.
        InvalidDatasetError: the file is empty, binary, or not UTF-8.
    """
    return decode_text(read_bytes(path), str(path))


def read_bytes(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        DatasetNotFoundError: there is no such file, it cannot be read, is no regular file, or is
            larger than ``MOST_BYTES``.
    """
    try:
        return read_regular(path, MOST_BYTES)
    except OSError as error:
        raise DatasetNotFoundError(
            f"The text file {path} cannot be read ({reason(error)}). {offline_hint(TextDataset)}"
        ) from error


def decode_text(content: bytes, source: str) -> str:
    """Bytes to text, without a byte-order mark and with one kind of line end.

    Args:
        content: the bytes.
        source: what to call them in an error.

    Raises:
        InvalidDatasetError: empty, binary, or not UTF-8.
    """
    if b"\0" in content:
        raise InvalidDatasetError(
            f"{source} is binary, not text: byte {content.index(0)} is zero. Expected UTF-8 text, "
            "one sentence or paragraph a line (files in UTF-16 must be converted first)."
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        near = content[error.start : error.start + _SHOWN_BYTES]
        raise InvalidDatasetError(
            f"{source} is not UTF-8 text: byte {error.start} starts {near!r}. Convert it first, "
            "for example with `iconv -t UTF-8`."
        ) from error
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise InvalidDatasetError(f"{source} is empty: expected UTF-8 text, one sentence a line.")
    return text


def folder_file(folder: Path, part: Part) -> Path:
    """The one file of ``folder`` that is named ``*.PART.txt`` (or ``PART.txt``).

    Raises:
        DatasetNotFoundError: no folder, or no such file in it.
        InvalidDatasetError: more than one.
    """
    if not is_folder(folder):
        raise DatasetNotFoundError(
            f"The text data set {str(folder)!r} was not found: it is neither a known name "
            f"({', '.join(dataset_names(TextDataset))}) nor a folder. {offline_hint(TextDataset)}"
        )
    found = _files(folder, part)
    if not found:
        raise DatasetNotFoundError(
            f"The folder {folder} has no file named *.{part}.txt. Expected *.train.txt, "
            f"*.valid.txt and, for the final test, *.test.txt. {offline_hint(TextDataset)}"
        )
    if len(found) > 1:
        names = ", ".join(path.name for path in found[:_SHOWN_NAMES])
        raise InvalidDatasetError(
            f"The folder {folder} has {len(found)} files for {part}: {names}. Expected exactly "
            f"one *.{part}.txt; put each data set in its own folder."
        )
    return found[0]


def _files(folder: Path, part: Part) -> list[Path]:
    return sorted({*folder.glob(f"*.{part}.txt"), *folder.glob(f"{part}.txt")})
