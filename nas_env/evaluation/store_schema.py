"""Tables of the result store, their version, and what SQLite's errors mean for a user."""

import sqlite3
import time
from pathlib import Path

from nas_env.errors import StoreError, StoreVersionError

SCHEMA_VERSION = 1

_TABLES = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    f"INSERT INTO meta VALUES ('schema_version', '{SCHEMA_VERSION}')",
    # The CHECKs keep out what no reader could interpret, whoever writes. SQLite stores NaN as NULL.
    """
    CREATE TABLE evaluations (
        id            INTEGER PRIMARY KEY,
        architecture  TEXT NOT NULL,
        dataset       TEXT NOT NULL,
        recipe        TEXT NOT NULL,
        seed          INTEGER NOT NULL,
        metric_name   TEXT NOT NULL,
        metric        REAL,
        state         TEXT NOT NULL CHECK (state IN ('complete', 'failed')),
        failure       TEXT NOT NULL,
        message       TEXT NOT NULL,
        curve         TEXT NOT NULL,     -- JSON list, oldest epoch first
        parameters    INTEGER NOT NULL,
        macs          INTEGER NOT NULL,
        train_seconds REAL NOT NULL,
        numerics      TEXT NOT NULL,
        created       REAL NOT NULL,     -- seconds since 1970
        hostname      TEXT NOT NULL,
        UNIQUE (architecture, dataset, recipe, seed),
        CHECK ((state = 'complete') = (metric IS NOT NULL)),
        CHECK ((state = 'complete') = (failure = ''))
    )
    """,
    """
    CREATE TRIGGER finished_rows_are_immutable BEFORE UPDATE ON evaluations
    BEGIN SELECT RAISE(ABORT, 'finished evaluations are immutable'); END
    """,
)


def ensure_schema(connection: sqlite3.Connection, path: Path, timeout_s: float) -> None:
    """Configure the connection, create the tables in a new file, check the version of an old one.

    Raises:
        StoreVersionError: another version of nas_env wrote the file.
        StoreError: an SQLite file of another program.
    """
    # Look before switching the journal mode: a foreign database must stay as it is.
    version = _version(connection, path)
    _use_write_ahead_log(connection, timeout_s)
    connection.execute("PRAGMA synchronous=FULL")
    if version is None:
        _create(connection, path)
        version = _version(connection, path)
    if version != str(SCHEMA_VERSION):
        raise StoreVersionError(
            f"The store {path} has schema version {version}, this nas_env expects "
            f"{SCHEMA_VERSION}. Name another file as the store, or use the nas_env that wrote it."
        )


def _version(connection: sqlite3.Connection, path: Path) -> str | None:
    """The schema version; None in a file without tables."""
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    if not tables:
        return None
    if not {"meta", "evaluations"} <= tables:
        raise StoreError(
            f"{path} is an SQLite database of another program (tables: "
            f"{', '.join(sorted(tables))}). Name another file as the store."
        )
    row = connection.execute("SELECT value FROM meta WHERE name = 'schema_version'").fetchone()
    return "missing" if row is None else str(row[0])


def _use_write_ahead_log(connection: sqlite3.Connection, timeout_s: float) -> None:
    """Switch to the write-ahead log; SQLite does not wait for other openers here, so retry.

    Where the file system cannot do it SQLite keeps its older journal, slower but as safe.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").fetchone()
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _create(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _version(connection, path) is None:  # else another process was faster
            for statement in _TABLES:
                connection.execute(statement)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


_MEANINGS = (
    ("full", "the disk is full. Free some space and resume: what had finished is stored"),
    ("locked", "other processes kept it locked. Try again, or give this search its own store"),
    ("not a database", "it is not an SQLite database. Name another file as the store"),
    ("malformed", "the file is damaged. Restore a copy, or name another file as the store"),
    ("readonly", "it cannot be written. Change its permissions, or name another file"),
    ("unable to open", "it cannot be opened. A store is a file in a folder that can be written"),
    ("disk i/o", "the disk cannot be read or written (full, over quota, or failing)"),
)


def store_error(path: Path, error: Exception) -> StoreError:
    """A StoreError that says what SQLite's or the system's error means and what to do."""
    if path.is_dir():
        return StoreError(f"The store {path} is a folder. Name a file in it, such as store.sqlite.")
    text = str(error)
    for part, meaning in _MEANINGS:
        if part in text.lower():
            return StoreError(f"The store {path} cannot be used: {meaning}. (SQLite: {text})")
    return StoreError(f"The store {path} cannot be used: {text}. Name another file as the store.")
