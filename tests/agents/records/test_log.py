"""A log in which one byte changed is not resumed from; one that cannot be read is one message."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import agents
import nas_env
from agents.commands.report import main as report
from agents.records.checkpoint import INDEX, _index_digest
from agents.records.episode import Episode
from agents.records.log import Log, Mark, read_rows
from agents.records.run_folder import RunFolder
from nas_env.errors import NasEnvError, RunFolderError
from tests.faults import damage

SPACE = nas_env.ChoiceSpace({"width": [8, 16, 32, 64], "size": [1, 3, 5]})
LOGS = ("episodes.csv", "updates.csv")


def worth(architecture: Any, seed: int) -> float:
    return float(architecture["width"] / 64 + architecture["size"] / 7)


def search(run: Path, children: int = 24, resume: bool = False) -> agents.SearchResult:
    env = nas_env.ArchitectureEnv(SPACE, worth)
    return agents.run_search(env, "random", children, run_dir=run, resume=resume)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    search(tmp_path / "run")
    return tmp_path / "run"


def reward_digit(content: bytes) -> bytes:
    """The worst child becomes the best by one byte."""
    return content.replace(b",0.", b",9.", 1)


def torn(content: bytes) -> bytes:
    return content[:-10]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "one digit": lambda content: damage.digit(content, random.Random(1)),
    "a reward": reward_digit,
    "one bit": lambda content: damage.flip(content, random.Random(1)),
    "two lines": lambda content: b"".join(
        [content.splitlines(True)[i] for i in (0, 2, 1)] + content.splitlines(True)[3:]
    ),
    "torn": torn,
    "a line less": lambda content: b"".join(content.splitlines(True)[:-1]),
    "line ends": lambda content: content.replace(b"\n", b"\r\n"),
    "not utf-8": lambda content: content.replace(b"0", b"\xff", 1),
    "nul": lambda content: content.replace(b"0", b"\x00", 1),
    "utf-16": lambda content: content.decode().encode("utf-16"),
    "empty": lambda content: b"",
}


@pytest.mark.parametrize("name", LOGS)
@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_log_is_refused_with_what_to_do_and_left_as_it_is(
    kind: str, name: str, run: Path
) -> None:
    path = run / name
    changed = DAMAGES[kind](path.read_bytes())
    assert changed != path.read_bytes()
    path.write_bytes(changed)
    best = (run / "best_architecture.json").read_bytes()
    with pytest.raises(RunFolderError, match=r"it was changed|is damaged") as caught:
        search(run, 32, resume=True)
    assert "Restore it from a copy, or start the search again" in str(caught.value)
    assert path.read_bytes() == changed
    assert (run / "best_architecture.json").read_bytes() == best


def without_digests(run: Path) -> None:
    """As a version wrote it that kept no digests."""
    path = run / "checkpoint" / INDEX
    index = json.loads(path.read_text())
    del index["digests"], index["settings"], index["index_sha256"]
    index["index_sha256"] = _index_digest(index)
    path.write_text(json.dumps(index))


def test_a_checkpoint_of_an_earlier_version_is_resumed(run: Path, tmp_path: Path) -> None:
    without_digests(run)
    resumed = search(run, 40, resume=True)
    whole = search(tmp_path / "whole", 40)
    assert [e.tokens for e in resumed.episodes] == [e.tokens for e in whole.episodes]
    assert "digests" in json.loads((run / "checkpoint" / INDEX).read_text())


def test_without_digests_rows_and_numbers_must_still_agree_with_the_checkpoint(run: Path) -> None:
    without_digests(run)
    path = run / "episodes.csv"
    lines = path.read_bytes().splitlines(True)
    path.write_bytes(b"".join([*lines[:3], lines[4], lines[3], *lines[5:]]))
    with pytest.raises(RunFolderError, match="has episode 4 in row 3"):
        search(run, 32, resume=True)
    path.write_bytes(b"".join(lines[:-1]).ljust(sum(map(len, lines)), b"\n"))
    with pytest.raises(RunFolderError, match=r"23 children.* the checkpoint 24"):
        search(run, 32, resume=True)


def test_a_tail_after_the_checkpoint_is_cut_off(run: Path) -> None:
    with (run / "episodes.csv").open("ab") as file:
        file.write(b'25,"1 2')
    assert len(search(run, 32, resume=True).episodes) == 32
    assert len(read_rows(run / "episodes.csv")) == 32


def test_an_update_reads_nothing_of_the_log_and_another_writer_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log(tmp_path / "log.csv")
    first = log.append(["a"], [{"a": 1}])

    def no(path: Path) -> bytes:
        raise AssertionError(f"{path} was read again")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", no)
        marks = [log.append(["a"], [{"a": number}]) for number in range(10)]
    assert marks[0].size == first.size + 2
    Log(tmp_path / "log.csv").check(marks[-1])
    Log(tmp_path / "log.csv").check(first)
    Log(tmp_path / "log.csv").check(Mark())
    with (tmp_path / "log.csv").open("a") as file:
        file.write("by somebody else\n")
    with pytest.raises(RunFolderError, match="another program changed it"):
        log.append(["a"], [{"a": 1}])


@pytest.mark.parametrize("name", LOGS)
@pytest.mark.parametrize("seed", range(30))
def test_reading_a_damaged_log_is_one_message_or_the_same_report(
    seed: int, name: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kinds = [*damage.CONTENTS, "removed", "folder", "link to nothing", "link to itself"]
    damage.damage(run / name, random.Random(seed), kinds)
    capsys.readouterr()
    assert report([str(run)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1, error


@pytest.mark.parametrize("seed", range(40))
def test_a_log_without_a_checkpoint_is_read_or_is_one_message(seed: int, run: Path) -> None:
    (run / "checkpoint" / INDEX).unlink()
    damage.damage(run / "episodes.csv", random.Random(seed), list(damage.CONTENTS))
    try:
        RunFolder(run).episodes()
    except NasEnvError as error:
        assert "cannot be read" in str(error)


def test_an_architecture_longer_than_a_csv_field_may_be_is_read(tmp_path: Path) -> None:
    long = Episode(1, (0, 1), json.dumps({"width": "w" * 200_000}), 0.5, 0.5, "complete")
    RunFolder(tmp_path).record([long], {"update": 1})
    assert RunFolder(tmp_path).episodes() == [long]


def test_a_configuration_that_was_changed_is_not_resumed_from(run: Path) -> None:
    path = run / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, "children": 25}))
    with pytest.raises(RunFolderError, match="is not what the search wrote"):
        search(run, 32, resume=True)
    path.write_text("[" * 100_000)
    with pytest.raises(RunFolderError, match="cannot be read"):
        search(run, 32, resume=True)


def test_the_configuration_of_another_run_is_not_resumed_with(run: Path, tmp_path: Path) -> None:
    env = nas_env.ArchitectureEnv(SPACE, worth)
    other = tmp_path / "other"
    agents.run_search(env, "random", 24, seed=1, run_dir=other)
    (run / "config.json").write_bytes((other / "config.json").read_bytes())
    with pytest.raises(RunFolderError, match="belongs to another run"):
        agents.run_search(env, "random", 32, seed=1, run_dir=run, resume=True)
