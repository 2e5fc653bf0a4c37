"""The result store: every finished evaluation in one SQLite file, shared by many processes.

A row holds the metric, never the reward. Its key is what determines the metric: canonical
architecture, data-set digest, recipe digest and the child's seed. A finished row never changes:
the first writer wins. Failures are finished rows too, so that a resumed search sees what the
interrupted one saw; ``forget_failures`` takes them out to be tried again.

Durability: write-ahead log with ``synchronous=FULL``, so a row that ``put`` returned survives
SIGKILL and a power cut (a commit costs one fsync, milliseconds against seconds of training). The
write-ahead log needs a local disk; a network file system may not keep many machines apart. A row
that cannot be put in is kept in a file beside the store (``store_pending.py``).
"""

import logging
import math
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple
from pathlib import Path
from typing import Any, TypeVar

from nas_env.errors import ConfigurationError, StoreError
from nas_env.evaluation.evaluation import FAILURES, Evaluation
from nas_env.evaluation.failures import finite
from nas_env.evaluation.store_pending import keep_row, pending_files, pending_row, remove
from nas_env.evaluation.store_rows import (
    COLUMNS,
    ResultKey,
    StoredRow,
    from_row,
    to_row,
    wrong_with,
)
from nas_env.evaluation.store_schema import ensure_schema, store_error
from nas_env.system.folders import user_path

__all__ = ["EvaluationStore", "ResultKey", "StoredRow", "open_store"]

_WRITTEN = ", ".join((*COLUMNS, "digest"))
_SELECT = f"SELECT id, {_WRITTEN} FROM evaluations"
_INSERT = (
    f"INSERT INTO evaluations ({_WRITTEN}) VALUES ({', '.join('?' * (len(COLUMNS) + 1))}) "
    "ON CONFLICT DO NOTHING"
)
_BY_KEY = " WHERE architecture = ? AND dataset = ? AND recipe = ? AND seed = ?"
_SLICE_S = 1.0  # SQLite waits for a lock no longer at a time: Ctrl-C is not heard meanwhile
_NOTICE_S = 60.0  # between two notices of one long wait

_log = logging.getLogger("nas_env.evaluation")
_Result = TypeVar("_Result")


