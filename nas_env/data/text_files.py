"""Reading text files that users bring, with clear words for missing, empty or binary ones."""

from pathlib import Path
from typing import Literal

from nas_env.data.offline import OFFLINE_TEXT
from nas_env.errors import DatasetNotFoundError, InvalidDatasetError

Part = Literal["train", "valid", "test"]

_SHOWN_BYTES = 20


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
        DatasetNotFoundError: there is no such file, or it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DatasetNotFoundError(
            f"The text file {path} cannot be read ({error.strerror}). {OFFLINE_TEXT}"
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
    if not folder.is_dir():
        raise DatasetNotFoundError(
            f"The text data set {str(folder)!r} was not found: it is neither a known name ('ptb', "
            f"'pydocs') nor a folder. {_image_hint(folder)}{OFFLINE_TEXT}"
        )
    found = sorted({*folder.glob(f"*.{part}.txt"), *folder.glob(f"{part}.txt")})
    if not found:
        raise DatasetNotFoundError(
            f"The folder {folder} has no file named *.{part}.txt. Expected *.train.txt, "
            f"*.valid.txt and, for the final test, *.test.txt. {_image_hint(folder)}"
            f"{OFFLINE_TEXT}"
        )
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise InvalidDatasetError(
            f"The folder {folder} has {len(found)} files for {part}: {names}. Expected exactly "
            f"one *.{part}.txt; put each data set in its own folder."
        )
    return found[0]


def _image_hint(folder: Path) -> str:
    """Where images were given for text: which environments read them."""
    if folder.name in ("cifar10", "digits") or (folder / "train").is_dir():
        return (
            f"{folder.name} is images: convolutional networks read it (--env NAS-CIFAR10-v0, "
            "NAS-Digits-v0). "
        )
    return ""
