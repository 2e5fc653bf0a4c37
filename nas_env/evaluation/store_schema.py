"""Tables of the result store, their versions, and what SQLite's errors mean for a user.

Version 2 gave each row a digest. A store of version 1 is brought up to date where it is opened: its
rows get the digest of what they hold then, unless that is nothing an evaluation gives.
"""

import sqlite3
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from nas_env.errors import StoreError, StoreVersionError
from nas_env.evaluation.store_locks import lock_holders
from nas_env.evaluation.store_rows import COLUMNS, digest_of, wrong_with

SCHEMA_VERSION = 2

_IMMUTABLE = """
    CREATE TRIGGER finished_rows_are_immutable BEFORE UPDATE ON evaluations
    BEGIN SELECT RAISE(ABORT, 'finished evaluations are immutable'); END
    """
_VERSION_1 = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "INSERT INTO meta VALUES ('schema_version', '1')",
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
    _IMMUTABLE,
)
_TO_VERSION_2 = (
    "ALTER TABLE evaluations ADD COLUMN digest TEXT",
    "DROP TRIGGER finished_rows_are_immutable",
    *("digests", _IMMUTABLE),  # between the two, old rows get their digests
    # A process of an older nas_env that has the file open since before the upgrade ends here.
    """
    CREATE TRIGGER rows_have_a_digest BEFORE INSERT ON evaluations WHEN NEW.digest IS NULL
    BEGIN SELECT RAISE(ABORT, 'a newer nas_env uses this store, in which rows have a digest'); END
    """,
    "UPDATE meta SET value = '2' WHERE name = 'schema_version'",
)


def ensure_schema(connection: sqlite3.Connection, path: Path, timeout_s: float) -> None:
    """Configure the connection, create the tables in a new file, bring an old one up to date.

    Raises:
        StoreVersionError: a newer nas_env wrote the file.
        StoreError: an SQLite file of another program, or with things in it that are not nas_env's.
    """
    _distrust(connection)
    # Look before switching the journal mode: a foreign database must stay as it is.
    version = _version_now(connection, path)
    for (complaint,) in connection.execute("PRAGMA integrity_check(1)"):
        if complaint != "ok":
            raise sqlite3.DatabaseError(f"malformed: {complaint}")
    _use_write_ahead_log(connection, timeout_s)
    connection.execute("PRAGMA synchronous=FULL")
    if version != SCHEMA_VERSION:
        _upgrade(connection, path)


def _distrust(connection: sqlite3.Connection) -> None:
    """Run nothing that a file brings along: it may come from anyone."""
    connection.execute("PRAGMA trusted_schema=OFF")
    connection.execute("PRAGMA cell_size_check=ON")
    if sys.version_info >= (3, 12):
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE, True)
    # A text that is not UTF-8 is to be an error that names its row.
    connection.text_factory = lambda text: text.decode(errors="surrogateescape")


def _version_now(connection: sqlite3.Connection, path: Path) -> int:
    """The schema version, all of it read at one instant: another process may be upgrading."""
    connection.execute("BEGIN")
    try:
        return _version(connection, path)
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """The schema version, 0 of a file without tables; it reads tables only where they are ours."""
    found = _master(connection)
    for version in range(SCHEMA_VERSION + 1):
        if found == _master_of(version):
            break
    else:
        version = -1
    if version == 0:
        return 0
    names = sorted(name for _, name, _ in found)
    if not {"meta", "evaluations"} <= set(names):
        raise StoreError(
            f"{path} is an SQLite database of another program (tables: "
            f"{_plain(names)}). Name another file as the store."
        )
    written = "unknown"
    if ("table", "meta", _VERSION_1[0]) in found:  # a view of this name may never end
        query = "SELECT value FROM meta WHERE name = 'schema_version'"
        row = connection.execute(query).fetchone()
        written = "missing" if row is None else str(row[0])
    if written in map(str, range(1, SCHEMA_VERSION + 1)) or written == "unknown":
        if written != str(version):
            ours = _master_of(SCHEMA_VERSION)
            strange = sorted(f"{kind} {name}" for kind, name, _ in found - ours) or ["some missing"]
            raise StoreError(
                f"The store {path} holds what nas_env has not put there or lacks what it has "
                f"({_plain(strange)}). Restore a copy, or name another file as the store."
            )
        return version
    raise StoreVersionError(
        f"The store {path} has schema version {_plain([written])}, this nas_env expects "
        f"{SCHEMA_VERSION}. Name another file as the store, or use the nas_env that wrote it."
    )


