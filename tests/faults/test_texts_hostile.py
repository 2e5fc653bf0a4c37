"""Hostile and damaged texts: one message, or a text; no hang."""

import random
from pathlib import Path

import pytest

from nas_env.data.text import TextSelection, load_text, text_digest
from tests.faults.damage import cases, copy_of, damage
from tests.faults.hostile import attempt, nothing_started_or_written, put_special
from tests.faults.outcome import Count

TEXT = "the cat sat on the mat\nund der Bär saß dort\n" * 20
CONTENTS = (
    *(b"", b"\n" * 1000, b"\0" * 100, b"z" * 10**6, b"a b\r\nb a\r", b"\xef\xbb\xbf"),
    *("\u4e01\u4e8c\n".encode("utf-16"), "a b c".encode("utf-32"), b"lone \xed\xa0\x80"),
    *(b"\xff" * 1000, b"<eos> <unk>\n", b"a\x85b\xe2\x80\xa8c \x0b\x0c\x1c d", b"\x1b]0;title\x07"),
    *(b"PK\x03\x04", b"%!PS\n{} loop\n", "e\u0301 \u202e \U0001f600 a b\n".encode() * 50),
    b" ".join(b"%d" % number for number in range(10**5)),
)


def spoil(folder: Path, rng: random.Random) -> str:
    path = folder / f"my.{rng.choice(('train', 'valid'))}.txt"
    kind = rng.random()
    if kind < 0.5:
        return damage(path, rng)
    if kind < 0.7:
        return put_special(path, rng)
    if kind < 0.8:
        (folder / rng.choice(("other.train.txt", "train.txt", "valid.txt"))).write_text("a b")
        return "two files"
    path.write_bytes(rng.choice(CONTENTS))
    return f"{path.name}: {path.read_bytes()[:20]!r}"


@pytest.mark.slow
def test_a_hostile_text_is_one_message_or_a_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng, count = random.Random(14), Count()
    whole = tmp_path / "whole"
    whole.mkdir()
    for part in ("train", "valid"):
        (whole / f"my.{part}.txt").write_text(TEXT)
    with nothing_started_or_written(tmp_path, monkeypatch):
        for case in range(cases(60, 500)):
            folder = copy_of(whole, tmp_path / "folder")
            what = spoil(folder, rng)
            level = TextSelection(level=rng.choice(("word", "character")))
            words = f"case {case}: {what}"
            count.add(words, attempt(text_digest, str(folder)))
            count.add(words, attempt(load_text, str(folder), None, level))
    assert count.ended["refused"] and count.ended["identical"]
    count.check()
