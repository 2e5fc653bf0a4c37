"""What a store holds is as it was written, or an error: damage, hands, other programs, versions."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nas_env.errors import StoreError
from nas_env.evaluation import store_rows, store_schema
from nas_env.evaluation.evaluation import Evaluation
from nas_env.evaluation.store import EvaluationStore, ResultKey, open_store

GOLDEN = Path(__file__).parents[1] / "golden" / "store.db"
KEY = ResultKey('{"kind":"toy"}', "data", "recipe", 7)
FULL = Evaluation(KEY.architecture, 7, "accuracy", 0.625, "complete", curve=(0.5, 0.625))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EvaluationStore]:
    with EvaluationStore(tmp_path / "store.sqlite") as store:
        store.put(KEY, FULL)
        store.close()
        yield store


def by_hand(store: EvaluationStore, *statements: str) -> None:
    connection = sqlite3.connect(store.path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


IMMUTABLE = store_schema._IMMUTABLE


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("metric", "0.75"),
        ("architecture", "'{}'"),
        ("dataset", "'other'"),
        ("seed", "8"),
        ("metric_name", "'perplexity'"),
        ("message", "'x'"),
        ("curve", "'[0.5, 0.75]'"),
        ("parameters", "1"),
        ("macs", "1"),
        ("train_seconds", "1.0"),
        ("numerics", "'bfloat16'"),
        ("created", "1.0"),
        ("hostname", "'other'"),
        ("digest", "NULL"),
        ("digest", "'0'"),
    ],
)
def test_a_value_that_is_not_the_one_written_is_an_error_that_names_the_row(
    store: EvaluationStore, column: str, value: str
) -> None:
    change = f"UPDATE evaluations SET {column} = {value}"
    by_hand(store, "DROP TRIGGER finished_rows_are_immutable", change, IMMUTABLE)
    with pytest.raises(StoreError, match=r"Row 1 of the store .* is damaged: .*DELETE FROM"):
        list(store.rows())
    if column not in ("architecture", "dataset", "seed"):  # else it is not found by its key
        with pytest.raises(StoreError, match="Row 1"):
            store.get(KEY)
        with pytest.raises(StoreError, match="Row 1"):
            store.put(KEY, FULL)


def put_by_hand(store: EvaluationStore, **changes: object) -> None:
    """A row as ``FULL`` but for the changes, by someone who has computed the digest."""
    values = dict(zip(store_rows.COLUMNS, store_rows.to_row(KEY, FULL)[:-1], strict=True))
    values |= {"architecture": "{}"} | changes
    shown = [repr(one) if isinstance(one, bytes) else one for one in values.values()]
    row = (*values.values(), store_rows.digest_of(shown))
    columns = ", ".join((*store_rows.COLUMNS, "digest"))
    connection = sqlite3.connect(store.path)
    marks = ", ".join("?" * len(row))
    connection.execute(f"INSERT INTO evaluations ({columns}) VALUES ({marks})", row)
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *(("metric", "abc"), ("metric", float("inf")), ("metric", b"x"), ("seed", -1)),
        *(("curve", "7"), ("curve", "["), ("curve", '["x"]'), ("curve", "[" * 10000)),
        *(("parameters", -1), ("macs", "many"), ("train_seconds", float("inf"))),
        *(("created", "now"), ("hostname", b"\xff"), ("failure", "tired")),
        *(("architecture", "small"), ("architecture", "[1]"), ("architecture", "[" * 10000)),
        *(("metric_name", "f1"), ("numerics", "a\nb"), ("created", 1e308), ("created", -1.0)),
        ("train_seconds", 9e18),
    ],
)
def test_a_hand_made_row_with_values_that_cannot_be_is_refused(
    store: EvaluationStore, column: str, value: object
) -> None:
    """Also if whoever made it has computed the digest."""
    failed = {"state": "failed", "metric": None} if column == "failure" else {}
    put_by_hand(store, **{column: value, **failed})
    with pytest.raises(StoreError, match=rf"Row 2 .* is damaged: its {column} is "):
        list(store.rows())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metric": 1.01}, "its accuracy is 1.01, not from 0 to 1"),
        ({"metric": -0.01}, "its accuracy is -0.01, not from 0 to 1"),
        ({"metric": 0.5, "curve": "[0.6, 0.7]"}, "its accuracy is 0.5, outside its curve"),
        ({"metric": 0.8, "curve": "[0.6, 0.7]"}, "its accuracy is 0.8, outside its curve"),
        (
            {"metric_name": "perplexity", "metric": 0.99},
            "its perplexity is 0.99, not from 1 to inf",
        ),
    ],
)
def test_a_hand_made_row_whose_values_contradict_each_other_is_refused(
    store: EvaluationStore, changes: dict[str, object], message: str
) -> None:
    put_by_hand(store, **changes)
    with pytest.raises(StoreError, match=rf"Row 2 .* is damaged: {message}"):
        list(store.rows())


def test_a_users_function_may_measure_an_accuracy_in_percent(store: EvaluationStore) -> None:
    key = ResultKey(KEY.architecture, "callable", "mine", 7)
    store.put(key, replace(FULL, metric=93.5, curve=()))
    found = store.get(key)
    assert found is not None and found.metric == 93.5


def test_a_hand_made_row_without_a_digest_is_not_let_in(store: EvaluationStore) -> None:
    copy = f"INSERT INTO evaluations ({', '.join(store_rows.COLUMNS)}) SELECT "
    columns = [f"'{name}'" if name == "dataset" else name for name in store_rows.COLUMNS]
    with pytest.raises(sqlite3.IntegrityError, match="a newer nas_env uses this store"):
        by_hand(store, f"{copy}{', '.join(columns)} FROM evaluations")


@pytest.mark.parametrize(
    "statements",
    [
        ("CREATE TRIGGER theirs AFTER INSERT ON evaluations BEGIN DELETE FROM meta; END",),
        ("CREATE VIEW theirs AS SELECT 1",),
        ("CREATE TABLE theirs (name TEXT)",),
        ("CREATE INDEX theirs ON evaluations (abs(metric))",),
        ("DROP TRIGGER finished_rows_are_immutable",),
        (
            "DROP TRIGGER finished_rows_are_immutable",
            "CREATE TRIGGER finished_rows_are_immutable BEFORE INSERT ON evaluations BEGIN "
            "INSERT INTO meta SELECT hex(randomblob(9)), 1; END",
        ),
        # A view in the place of a table: reading one row of it would never end.
        (
            "ALTER TABLE meta RENAME TO theirs",
            "CREATE VIEW meta AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
            "SELECT 'x' AS name, i AS value FROM n",
        ),
    ],
)
def test_a_store_with_triggers_views_or_tables_of_its_own_is_refused_untouched(
    store: EvaluationStore, statements: tuple[str, ...]
) -> None:
    by_hand(store, *statements)
    before = store.path.read_bytes()
    with pytest.raises(StoreError, match=r"has not put there or lacks.*another file"):
        open_store(store.path)
    assert store.path.read_bytes() == before


def test_statistics_that_a_tool_of_sqlite_adds_do_no_harm(store: EvaluationStore) -> None:
    by_hand(store, "ANALYZE")
    assert store.get(KEY) == replace(FULL, cached=True)


def test_a_store_of_version_1_is_read_and_its_rows_are_guarded_from_then_on(tmp_path: Path) -> None:
    shutil.copy(GOLDEN, tmp_path / "store.sqlite")
    store = EvaluationStore(tmp_path / "store.sqlite")
    rows = list(store.rows())
    store.close()
    assert len(rows) == 16
    assert rows[0].evaluation.metric == 0.16
    change = "UPDATE evaluations SET metric = 0.99 WHERE id = 3"
    by_hand(store, "DROP TRIGGER finished_rows_are_immutable", change, IMMUTABLE)
    with pytest.raises(StoreError, match="Row 3"):
        store.get(rows[2].key)
    assert store.get(rows[3].key) == rows[3].evaluation


def test_a_row_of_version_1_that_cannot_be_right_is_refused(tmp_path: Path) -> None:
    shutil.copy(GOLDEN, tmp_path / "store.sqlite")
    store = EvaluationStore(tmp_path / "store.sqlite")
    change = "UPDATE evaluations SET metric = 'abc' WHERE id = 3"
    by_hand(store, "DROP TRIGGER finished_rows_are_immutable", change, IMMUTABLE)
    with pytest.raises(StoreError, match=r"Row 3 .* its metric is 'abc'"):
        list(store.rows())
    by_hand(store, "DELETE FROM evaluations WHERE id = 3")
    assert len(list(store.rows())) == 15


def test_an_upgrade_by_another_process_while_the_version_is_read_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "store.sqlite"
    shutil.copy(GOLDEN, path)
    master = store_schema._master
    calls: list[frozenset[tuple[str, str, str]]] = []

    def interrupted(connection: sqlite3.Connection) -> frozenset[tuple[str, str, str]]:
        found = master(connection)
        on_disk = connection.execute("PRAGMA database_list").fetchone()[2]
        if on_disk and not calls:
            calls.append(found)
            EvaluationStore(path).check()  # upgrades it
        return found

    monkeypatch.setattr(store_schema, "_master", interrupted)
    with EvaluationStore(path) as store:
        assert len(list(store.rows())) == 16
    assert len(calls) == 1


OPENER = """
import sys
from nas_env.evaluation.store import EvaluationStore
print(len(list(EvaluationStore(sys.argv[1]).rows())))
"""


def test_processes_that_upgrade_one_store_at_once_all_read_it(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    shutil.copy(GOLDEN, path)
    command = [sys.executable, "-c", OPENER, str(path)]
    openers = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert [opener.communicate(timeout=300) for opener in openers] == [("16\n", "")] * 4


def test_a_process_of_an_older_version_that_has_the_store_open_is_told(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    shutil.copy(GOLDEN, path)
    older = sqlite3.connect(path, isolation_level=None)
    older.execute("SELECT count(*) FROM evaluations").fetchone()
    EvaluationStore(path).check()
    names = ", ".join(store_rows.COLUMNS)
    values = store_rows.to_row(KEY, FULL)[:-1]
    with pytest.raises(sqlite3.IntegrityError, match="a newer nas_env uses this store"):
        older.execute(
            f"INSERT INTO evaluations ({names}) VALUES ({', '.join('?' * len(values))})", values
        )
    older.close()


def test_a_new_store_and_an_upgraded_one_are_the_same() -> None:
    """Else one of them would be refused."""
    path = ":memory:"
    connection = sqlite3.connect(path, isolation_level=None)
    for version in (1, 2):
        store_schema._step(connection, version)
    assert store_schema._master(connection) == store_schema._master_of(2)
    connection.close()


def test_a_metric_of_minus_zero_is_not_taken_for_damage(store: EvaluationStore) -> None:
    key = replace(KEY, seed=8)
    store.put(key, replace(FULL, metric=-0.0, curve=()))
    found = store.get(key)
    assert found is not None
    assert found.metric == 0.0
