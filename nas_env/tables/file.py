"""Tables as files: one compressed ``.npz``, arrays and a JSON text, readable without this project.

| array | shape | |
|---|---|---|
| `metrics` | (members, trainings) | validation metric, NaN = failed |
| `test_metrics` | (members, trainings) | held-out metric; never read by a search |
| `parameters` | (members,) | learnable parameters; may be missing |
| `train_seconds` | (members, trainings) | may be missing |
| `about` | () | JSON: `version`, `space`, `metric_name`, and where the table comes from |
"""

import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_env.errors import ConfigurationError, DatasetNotFoundError, InvalidDatasetError
from nas_env.space.choices import ChoiceSpace
from nas_env.space.conv import ConvSpace
from nas_env.space.layout import SearchSpace
from nas_env.system.files import write_durably
from nas_env.system.folders import user_path
from nas_env.tables.table import Table

VERSION = 1
SHIPPED = {"digits": Path(__file__).with_name("digits.npz")}
"""Tables that come with the package, by name."""


def table_path(table: str | Path) -> Path:
    """The file of a shipped table's name, or of a path.

    Raises:
        DatasetNotFoundError: there is none.
    """
    path = SHIPPED.get(str(table), user_path(table))
    if not path.is_file():
        raise DatasetNotFoundError(
            f"There is no table {str(table)!r}: no file {path}. Tables that come with the package: "
            f"{', '.join(SHIPPED)}; scripts/build_table.py writes others."
        )
    return path.resolve()


def read_table(table: str | Path) -> Table:
    """Read a table by name or path, without its held-out figures; the same file is read once.

    Raises:
        DatasetNotFoundError: no such table.
        InvalidDatasetError: damaged, or no table.
    """
    path = table_path(table)
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _read(path: Path, _changed: int) -> Table:
    with reading(path) as arrays:
        about = json.loads(str(arrays["about"]))
        if about["version"] != VERSION:
            raise InvalidDatasetError(
                f"{path} is a table of version {about['version']}; this nas_env reads {VERSION}."
            )
        optional = {
            name: arrays[name] for name in ("parameters", "train_seconds") if name in arrays
        }
        space = space_from_json(about["space"])
        return Table(space, arrays["metrics"], about["metric_name"], about=about, **optional)


@contextmanager
def reading(path: Path) -> Iterator[Mapping[str, NDArray[Any]]]:
    """The arrays of a table file, each read when asked for.

    Raises:
        InvalidDatasetError: the file is damaged or no table.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            yield arrays
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        if isinstance(error, InvalidDatasetError):
            raise
        raise InvalidDatasetError(f"{path} is no table, or damaged: {error!r}.") from error


def write_table(
    path: str | Path,
    table: Table,
    space: Mapping[str, Any],
    test_metrics: NDArray[np.floating[Any]] | None = None,
) -> Path:
    """Write a table and, apart from it, its held-out figures.

    Args:
        path: the file, replaced if it is there.
        table: the table; ``about`` goes into the file.
        space: what ``space_from_json`` makes the table's search space of.
        test_metrics: (members, trainings or 1) held-out metrics.

    Raises:
        ConfigurationError: ``space`` describes another space, or ``test_metrics`` does not fit.
    """
    if space_from_json(space).layout != table.search_space.layout:
        raise ConfigurationError("The description of the search space gives another layout.")
    arrays: dict[str, Any] = {"metrics": np.asarray(table.metrics, np.float32)}
    for name in ("parameters", "train_seconds"):
        if (value := getattr(table, name)) is not None:
            arrays[name] = np.asarray(value, np.int64 if name == "parameters" else np.float32)
    if test_metrics is not None:
        if test_metrics.ndim != 2 or len(test_metrics) != len(table.metrics):
            raise ConfigurationError(
                f"test_metrics has shape {test_metrics.shape}; it must be ({len(table.metrics)}, "
                "trainings)."
            )
        arrays["test_metrics"] = np.asarray(test_metrics, np.float32)
    about = {**table.about, "version": VERSION, "space": dict(space)}
    about["metric_name"] = table.metric_name
    arrays["about"] = np.array(json.dumps(about, indent=1))
    path = Path(path)
    write_durably(path, lambda file: np.savez_compressed(file, **arrays))
    return path


def space_from_json(space: Mapping[str, Any]) -> SearchSpace[Any]:
    """A search space from its JSON description.

    ``{"kind": "conv", ...}`` with the arguments of ``ConvSpace``, or ``{"kind": "choices",
    "choices": {"name": [options], ...}}``.

    Raises:
        ConfigurationError: another kind, or arguments that give no space.
    """
    arguments = {name: value for name, value in space.items() if name != "kind"}
    kinds: dict[str, Any] = {"conv": ConvSpace, "choices": ChoiceSpace}
    kind = space.get("kind")
    if kind not in kinds:
        raise ConfigurationError(
            f"The search space has kind {kind!r}; allowed: {', '.join(kinds)}."
        )
    try:
        made: SearchSpace[Any] = kinds[kind](**arguments)
    except TypeError as error:
        raise ConfigurationError(
            f"The search space {dict(space)} cannot be made: {error}."
        ) from error
    return made
