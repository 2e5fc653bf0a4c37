"""Rows of the result store: how an evaluation is written, and what a row must be to be believed.

Each row carries a digest of all its values. A row whose digest is another, or whose values no
evaluation can have, is an error that names it: never a result. A digest finds damage. It has no
secret, so it cannot tell a row that someone has made up with care from one that was measured.
"""

import hashlib
import json
import math
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from nas_env.errors import StoreError
from nas_env.evaluation.evaluation import FAILURES, Evaluation
from nas_env.evaluation.seeding import CALLABLE

MEASURED = tuple(
    field.name
    for field in fields(Evaluation)
    if field.name not in ("architecture", "seed", "cached", "missing")
)
COLUMNS = ("architecture", "dataset", "recipe", "seed", *MEASURED, "created", "hostname")
"""Of a row, in the order of its digest, which comes after them."""
_RANGES = {
    "accuracy": (0.0, 1.0),
    "perplexity": (1.0, math.inf),  # e to the power of a mean that is not negative
    "metric": (-math.inf, math.inf),
}
_LATEST = 1e11
"""Seconds: three thousand years; no clock and no training come to that."""


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


def to_row(key: ResultKey, evaluation: Evaluation) -> tuple[Any, ...]:
    """The values of ``COLUMNS`` and their digest."""
    measured = [getattr(evaluation, name) for name in MEASURED]
    measured[MEASURED.index("curve")] = json.dumps(evaluation.curve)
    written = (*astuple(key), *measured, time.time(), socket.gethostname())
    row = tuple(value or 0.0 if type(value) is float else value for value in written)  # -0.0
    return (*row, digest_of(row))


def digest_of(row: Sequence[Any]) -> str:
    """32 hex digits of the SHA-256 of a row's values and their types."""
    return hashlib.sha256(json.dumps(row).encode()).hexdigest()[:32]


def wrong_with(row: Sequence[Any]) -> str:
    """Why a row is none that an evaluation gives, ``""`` if nothing is: types, ranges, rules."""
    values = dict(zip(COLUMNS, row, strict=True))
    for name, allowed in _ALLOWED.items():
        if not allowed(values[name]):
            return f"its {name} is {values[name]!r:.80}"
    complete = values["state"] == "complete"
    if complete != (values["metric"] is not None) or complete != (values["failure"] == ""):
        return "its state, metric and failure do not go together"
    if complete and values["dataset"] != CALLABLE:
        return _wrong_with_metric(values["metric_name"], values["metric"], values["curve"])
    return ""


def _wrong_with_metric(name: str, metric: float, curve: str) -> str:
    """Why no training of a child can have measured it; a user's function measures what it likes."""
    least, most = _RANGES[name]
    if not least <= metric <= most:
        return f"its {name} is {metric!r}, not from {least:g} to {most:g}"
    known = [entry for entry in json.loads(curve) if not math.isnan(entry)]
    if known and not min(known) <= metric <= max(known):
        return f"its {name} is {metric!r}, outside its curve"
    return ""


def from_row(path: Path, number: int, row: tuple[Any, ...], digest: object) -> StoredRow:
    """A row as it was written.

    Args:
        path: of the store, for the message.
        number: the row's id.
        row: the values of ``COLUMNS``.
        digest: as stored.

    Raises:
        StoreError: it is not as it was written.
    """
    wrong = wrong_with(row)
    if not wrong and digest != digest_of(row):
        wrong = "its digest is missing" if digest is None else "its values are not those written"
    if wrong:
        raise StoreError(
            f"Row {number} of the store {path} is damaged: {wrong}. Restore a copy of the file, "
            "or delete the row, so that its child is trained again: sqlite3 "
            f'{path} "DELETE FROM evaluations WHERE id = {number}"'
        )
    values = dict(zip(COLUMNS, row, strict=True))
    key = ResultKey(*(values[name] for name in ("architecture", "dataset", "recipe", "seed")))
    measured = {name: values[name] for name in MEASURED}
    measured["curve"] = tuple(map(float, json.loads(measured["curve"])))
    evaluation = Evaluation(key.architecture, key.seed, cached=True, **measured)
    return StoredRow(key, evaluation, values["created"], values["hostname"])


def _text(value: object) -> bool:
    return type(value) is str


def _object(value: object) -> bool:
    try:
        return isinstance(value, str) and type(json.loads(value)) is dict
    except (ValueError, RecursionError):
        return False


def _word(value: object) -> bool:
    return type(value) is str and value.isprintable()


def _count(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _finite(value: object) -> bool:
    return type(value) is float and math.isfinite(value)


def _seconds(value: object) -> bool:
    return type(value) is float and 0 <= value < _LATEST


def _curve(value: object) -> bool:
    try:
        entries = json.loads(value) if isinstance(value, str) else None
    except (ValueError, RecursionError):
        return False
    return type(entries) is list and all(type(entry) in (int, float) for entry in entries)


_ALLOWED: dict[str, Callable[[Any], bool]] = {
    "architecture": _object,
    "dataset": _text,
    "recipe": _text,
    "seed": _count,
    "metric_name": lambda value: value in _RANGES,
    "metric": lambda value: value is None or _finite(value),
    "state": lambda value: value in ("complete", "failed"),
    "failure": lambda value: value in ("", *FAILURES),
    "message": _text,
    "curve": _curve,
    "parameters": _count,
    "macs": _count,
    "train_seconds": _seconds,
    "numerics": _word,
    "created": _seconds,
    "hostname": _text,
}
