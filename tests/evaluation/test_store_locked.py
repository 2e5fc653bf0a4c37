"""A store that is locked, deleted or replaced while a search runs: no finished child is lost."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from nas_env.errors import StoreError
from nas_env.evaluation.evaluation import Evaluation
from nas_env.evaluation.store import EvaluationStore, ResultKey
from tests.evaluation.stored import FULL, key


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EvaluationStore]:
    with EvaluationStore(tmp_path / "store.sqlite") as store:
        yield store


def test_a_store_locked_at_the_start_says_by_whom(store: EvaluationStore) -> None:
    store.put(key(0), FULL)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(store.path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None and holder.stdout.readline()
    try:
        pattern = rf"kept it locked.*locked by python[^ ]* \({holder.pid}\)"
        with pytest.raises(StoreError, match=pattern if sys.platform == "linux" else "locked"):
            EvaluationStore(store.path, timeout_s=0.1).check()
        assert store.get(key(0)) is not None, "readers are not held up by a writer"
    finally:
        holder.kill()
        holder.communicate()


HOLDER = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
time.sleep(3600)
"""


@pytest.fixture
def locked(store: EvaluationStore) -> Iterator[sqlite3.Connection]:
    """A store that another program keeps locked, opened by this one before."""
    store.put(key(0), FULL)
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield other
    other.close()


def pending(store: EvaluationStore) -> list[Path]:
    return list(store.path.parent.glob("*.pending"))


def test_a_child_trained_while_the_store_is_locked_is_kept_and_put_in_later(
    store: EvaluationStore, locked: sqlite3.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    store.timeout_s = 0.1
    assert store.put(key(1), FULL) == FULL
    assert store.put(key(2), FULL) == FULL
    assert len(pending(store)) == 2, "durable before anyone sees the reward"
    assert caplog.text.count("kept it locked") == 1, "a notice a minute, not one a child"
    locked.execute("ROLLBACK")
    store.put(key(3), FULL)
    assert [row.key.seed for row in store.rows()] == [0, 1, 2, 3]
    assert not pending(store)


def test_a_child_kept_by_a_search_that_was_killed_is_put_in_by_the_next(
    store: EvaluationStore, locked: sqlite3.Connection
) -> None:
    store.timeout_s = 0.1
    store.put(key(1), FULL)
    locked.execute("ROLLBACK")
    with EvaluationStore(store.path) as another:
        assert another.get(key(1)) == replace(FULL, seed=1, cached=True)
    assert not pending(store)


class WithoutCommit(sqlite3.Connection):
    """As on a disk that takes all of a transaction but its end."""

    def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
        if statement == "COMMIT":
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(statement, *parameters)


def test_a_kept_child_stays_beside_the_store_until_it_is_committed(
    store: EvaluationStore, locked: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.timeout_s = 0.1
    store.put(key(1), FULL)
    locked.execute("ROLLBACK")
    connect = partial(sqlite3.connect, factory=WithoutCommit)
    monkeypatch.setattr("nas_env.evaluation.store.sqlite3.connect", connect)
    with pytest.raises(StoreError, match=r"disk I/O error"):
        EvaluationStore(store.path).check()
    monkeypatch.undo()
    assert len(pending(store)) == 1
    assert EvaluationStore(store.path).get(key(1)) is not None


def test_a_store_deleted_during_a_write_is_noticed_by_that_write(store: EvaluationStore) -> None:
    """What was committed into a file that nobody will find again is not safe."""
    store.put(key(0), FULL)
    with pytest.raises(StoreError, match=r"was deleted while this process used the store"):
        store._write(lambda connection: store.path.unlink())


def test_ctrl_c_while_a_store_is_locked_keeps_the_child(
    store: EvaluationStore, locked: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nas_env.evaluation.store._wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        store.put(key(1), FULL)
    monkeypatch.undo()
    locked.execute("ROLLBACK")
    assert EvaluationStore(store.path).get(key(1)) is not None


def test_a_reader_waits_as_long_as_a_store_is_locked_and_says_so(
    store: EvaluationStore, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(key(0), FULL)
    tries = iter(["database is locked", "database is locked"])

    def busy(connection: sqlite3.Connection, wanted: ResultKey) -> Evaluation | None:
        for text in tries:
            raise sqlite3.OperationalError(text)
        return find(connection, wanted)

    find, store.timeout_s = store._find, 0.0
    monkeypatch.setattr(store, "_find", busy)
    assert store.get(key(0)) is not None
    assert caplog.text.count("Waiting.") == 1


def test_a_damaged_file_of_a_kept_child_is_one_message(
    store: EvaluationStore, locked: sqlite3.Connection
) -> None:
    store.timeout_s = 0.1
    store.put(key(1), FULL)
    locked.execute("ROLLBACK")
    (path,) = pending(store)
    path.write_text(path.read_text().replace("0.30000000000000004", "0.9"))
    with pytest.raises(StoreError, match=r"pending.*is damaged. Delete it"):
        EvaluationStore(store.path).check()
    path.unlink()
    assert len(EvaluationStore(store.path)) == 1


@pytest.mark.parametrize("how", ["deleted", "replaced", "without its log"])
def test_a_store_deleted_or_replaced_while_in_use_is_noticed(
    store: EvaluationStore, tmp_path: Path, how: str
) -> None:
    store.put(key(0), FULL)
    if how == "replaced":
        with EvaluationStore(tmp_path / "other.sqlite") as other:
            other.check()
        (tmp_path / "other.sqlite").replace(store.path)
    else:
        (store.path if how == "deleted" else store.path.with_name("store.sqlite-wal")).unlink()
    what = "deleted" if how == "without its log" else how
    for _ in range(2):
        with pytest.raises(StoreError, match=rf"was {what} while.*start again"):
            store.put(key(1), FULL)
        with pytest.raises(StoreError, match=rf"was {what} while"):
            store.get(key(1))
    store.close()
    for rest in tmp_path.glob("store.sqlite-*[lm]"):
        rest.unlink()
    again = EvaluationStore(store.path)
    assert again.get(key(1)) == replace(FULL, seed=1, cached=True), (
        "the child just trained is not lost"
    )
