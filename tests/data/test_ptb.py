import hashlib
import os
import urllib.error
from pathlib import Path
from typing import Any

import pytest

from nas_env.data import ptb
from nas_env.data.held_out_text import load_held_out_text
from nas_env.data.text import TextSelection, load_text
from nas_env.errors import DatasetNotFoundError, InvalidDatasetError


def real_data() -> Path:
    folder = os.environ.get("NAS_ENV_DATA")
    if not folder:
        pytest.skip("NAS_ENV_DATA does not name a folder of data sets")
    return Path(folder)


@pytest.mark.data
def test_word_counts_are_the_published_ones() -> None:
    data = load_text("ptb", real_data())
    test = load_held_out_text("ptb", data.vocabulary, real_data())
    assert (len(data.train), len(data.valid), len(test)) == (929_589, 73_760, 82_430)
    assert len(data.vocabulary) == 10_000


@pytest.mark.data
def test_character_counts_are_the_published_ones() -> None:
    data = load_text("ptb", real_data(), TextSelection(level="character"))
    test = load_held_out_text("ptb", data.vocabulary, real_data())
    assert (len(data.train), len(data.valid), len(test)) == (5_017_482, 393_042, 442_423)
    assert len(data.vocabulary) == 50


@pytest.mark.data
def test_checksums_are_those_of_the_real_files() -> None:
    for part, expected in ptb.SHA256.items():
        content = ptb.ptb_path(real_data(), part).read_bytes()
        assert hashlib.sha256(content).hexdigest() == expected


def test_a_truncated_local_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ptb.train.txt").write_text(" no it was n't black monday \n")
    with pytest.raises(InvalidDatasetError, match="expected 929,589 and 5,017,482"):
        ptb.read_ptb(tmp_path, "train")


def test_no_file_and_no_network_name_the_folder_and_the_offline_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise urllib.error.URLError("no network")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    with pytest.raises(DatasetNotFoundError, match=r"(?s)ptb\.train\.txt.*NAS-PyDocs-v0") as caught:
        ptb.read_ptb(tmp_path, "train")
    assert str(tmp_path) in str(caught.value)


def test_a_download_is_kept_only_if_its_checksum_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    source = tmp_path / "server"
    source.mkdir()
    (source / "ptb.valid.txt").write_bytes(b"some text\n")
    monkeypatch.setattr(ptb, "BASE_URL", source.as_uri() + "/")
    home = tmp_path / "home"
    with pytest.raises(InvalidDatasetError, match="SHA-256"):
        ptb.ptb_path(home, "valid")
    assert not (home / "ptb").exists()
    monkeypatch.setitem(ptb.SHA256, "valid", hashlib.sha256(b"some text\n").hexdigest())
    assert not caplog.messages
    assert ptb.ptb_path(home, "valid").read_bytes() == b"some text\n"
    told = f"Penn Treebank (ptb.valid.txt) is downloaded into {home}, a folder that is made now."
    assert [message.partition(" --data")[0] for message in caplog.messages] == [told]
    (source / "ptb.valid.txt").unlink()
    assert ptb.ptb_path(home, "valid") == home / "ptb" / "ptb.valid.txt"
