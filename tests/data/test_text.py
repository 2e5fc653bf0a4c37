import os
from pathlib import Path

import pytest
import torch

from nas_env.data.held_out_text import load_held_out_text
from nas_env.data.text import (
    TextSelection,
    build_vocabulary,
    load_text,
    split_symbols,
    text_digest,
)
from nas_env.data.text_folder import MOST_BYTES
from nas_env.errors import ConfigurationError, DatasetNotFoundError, InvalidDatasetError

TRAIN = "the cat sat\n the cat ran \nthe dog sat\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "my.train.txt").write_text(TRAIN)
    (tmp_path / "my.valid.txt").write_text("the cow sat\n")
    (tmp_path / "my.test.txt").write_text("the emu ran\n")
    return tmp_path


def test_every_line_ends_with_one_end_of_line_token() -> None:
    assert list(split_symbols(" a  b \n\nc", "word")) == [
        *("a", "b", "<eos>"),
        "<eos>",
        *("c", "<eos>"),
    ]
    assert "".join(split_symbols(" a b \nc", "character")) == "a b\nc\n"


def test_words_of_the_validation_text_alone_are_unknown(folder: Path) -> None:
    data = load_text(str(folder))
    decoded = [data.vocabulary.symbols[token] for token in data.valid.tolist()]
    assert decoded == ["the", "<unk>", "sat", "<eos>"]
    assert data.train.dtype == torch.int64


def test_frequent_words_come_first_and_rare_ones_share_unk(folder: Path) -> None:
    data = load_text(str(folder))
    assert data.vocabulary.symbols == ("<eos>", "the", "cat", "sat", "<unk>")
    assert data.vocabulary.end_of_line == 0


@pytest.mark.parametrize("size", [3, 4, 5])
def test_vocabulary_limit_counts_unk_and_end_of_line(folder: Path, size: int) -> None:
    data = load_text(str(folder), selection=TextSelection(vocabulary_size=size))
    assert len(data.vocabulary) == size
    assert {"<unk>", "<eos>", "the"} <= set(data.vocabulary.symbols)
    assert int(data.train.max()) == size - 1


def test_a_closed_vocabulary_keeps_rare_words_and_needs_no_unk() -> None:
    vocabulary = build_vocabulary(["a", "b", "b", "<eos>"], TextSelection(), closed=True)
    assert vocabulary.symbols == ("b", "<eos>", "a")
    with pytest.raises(InvalidDatasetError, match="'c' is not in the vocabulary"):
        vocabulary.encode(["c"])


def test_token_limits_take_the_start_of_the_text(folder: Path) -> None:
    whole = load_text(str(folder))
    part = load_text(str(folder), selection=TextSelection(train_tokens=5, valid_tokens=2))
    assert part.train.tolist() == whole.train[:5].tolist()
    assert part.valid.tolist() == whole.valid[:2].tolist()
    assert part.vocabulary == whole.vocabulary


def test_characters_are_tokens_at_character_level(folder: Path) -> None:
    data = load_text(str(folder), selection=TextSelection(level="character"))
    assert "".join(data.vocabulary.symbols[token] for token in data.train[:8]) == "the cat "
    assert data.vocabulary.symbols[data.vocabulary.end_of_line] == "\n"


def test_digest_follows_train_and_valid_but_never_the_test_text(folder: Path) -> None:
    before = text_digest(str(folder))
    (folder / "my.test.txt").write_text("something else\n")
    assert text_digest(str(folder)) == before
    (folder / "my.valid.txt").write_text("the cow ran\n")
    assert text_digest(str(folder)) != before


def test_the_test_text_is_encoded_with_the_vocabulary_of_training(folder: Path) -> None:
    vocabulary = load_text(str(folder)).vocabulary
    tokens = load_held_out_text(str(folder), vocabulary)
    assert [vocabulary.symbols[token] for token in tokens] == ["the", "<unk>", "<unk>", "<eos>"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \n\n ", "is empty"),
        (b"PK\x03\x04\x00\x00", "is binary"),
        ("naïve\n".encode("latin-1"), "is not UTF-8"),
        (b"word word word\n", "1 different word"),
        (b"<unk> <unk>\n", "0 different word"),
        (b"z" * 10**6, "1 different word"),
        ("one sentence".encode("utf-16"), "is binary"),
        ("\u4e01\u4e8c".encode("utf-16"), "is not UTF-8"),
        (b"lone \xed\xa0\x80 surrogate", "is not UTF-8"),
    ],
)
def test_unusable_training_text_is_refused_with_a_reason(
    folder: Path, content: bytes, message: str
) -> None:
    (folder / "my.train.txt").write_bytes(content)
    with pytest.raises(InvalidDatasetError, match=message) as caught:
        load_text(str(folder))
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("kind", "words"),
    [("pipe", "a named pipe"), ("folder", "a folder"), ("device", "a device"), ("huge", "at most")],
)
def test_a_text_that_is_no_regular_file_or_endless_is_refused_without_waiting(
    folder: Path, kind: str, words: str
) -> None:
    path = folder / "my.train.txt"
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.write_text("a b\n")
        os.truncate(path, MOST_BYTES + 1)  # takes no room on the disk
    for function in (load_text, text_digest):
        with pytest.raises(DatasetNotFoundError, match=rf"cannot be read \(it (is|has).*{words}"):
            function(str(folder))


def test_a_byte_order_mark_and_windows_line_ends_change_nothing(folder: Path) -> None:
    before = load_text(str(folder)).train
    content = b"\xef\xbb\xbf" + TRAIN.replace("\n", "\r\n").encode()
    (folder / "my.train.txt").write_bytes(content)
    assert torch.equal(load_text(str(folder)).train, before)


def test_missing_folder_and_missing_part_name_what_was_expected(folder: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match="neither a known name"):
        load_text(str(folder / "nowhere"))
    (folder / "my.valid.txt").unlink()
    with pytest.raises(DatasetNotFoundError, match=r"no file named \*\.valid\.txt"):
        load_text(str(folder))


@pytest.mark.parametrize("name", ["digits", "pets"])
def test_images_given_for_text_say_which_environments_read_images(
    name: str, tmp_path: Path
) -> None:
    (tmp_path / "pets" / "train" / "cat").mkdir(parents=True)
    with pytest.raises(DatasetNotFoundError, match=rf"{name} is images.*NAS-CIFAR10-v0"):
        text_digest(name if name == "digits" else str(tmp_path / name))


def test_two_files_for_one_part_are_ambiguous(folder: Path) -> None:
    (folder / "other.train.txt").write_text(TRAIN)
    with pytest.raises(InvalidDatasetError, match="2 files for train"):
        load_text(str(folder))


@pytest.mark.parametrize(
    "wrong", [{"level": "byte"}, {"vocabulary_size": 1}, {"train_tokens": 0}, {"valid_tokens": 1.5}]
)
def test_a_selection_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        TextSelection(**wrong)  # type: ignore[arg-type]
