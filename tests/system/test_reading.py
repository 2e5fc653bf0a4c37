"""Files that somebody else made."""

import json
import os
import time
from pathlib import Path

import pytest

from nas_env.system.reading import read_regular, strict_json


def test_a_file_is_read_up_to_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"four")
    assert read_regular(path, 4) == b"four"
    with pytest.raises(OSError, match="it has 4 bytes; at most 3 are read"):
        read_regular(path, 3)


def test_nothing_is_waited_for_or_read_without_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero", tmp_path):
        with pytest.raises(OSError, match="not a file"):
            read_regular(path, 10)
    with pytest.raises(OSError, match="no file can have this name"):
        read_regular("a\0b", 10)


def test_strict_json_is_json() -> None:
    text = '{"a": [1, 2.5, null, true, "\\u00e4"], "b": {"a": {}}}'
    assert strict_json(text) == json.loads(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1, "a": 1}', "'a' stands twice"),
        ('{"a": NaN}', "NaN is no JSON number"),
        ("[-Infinity]", "-Infinity is no"),
        ("[" * 10**6, "nested too deeply|line 1"),
        ("9" * 5000, "digits"),
        (b"\xff", "codec"),
        ("[1]".encode("utf-16"), "codec"),
        ("", "Expecting value"),
    ],
)
def test_what_only_pythons_json_takes_is_refused(text: str | bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        strict_json(text)


def test_many_names_are_read_in_time() -> None:
    names = ",".join(f'"{number}":0' for number in range(300_000))
    started = time.process_time()
    with pytest.raises(ValueError, match="'0' stands twice"):
        strict_json('{"0":1,' + names + "}")
    assert time.process_time() - started < 10  # a search per name would take an hour