def _plain(names: Sequence[str]) -> str:
    """Names that any file may have brought, for a message."""
    return ", ".join(names)[:200].encode("ascii", "backslashreplace").decode()


def _master(connection: sqlite3.Connection) -> frozenset[tuple[str, str, str]]:
    """Kind, name and SQL of all that a file defines; SQLite's own indices and statistics aside."""
    query = "SELECT type, name, sql FROM sqlite_master"
    return frozenset(
        (str(kind), str(name), "" if sql is None else str(sql))
        for kind, name, sql in connection.execute(query)
        if not (kind == "index" and sql is None and str(name).startswith("sqlite_autoindex_"))
        and not (kind == "table" and name in ("sqlite_stat1", "sqlite_stat4"))
    )


@cache
def _master_of(version: int) -> frozenset[tuple[str, str, str]]:
    """What a file of that version defines."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        for target in range(1, version + 1):
            _step(connection, target)
        return _master(connection)
    finally:
        connection.close()


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


def _upgrade(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have been faster.
        for target in range(_version(connection, path) + 1, SCHEMA_VERSION + 1):
            _step(connection, target)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _step(connection: sqlite3.Connection, target: int) -> None:
    """From version ``target - 1`` to ``target``."""
    for statement in _VERSION_1 if target == 1 else _TO_VERSION_2:
        if statement == "digests":
            _add_digests(connection)
        else:
            connection.execute(statement)


def _add_digests(connection: sqlite3.Connection) -> None:
    """Give rows of version 1 their digest; one that cannot be right is left without."""
    query = f"SELECT id, {', '.join(COLUMNS)} FROM evaluations WHERE id > ? ORDER BY id LIMIT 500"
    last = -(2**63)
    while rows := connection.execute(query, (last,)).fetchall():
        good = [(digest_of(row), number) for number, *row in rows if not wrong_with(row)]
        connection.executemany("UPDATE evaluations SET digest = ? WHERE id = ?", good)
        last = rows[-1][0]


_MEANINGS = (
    ("full", "the disk is full. Free some space and resume: what had finished is stored"),
    ("locked", "other processes kept it locked. Try again, or give this search its own store"),
    ("not a database", "it is not an SQLite database. Name another file as the store"),
    ("malformed", "the file is damaged. Restore a copy, or name another file as the store"),
    ("codec", "the file is damaged. Restore a copy, or name another file as the store"),
    ("readonly", "it cannot be written. Change its permissions, or name another file"),
    ("unable to open", "it cannot be opened. A store is a file in a folder that can be written"),
    ("disk i/o", "the disk cannot be read or written (full, over quota, or failing)"),
)


def store_error(path: Path, error: Exception) -> StoreError:
    """A StoreError that says what SQLite's or the system's error means and what to do."""
    if path.is_dir():
        return StoreError(f"The store {path} is a folder. Name a file in it, such as store.sqlite.")
    text = " ".join(str(error).split())
    holders = lock_holders(path) if "locked" in text else ""
    if holders:
        text = f"{text} by {holders}"
    for part, meaning in _MEANINGS:
        if part in text.lower():
            return StoreError(f"The store {path} cannot be used: {meaning}. (SQLite: {text})")
    return StoreError(f"The store {path} cannot be used: {text}. Name another file as the store.")