class EvaluationStore:
    """Finished evaluations in one SQLite file. Opens on first use; safe in threads and forks.

    Args:
        path: the file; it and missing folders above it are created on first use.
        timeout_s: how long to wait while other processes write, before giving up or, with a result
            to put in, keeping it beside the store.
    """

    def __init__(self, path: str | Path, timeout_s: float = 60.0) -> None:
        self.path = user_path(path)
        self.timeout_s = timeout_s
        self._connection: sqlite3.Connection | None = None
        self._owner = 0  # the process that opened the connection: SQLite forbids using it in a fork
        self._identity: _Identity = {}
        self._told = -math.inf  # when a notice was last given
        self._kept: list[Path] = []  # files of rows that this process could not put in yet
        self._lock = threading.RLock()

    def get(self, key: ResultKey) -> Evaluation | None:
        """The finished evaluation of ``key`` with ``cached`` True, or None.

        While others keep the store locked it waits, and says so.

        Raises:
            StoreError: the store cannot be opened or read, or the row is damaged.
        """
        return self._patiently(lambda connection: self._find(connection, key))

    def put(
        self,
        key: ResultKey,
        evaluation: Evaluation,
        outdated: Callable[[Evaluation], bool] = lambda _: False,
    ) -> Evaluation:
        """Commit a finished evaluation; it is durable when this returns.

        A NaN or infinite metric is stored as a ``diverged`` failure. Where the store is locked for
        long, or its disk cannot be read or written, the result is kept in a file beside the store
        and goes into it at the next chance.

        Args:
            key: what was trained.
            evaluation: how it ended.
            outdated: whether a row that is there already says nothing any more, such as a timeout
                where more time is granted now; the new row takes its place.

        Returns:
            ``evaluation`` as stored; or, if the key was there already, the row that was there, with
            ``cached`` True.

        Raises:
            StoreError: the store cannot be used, for example because the disk is full, or because
                its file was deleted; the result is kept beside it where that is possible.
        """
        evaluation = finite(evaluation)
        row = to_row(key, evaluation)
        if wrong := wrong_with(row[:-1]):
            raise StoreError(f"An evaluation of {key.architecture:.80} cannot be stored: {wrong}.")

        def insert(connection: sqlite3.Connection) -> Evaluation | None:
            if connection.execute(_INSERT, row).rowcount:
                return None
            found = self._find(connection, key)
            if found is None or not outdated(found):
                return found
            connection.execute("DELETE FROM evaluations" + _BY_KEY, astuple(key))
            connection.execute(_INSERT, row)
            return None

        with self._lock:
            # With results waiting already, the next one need not wait as long as the first.
            limit_s = _SLICE_S if self._kept else self.timeout_s
            try:
                return self._write(insert, limit_s) or evaluation
            except BaseException as error:
                kept = keep_row(self.path, row)
                if kept is None or not _may_pass(error):
                    raise
                self._kept.append(kept)
                self._tell(f"{error} Results are kept in {kept.name} beside it until then.")
                return evaluation

    def rows(
        self, dataset: str | None = None, recipe: str | None = None, page: int = 500
    ) -> Iterator[StoredRow]:
        """All rows, oldest first, optionally of one data set and one recipe (their digests).

        Reads ``page`` rows at a time, so a slow reader does not hold up writers.

        Raises:
            StoreError: the store cannot be opened or read, or a row is damaged.
        """
        query = _SELECT + (
            " WHERE id > ? AND (? IS NULL OR dataset = ?) AND (? IS NULL OR recipe = ?)"
            " ORDER BY id LIMIT ?"
        )
        last = -1
        while True:
            with self._reading() as connection:
                arguments = (last, dataset, dataset, recipe, recipe, page)
                found = connection.execute(query, arguments).fetchall()
            yield from (self._read(row) for row in found)
            if len(found) < page:
                return
            last = found[-1][0]

    def forget_failures(self, kinds: Sequence[str] = FAILURES) -> int:
        """Delete failed rows of the given kinds, so that those children are trained again.

        Returns:
            The number of rows deleted.
        """
        unknown = sorted(set(kinds) - set(FAILURES))
        if unknown:
            raise ConfigurationError(
                f"Unknown kinds of failure {unknown}. Known: {', '.join(FAILURES)}."
            )
        marks = ", ".join("?" * len(kinds))
        query = f"DELETE FROM evaluations WHERE state = 'failed' AND failure IN ({marks})"
        return self._write(lambda connection: connection.execute(query, tuple(kinds)).rowcount)

    def check(self) -> None:
        """Open the store and take its write lock once.

        Raises:
            StoreError: it cannot be opened, or not be written.
        """
        self._write(lambda connection: None)

    def __len__(self) -> int:
        with self._reading() as connection:
            return int(connection.execute("SELECT count(*) FROM evaluations").fetchone()[0])

    def __contains__(self, key: ResultKey) -> bool:
        return self.get(key) is not None

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            if self._kept and self._owner == os.getpid():
                with suppress(StoreError):
                    self._write(lambda connection: None, _SLICE_S)
            if self._connection is not None and self._owner == os.getpid():
                self._connection.close()
            self._connection = None
            if self._kept:
                _log.warning(
                    "%d results for the store %s are in files beside it (%s-*.pending); they go "
                    "into it when it is opened next.",
                    *(len(self._kept), self.path, self.path.name),
                )
                self._kept = []

    def __enter__(self) -> "EvaluationStore":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "timeout_s": self.timeout_s}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def _find(self, connection: sqlite3.Connection, key: ResultKey) -> Evaluation | None:
        row = connection.execute(_SELECT + _BY_KEY, astuple(key)).fetchone()
        if row is None:
            return None
        found = self._read(row)
        if found.key != key:
            raise sqlite3.DatabaseError(f"malformed: the index leads to row {row[0]}")
        return found.evaluation

    def _read(self, row: tuple[Any, ...]) -> StoredRow:
        number, *values, digest = row
        return from_row(self.path, number, tuple(values), digest)

    def _patiently(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """Do it as soon as others let go of the store, however long that takes."""
        while True:
            try:
                with self._reading() as connection:
                    return _wait(lambda: work(connection), self.timeout_s)
            except StoreError as error:
                if not _is_locked(error) or self._connection is None:
                    raise
                self._tell(f"{error} Waiting.")

    def _tell(self, notice: str) -> None:
        """A line on stderr (where logging is not set up otherwise), once a minute at most."""
        if time.monotonic() - self._told >= _NOTICE_S:
            self._told = time.monotonic()
            _log.warning("%s", notice)

    def _write(
        self, work: Callable[[sqlite3.Connection], _Result], limit_s: float | None = None
    ) -> _Result:
        """One transaction, after the rows that wait beside the store."""
        limit_s = self.timeout_s if limit_s is None else limit_s
        with self._reading() as connection:
            return _wait(lambda: self._transaction(connection, work), limit_s)

    def _transaction(
        self, connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], _Result]
    ) -> _Result:
        # The write lock is taken at once, so that the transaction cannot fail half way.
        connection.execute("BEGIN IMMEDIATE")
        try:
            files = pending_files(self.path)
            for path in files:
                connection.executemany(_INSERT, pending_row(path))
            result = work(connection)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self._check_file()  # deleted meanwhile, nothing is durable
        remove(files)
        self._kept = []
        return result

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._open()
            except (sqlite3.Error, OSError, UnicodeError) as error:
                raise store_error(self.path, error) from error

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None and self._owner == os.getpid():
            self._check_file()
            return self._connection
        self._connection = None
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            self.path,
            timeout=min(self.timeout_s, _SLICE_S),
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            _wait(lambda: ensure_schema(connection, self.path, _SLICE_S), self.timeout_s)
            self._identity = _identity_of(self.path)
        except BaseException:
            connection.close()
            raise
        self._connection, self._owner = connection, os.getpid()
        if pending_files(self.path):
            self._write(lambda _: None)
        return connection

    def _check_file(self) -> None:
        """Refuse to go on with a file that is no longer the one that was opened.

        Raises:
            StoreError: the store or its log was deleted or replaced.
        """
        now = _identity_of(self.path)
        for path, identity in self._identity.items():
            if now.get(path) != identity:
                what = "replaced" if path in now else "deleted"
                raise StoreError(
                    f"{path} was {what} while this process used the store {self.path}. Put the "
                    "store back with its log (-wal), or start again: children that are not in the "
                    "store are trained again."
                )


