"""The result store: whatever was finished is still there, unchanged, for every process."""

import math
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from nas_env.errors import ConfigurationError, StoreError, StoreVersionError
from nas_env.evaluation.evaluation import FAILURES, Failure
from nas_env.evaluation.store import EvaluationStore, open_store
from tests.evaluation.stored import FULL, KEY, key

FAILED = replace(
    FULL, metric=None, state="failed", failure="timeout", message="too slow", curve=(math.nan,)
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EvaluationStore]:
    with EvaluationStore(tmp_path / "store.sqlite") as store:
        yield store


def test_everything_of_an_evaluation_survives(store: EvaluationStore) -> None:
    assert store.put(KEY, FULL) == FULL
    assert EvaluationStore(store.path).get(KEY) == replace(FULL, cached=True)


def test_a_failure_survives_with_its_nan_curve(store: EvaluationStore) -> None:
    store.put(KEY, FAILED)
    found = store.get(KEY)
    assert found is not None
    assert (found.metric, found.failure, found.message) == (None, "timeout", "too slow")
    assert math.isnan(found.curve[0])


def test_every_part_of_the_key_tells_results_apart(store: EvaluationStore) -> None:
    store.put(KEY, FULL)
    others = (
        replace(KEY, architecture="{}"),
        replace(KEY, dataset="x"),
        replace(KEY, recipe="x"),
        replace(KEY, seed=0),
    )
    assert [store.get(other) for other in others] == [None] * 4
    assert KEY in store


def test_first_writer_wins_and_the_second_gets_the_first_result(store: EvaluationStore) -> None:
    store.put(KEY, FULL)
    returned = store.put(KEY, replace(FULL, metric=0.2))
    assert (returned.metric, returned.cached) == (FULL.metric, True)
    assert len(store) == 1


def test_finished_rows_cannot_be_changed_even_by_hand(store: EvaluationStore) -> None:
    store.put(KEY, FULL)
    store.close()
    connection = sqlite3.connect(store.path)
    with pytest.raises(sqlite3.IntegrityError, match="immutable"):
        connection.execute("UPDATE evaluations SET metric = 1.0")
    connection.close()
    assert store.get(KEY) == replace(FULL, cached=True)


@pytest.mark.parametrize("metric", [math.nan, math.inf])
def test_nan_is_stored_as_a_typed_failure(store: EvaluationStore, metric: float) -> None:
    stored = store.put(KEY, replace(FULL, metric=metric))
    assert (stored.state, stored.failure, stored.metric) == ("failed", "diverged", None)
    assert store.get(KEY) == replace(stored, cached=True)


def test_failures_can_be_forgotten_by_kind(store: EvaluationStore) -> None:
    store.put(key(0), FULL)
    for number, failure in enumerate(get_args(Failure)[1:], 1):
        store.put(key(number), replace(FAILED, failure=failure))
    assert store.forget_failures(["timeout", "worker_lost"]) == 2
    assert len(store) == len(FAILURES) - 1
    assert store.forget_failures() == len(FAILURES) - 2
    assert store.get(key(0)) is not None
    with pytest.raises(ConfigurationError, match="out_of_memory"):
        store.forget_failures(["oom"])


def test_rows_come_oldest_first_in_pages_and_can_be_filtered(store: EvaluationStore) -> None:
    for number in range(7):
        store.put(replace(key(number), dataset="even" if number % 2 == 0 else "odd"), FULL)
    assert [row.key.seed for row in store.rows(page=2)] == list(range(7))
    assert [row.key.seed for row in store.rows(dataset="odd", page=2)] == [1, 3, 5]
    row = next(store.rows())
    assert row.evaluation.metric == FULL.metric
    assert row.hostname
    assert row.created > 1.6e9
    assert not list(store.rows(recipe="other"))


def test_a_reader_in_the_middle_of_the_rows_does_not_block_writers(store: EvaluationStore) -> None:
    for number in range(4):
        store.put(key(number), FULL)
    rows = store.rows(page=2)
    next(rows)
    EvaluationStore(store.path, timeout_s=0.5).put(key(9), FULL)
    assert [row.key.seed for row in rows] == [1, 2, 3, 9]


def test_folders_above_the_store_are_created(tmp_path: Path) -> None:
    assert len(EvaluationStore(tmp_path / "a" / "b" / "store.sqlite")) == 0


def test_store_survives_pickling_and_reopens_after_close(store: EvaluationStore) -> None:
    store.put(KEY, FULL)
    copy = pickle.loads(pickle.dumps(store))
    store.close()
    store.close()
    assert KEY in copy
    assert KEY in store


