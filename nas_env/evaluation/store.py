"""The result store: every finished evaluation in one SQLite file, shared by many processes.

A row holds the metric, never the reward. Its key is what determines the metric: canonical
architecture, data-set digest, recipe digest and the child's seed. A finished row never changes:
the first writer wins. Failures are finished rows too, so that a resumed search sees what the
interrupted one saw; ``forget_failures`` takes them out to be tried again.

Durability: write-ahead log with ``synchronous=FULL``, so a row that ``put`` returned survives
SIGKILL and a power cut (a commit costs one fsync, milliseconds against seconds of training). The
write-ahead log needs a local disk; a network file system may not keep many machines apart.
"""

import json
import os
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from nas_env.errors import ConfigurationError, StoreError
from nas_env.evaluation.evaluation import FAILURES, Evaluation
from nas_env.evaluation.failures import finite
from nas_env.evaluation.store_schema import ensure_schema, store_error
from nas_env.system.folders import user_path

_MEASURED = tuple(
    field.name
    for field in fields(Evaluation)
    if field.name not in ("architecture", "seed", "cached")
)
_COLUMNS = ("architecture", "dataset", "recipe", "seed", *_MEASURED, "created", "hostname")
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM evaluations"
_INSERT = (
    f"INSERT INTO evaluations ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))}) "
    "ON CONFLICT DO NOTHING"
)
_BY_KEY = " WHERE architecture = ? AND dataset = ? AND recipe = ? AND seed = ?"


@dataclass(frozen=True)
class ResultKey:
    """What determines a metric.

    Attributes:
        architecture: canonical architecture as compact JSON.
        dataset: data-set digest.
        recipe: recipe digest.
        seed: the child's own seed, in [0, 2^63).
    """

    architecture: str
    dataset: str
    recipe: str
    seed: int


@dataclass(frozen=True)
class StoredRow:
    """One row of a store: the evaluation, its key, and where and when it was measured.

    Attributes:
        key: the identity.
        evaluation: as measured, with ``cached`` True.
        created: seconds since 1970 of the commit.
        hostname: the machine whose process committed it.
    """

    key: ResultKey
    evaluation: Evaluation
    created: float
    hostname: str


class EvaluationStore:
    """Finished evaluations in one SQLite file. Opens on first use; safe in threads and forks.

    Args:
        path: the file; it and missing folders above it are created on first use.
        timeout_s: how long to wait while other processes write, before giving up.
    """

    def __init__(self, path: str | Path, timeout_s: float = 60.0) -> None:
        self.path = user_path(path)
        self.timeout_s = timeout_s
        self._connection: sqlite3.Connection | None = None
        self._owner = 0  # the process that opened the connection: SQLite forbids using it in a fork
        self._lock = threading.RLock()

    def get(self, key: ResultKey) -> Evaluation | None:
        """The finished evaluation of ``key`` with ``cached`` True, or None.

        Raises:
            StoreError: the store cannot be opened or read.
        """
        with self._reading() as connection:
            row = connection.execute(_SELECT + _BY_KEY, astuple(key)).fetchone()
        return None if row is None else _from_row(row).evaluation

    def put(self, key: ResultKey, evaluation: Evaluation) -> Evaluation:
        """Commit a finished evaluation; it is durable when this returns.

        A NaN or infinite metric is stored as a ``diverged`` failure.

        Returns:
            ``evaluation`` as stored; or, if the key was there already, the row that was there, with
            ``cached`` True.

        Raises:
            StoreError: the store cannot be written, for example because the disk is full.
        """
        evaluation = finite(evaluation)
        with self._writing() as connection:
            if connection.execute(_INSERT, _to_row(key, evaluation)).rowcount == 1:
                return evaluation
            row = connection.execute(_SELECT + _BY_KEY, astuple(key)).fetchone()
        return _from_row(row).evaluation

    def rows(
        self, dataset: str | None = None, recipe: str | None = None, page: int = 500
    ) -> Iterator[StoredRow]:
        """All rows, oldest first, optionally of one data set and one recipe (their digests).

        Reads ``page`` rows at a time, so a slow reader does not hold up writers.
        """
        query = _SELECT.replace("SELECT", "SELECT id,") + (
            " WHERE id > ? AND (? IS NULL OR dataset = ?) AND (? IS NULL OR recipe = ?)"
            " ORDER BY id LIMIT ?"
        )
        last = -1
        while True:
            with self._reading() as connection:
                arguments = (last, dataset, dataset, recipe, recipe, page)
                found = connection.execute(query, arguments).fetchall()
            yield from (_from_row(row[1:]) for row in found)
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
        with self._writing() as connection:
            return connection.execute(query, tuple(kinds)).rowcount

    def check(self) -> None:
        """Open the store and take its write lock once.

        Raises:
            StoreError: it cannot be opened, or not be written.
        """
        with self._writing():
            pass

    def __len__(self) -> int:
        with self._reading() as connection:
            return int(connection.execute("SELECT count(*) FROM evaluations").fetchone()[0])

    def __contains__(self, key: ResultKey) -> bool:
        return self.get(key) is not None

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            if self._connection is not None and self._owner == os.getpid():
                self._connection.close()
            self._connection = None

    def __enter__(self) -> "EvaluationStore":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "timeout_s": self.timeout_s}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._open()
            except (sqlite3.Error, OSError) as error:
                raise store_error(self.path, error) from error

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction that takes the write lock at once, so that it cannot fail half way."""
        with self._reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _open(self) -> sqlite3.Connection:
        if self._connection is None or self._owner != os.getpid():
            self._connection = None
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(
                self.path, timeout=self.timeout_s, isolation_level=None, check_same_thread=False
            )
            try:
                ensure_schema(connection, self.path, self.timeout_s)
            except BaseException:
                connection.close()
                raise
            self._connection, self._owner = connection, os.getpid()
        return self._connection


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


def _to_row(key: ResultKey, evaluation: Evaluation) -> tuple[Any, ...]:
    measured = [getattr(evaluation, name) for name in _MEASURED]
    measured[_MEASURED.index("curve")] = json.dumps(evaluation.curve)
    return (*astuple(key), *measured, time.time(), socket.gethostname())


def _from_row(row: tuple[Any, ...]) -> StoredRow:
    values = dict(zip(_COLUMNS, row, strict=True))
    key = ResultKey(*(values[name] for name in ("architecture", "dataset", "recipe", "seed")))
    measured = {name: values[name] for name in _MEASURED}
    measured["curve"] = tuple(json.loads(measured["curve"]))
    evaluation = Evaluation(key.architecture, key.seed, cached=True, **measured)
    return StoredRow(key, evaluation, values["created"], values["hostname"])
