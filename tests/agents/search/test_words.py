"""Words of a command line that no parser should be given: refused at once, in one message."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from agents.commands import draw, evaluate, language_model, report, summarise, train
from agents.search.options import Place
from agents.search.words import LONGEST_NAME, command_words
from nas_env.errors import ConfigurationError

COMMANDS: list[Callable[[Sequence[str]], int]] = [
    *(train.main, evaluate.main, draw.main, report.main, summarise.main, language_model.main),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.__module__)
@pytest.mark.parametrize("word", ["--" + "x" * 10**6, "--env=" + "x" * 10**6, "x" * 10**6])
def test_a_word_of_a_million_characters_is_refused_at_once(
    command: Callable[[Sequence[str]], int], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    started = time.process_time()
    assert command([word]) == 2
    assert time.process_time() - started < 3  # it was twenty seconds
    message = capsys.readouterr().err
    assert message.startswith("error: A word of the command line has 1,000,0")
    assert len(message) < 400


@pytest.mark.parametrize("words", [["--run-dir", ""], ["--run-dir="], ["--store", ""], ["--store"]])
def test_an_empty_path_does_not_mean_the_working_folder(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if words == ["--store"]:
        assert command_words(words) == words  # the parser says that its value is missing
    else:
        with pytest.raises(ConfigurationError, match="is empty: name a file or folder"):
            command_words(words)
        assert train.main(["--env", "NAS-Digits-Table-v0", "--children", "1", *words]) == 2
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("word", ["a\0b", "\udcff"])
def test_a_word_that_is_no_text_is_refused(word: str) -> None:
    with pytest.raises(ConfigurationError, match="not text in UTF-8"):
        command_words(["--dataset", word])


def test_every_other_word_is_left_alone() -> None:
    assert command_words([]) == []
    words = ["--" + "x" * (LONGEST_NAME - 2), "", "ä 木", "--recipe={}", "-", "\n"]
    assert command_words(words) == words


def test_paths_of_a_search_are_what_people_mean(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    place = Place(run_dir=Path("~/run"), store=Path("~/s"), data_dir=Path("~/d"))
    assert (place.run_dir, place.store, place.data_dir) == (
        *(tmp_path / "run", tmp_path / "s", tmp_path / "d"),
    )
    with pytest.raises(ConfigurationError, match="does not know: ~nouser-here"):
        Place(store=Path("~nouser-here/x"))


@pytest.mark.parametrize("flag", ["threads", "epochs"])
def test_a_count_below_one_is_one_message(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert language_model.main(["--dataset", "pydocs", f"--{flag}", "0"]) == 2
    assert f"{flag} must be a whole number of at least 1" in capsys.readouterr().err
