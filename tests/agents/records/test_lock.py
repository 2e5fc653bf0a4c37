"""One search at a time in a run folder, and what the one that comes second is told."""

import errno
import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import agents
import nas_env
from agents.commands.draw import main as draw
from agents.commands.report import main as report
from agents.commands.train import main as train
from agents.records.lock import NAME, FolderLock
from nas_env.errors import RunFolderError

ROOT = Path(__file__).parents[3]
SPACE = nas_env.ChoiceSpace({"width": [8, 16, 32, 64], "size": [1, 3, 5]})
HOLDER = """
import sys, time
from pathlib import Path
from agents.records.lock import FolderLock
lock = FolderLock(Path(sys.argv[1]))
lock.take()
print("held", flush=True)
time.sleep(300)
"""


def environment(function: Callable[[Any, int], float]) -> nas_env.ArchitectureEnv:
    return nas_env.ArchitectureEnv(SPACE, function)


def worth(architecture: Any, seed: int) -> float:
    return float(architecture["width"] / 64 + architecture["size"] / 5)


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def holder(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that holds the lock of ``run``."""
    process = hold(tmp_path / "run")
    yield process
    process.kill()
    process.wait()


def hold(folder: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "held\n"
    return process


def test_a_second_search_is_told_who_searches_there_and_changes_nothing(
    tmp_path: Path, holder: "subprocess.Popen[str]", capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    before = snapshot(tmp_path)
    flags = ["--env", "NAS-Digits-Table-v0", "--children", "8", "--run-dir", str(run)]
    assert train(flags) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    said = rf"error: .*run is in use: the process {holder.pid} on {socket.gethostname()}, since \d"
    assert re.match(said, error), error
    assert "name another folder" in error
    assert {k: v for k, v in snapshot(tmp_path).items() if "store" not in k} == before


def test_a_kill_lets_go_of_the_folder(tmp_path: Path, holder: "subprocess.Popen[str]") -> None:
    with pytest.raises(RunFolderError, match="in use"):
        FolderLock(tmp_path / "run").take()
    holder.kill()
    holder.wait()
    assert (tmp_path / "run" / NAME).exists(), "what it left behind counts for nothing"
    result = agents.run_search(environment(worth), "random", 8, run_dir=tmp_path / "run")
    assert len(result.episodes) == 8
    assert not (tmp_path / "run" / NAME).exists()


def test_a_running_search_keeps_a_second_resume_out_from_begin_to_end(tmp_path: Path) -> None:
    run = tmp_path / "run"
    tries: list[str] = []

    def second(architecture: Any, seed: int) -> float:
        if len(tries) < 3:
            with pytest.raises(RunFolderError, match="this process") as caught:
                agents.run_search(environment(worth), "random", 24, run_dir=run, resume=True)
            tries.append(str(caught.value))
        return worth(architecture, seed)

    result = agents.run_search(environment(second), "random", 24, run_dir=run)
    assert len(tries) == 3
    assert len((run / "episodes.csv").read_text().splitlines()) == 25
    alone = agents.run_search(environment(worth), "random", 24)
    assert [e.tokens for e in result.episodes] == [e.tokens for e in alone.episodes]


def test_the_lock_is_held_while_observers_finish(tmp_path: Path) -> None:
    from agents.observer import Observer
    from agents.search.search import Search, SearchSettings

    said: list[str] = []

    class Late(Observer):
        def begin(self, start: Any) -> None: ...

        def update(self, row: Any, fresh: Any) -> None: ...

        def finish(self, result: Any, exit_code: int) -> None:
            with pytest.raises(RunFolderError, match="in use"):
                FolderLock(tmp_path / "run").take()
            said.append("finished")

    search = Search(environment(worth), "random", SearchSettings(8), tmp_path / "run")
    search.observers.add(Late())
    search.run()
    assert said == ["finished"]
    FolderLock(tmp_path / "run").take()


def test_of_eight_fresh_starts_in_threads_one_searches(tmp_path: Path) -> None:
    outcomes: list[str] = []
    start = threading.Barrier(8)

    def search(number: int) -> None:
        start.wait()
        try:
            agents.run_search(environment(slow), "random", 16, run_dir=tmp_path / "run")
            outcomes.append("searched")
        except RunFolderError as error:
            outcomes.append(str(error))

    def slow(architecture: Any, seed: int) -> float:
        time.sleep(0.02)
        return worth(architecture, seed)

    threads = [threading.Thread(target=search, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("searched") == 1, outcomes
    assert all("in use" in one or "holds a run" in one for one in outcomes if one != "searched")
    assert len((tmp_path / "run" / "episodes.csv").read_text().splitlines()) == 17


def test_a_fork_does_not_keep_the_folder_after_its_parent(tmp_path: Path) -> None:
    code = HOLDER.replace(
        'print("held", flush=True)',
        # The fork says so itself: then it has let go, however late it came to run.
        "import os\nif not os.fork(): print(os.getpid(), flush=True)",
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    with process.stdout:
        child = int(process.stdout.readline())
    try:
        process.kill()
        process.wait()
        os.kill(child, 0)  # the fork lives on
        FolderLock(tmp_path).take()
    finally:
        os.kill(child, signal.SIGKILL)


def test_reports_and_pictures_are_made_while_a_search_holds_the_folder(tmp_path: Path) -> None:
    run = tmp_path / "run"
    flags = ["--env", "NAS-Digits-Table-v0", "--agent", "random", "--no-progress"]
    assert train([*flags, "--children", "8", "--run-dir", str(run)]) == 0
    lock = FolderLock(run)
    lock.take()
    assert report([str(run)]) == 0
    assert draw([str(run), str(tmp_path / "choices.svg")]) == 0
    lock.release()


def test_a_file_system_without_locks_is_said_once_and_the_search_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(handle: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = agents.run_search(environment(worth), "random", 24, run_dir=tmp_path / "run")
    assert len(result.episodes) == 24
    assert [str(w.message) for w in caught if "cannot be locked" in str(w.message)] == [
        f"{tmp_path / 'run'} cannot be locked (No locks available): make sure that no other "
        "search uses it."
    ]


@pytest.mark.parametrize("note", [b"", b"{", b'{"pid": []}', json.dumps({"pid": 1}).encode()])
def test_a_lock_that_is_not_signed_yet_is_still_a_lock(note: bytes, tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    lock.take()
    (tmp_path / NAME).write_bytes(note)
    with pytest.raises(RunFolderError, match="in use: another process searches in it"):
        FolderLock(tmp_path).take()
    lock.release()


def test_a_refused_start_leaves_no_folder_behind(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite").mkdir()
    flags = ["--env", "NAS-Digits-v0", "--children", "8", "--evaluator", "local"]
    assert train([*flags, "--run-dir", str(tmp_path / "run")]) == 2
    assert not (tmp_path / "run").exists()