_Identity = dict[Path, tuple[int, int]]  # device and number of each file of a store


def _identity_of(path: Path) -> _Identity:
    found: _Identity = {}
    for part in (path, path.with_name(f"{path.name}-wal")):
        with suppress(FileNotFoundError):
            status = os.stat(part)
            found[part] = status.st_dev, status.st_ino
    return found


def _wait(work: Callable[[], _Result], limit_s: float) -> _Result:
    """Do ``work`` until the database is not locked, for so long at most."""
    deadline = time.monotonic() + limit_s
    while True:
        try:
            return work()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() >= deadline:
                raise


def _is_locked(error: BaseException) -> bool:
    return isinstance(error.__cause__, sqlite3.Error) and "locked" in str(error.__cause__)


def _may_pass(error: BaseException) -> bool:
    """Whether what SQLite complains of may be over at the next child."""
    return _is_locked(error) or "disk i/o" in str(error.__cause__).lower()


def open_store(store: "str | Path | EvaluationStore | None") -> EvaluationStore | None:
    """A store from a path; a store or None as it is.

    Raises:
        StoreError: ``store`` is a folder, or its folder cannot be created or written.
    """
    if isinstance(store, str | Path):
        store = EvaluationStore(store)
        store.check()  # a store that cannot be used is to fail now, not after the first training
    if store is None or isinstance(store, EvaluationStore):
        return store
    raise StoreError(f"A store is a path to an SQLite file or None, got {store!r}.")