WRITER = """
    import sys
    from nas_env.evaluation.evaluation import Evaluation
    from nas_env.evaluation.store import EvaluationStore, ResultKey
    path, first, last, name = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    store = EvaluationStore(path)
    for number in range(first, last):
        key = ResultKey("{}", "data", "recipe", number)
        store.get(key)
        evaluation = Evaluation("{}", number, "metric", float(number), "complete", message=name)
        store.put(key, evaluation)
        print(number, flush=True)
"""


def start_writer(path: Path, first: int, last: int, name: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", textwrap.dedent(WRITER), str(path), str(first), str(last)]
    return subprocess.Popen([*command, name], stdout=subprocess.PIPE, text=True)


def test_many_processes_at_once_lose_no_row(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"  # all of them create it, too
    writers = [start_writer(path, 20 * n, 20 * n + 60, f"writer {n}") for n in range(6)]
    for writer in writers:
        writer.communicate()
    assert [writer.returncode for writer in writers] == [0] * 6
    rows = list(EvaluationStore(path).rows())
    assert sorted(row.key.seed for row in rows) == list(range(160))
    assert all(row.evaluation.metric == row.key.seed for row in rows)


def test_a_killed_writer_loses_nothing_it_had_put(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    writer = start_writer(path, 0, 10**9, "victim")
    assert writer.stdout is not None
    done = [writer.stdout.readline() for _ in range(50)]
    os.kill(writer.pid, signal.SIGKILL)
    done += writer.stdout.readlines()
    writer.wait()
    writer.stdout.close()
    store = EvaluationStore(path, timeout_s=1.0)
    finished = [int(line) for line in done if line.endswith("\n")]
    assert len(finished) >= 50
    assert all(replace(KEY, architecture="{}", seed=number) in store for number in finished)
    store.put(KEY, FULL)  # and no lock is left behind


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_opens_the_store_itself(store: EvaluationStore) -> None:
    store.put(key(0), FULL)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            store.put(key(1), FULL)
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    store.put(key(2), FULL)
    assert len(store) == 3


def test_another_schema_version_says_found_and_expected(store: EvaluationStore) -> None:
    store.put(KEY, FULL)
    store.close()
    connection = sqlite3.connect(store.path)
    connection.execute("UPDATE meta SET value = '99' WHERE name = 'schema_version'")
    connection.commit()
    connection.close()
    with pytest.raises(StoreVersionError, match=r"version 99.*expects 2.*another file"):
        store.get(KEY)


def test_a_file_that_is_not_a_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("These are my notes. " * 500)
    with pytest.raises(StoreError, match=r"not an SQLite database.*another file"):
        open_store(path)
    assert path.read_text().startswith("These are my notes.")


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "photos.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE photos (name TEXT)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"another program \(tables: photos\)"):
        open_store(path)
    assert path.read_bytes() == before


def test_a_damaged_store_is_an_error_not_a_wrong_result(store: EvaluationStore) -> None:
    for number in range(200):
        store.put(key(number), FULL)
    store.close()
    content = bytearray(store.path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    store.path.write_bytes(content)
    with pytest.raises(StoreError, match=r"damaged|another file"):
        store.get(KEY)


def test_a_folder_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"is a folder.*Name a file in it"):
        open_store(tmp_path)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a file system nobody can write")
def test_a_folder_that_cannot_be_written_is_an_error_at_once() -> None:
    with pytest.raises(StoreError, match=r"/proc/nas\.sqlite cannot be used"):
        open_store("/proc/nas.sqlite")


def test_something_that_is_no_path_is_refused() -> None:
    with pytest.raises(StoreError, match="3"):
        open_store(3)  # type: ignore[arg-type]
    assert open_store(None) is None


def fill_the_disk(store: EvaluationStore) -> None:
    """Let the database grow no further: SQLite then fails as on a full disk."""
    len(store)
    assert store._connection is not None
    (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
    store._connection.execute(f"PRAGMA max_page_count = {pages}")


def test_a_full_disk_is_a_clear_error_and_loses_nothing(store: EvaluationStore) -> None:
    fill_the_disk(store)
    finished = []
    with pytest.raises(StoreError, match=r"disk is full.*Free some space"):
        for number in range(1000):
            store.put(key(number), replace(FULL, message="x" * 1000))
            finished.append(key(number))
    store.close()  # opening again has no page limit: space was freed
    assert len(store) == len(finished) + 1, "the one that did not fit was kept beside the store"
    store.put(key(5000), FULL)
    assert all(item in store for item in finished)
