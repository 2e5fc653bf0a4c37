"""Tables as files: one compressed ``.npz``, arrays and a JSON text, readable without this project.

| array | shape | |
|---|---|---|
| `metrics` | (members, trainings) | validation metric, NaN = failed |
| `test_metrics` | (members, trainings) | held-out metric; never read by a search |
| `parameters` | (members,) | learnable parameters; may be missing |
| `train_seconds` | (members, trainings) | may be missing |
| `about` | () | JSON: `version`, `space`, `metric_name`, and where the table comes from |

A table may come from a stranger: what its arrays would take of memory is looked up before any is
read, and nothing of it is run.
"""

import json
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_env.checks import shown
from nas_env.errors import (
    ConfigurationError,
    DatasetNotFoundError,
    InvalidDatasetError,
    NasEnvError,
)
from nas_env.space.choices import ChoiceSpace
from nas_env.space.conv import ConvSpace
from nas_env.space.layout import SearchSpace
from nas_env.system.files import write_durably
from nas_env.system.folders import user_path
from nas_env.system.reading import check_regular, is_file, reason, strict_json
from nas_env.tables.table import Table

VERSION = 1
SHIPPED = {"digits": Path(__file__).with_name("digits.npz")}
"""Tables that come with the package, by name."""
MOST_BYTES = {"about": 4 * 2**20}
"""Of an array, unpacked; of the others ``MOST_ARRAY_BYTES``."""
MOST_ARRAY_BYTES = 2**30
"""A hundred million trainings, say."""
ARRAYS = ("metrics", "test_metrics", "parameters", "train_seconds", "about")


def table_path(table: str | Path) -> Path:
    """The file of a shipped table's name, or of a path.

    Raises:
        DatasetNotFoundError: there is none.
    """
    path = SHIPPED.get(str(table)) or user_path(table)
    if not is_file(path):
        raise DatasetNotFoundError(
            f"There is no table {shown(str(table))}: no file {shown(str(path))}. Tables that come "
            f"with the package: {', '.join(SHIPPED)}; scripts/build_table.py writes others."
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
        about = _about(arrays["about"])
        optional = {
            name: arrays[name] for name in ("parameters", "train_seconds") if name in arrays
        }
        space = space_from_json(about["space"])
        return Table(space, arrays["metrics"], about["metric_name"], about=about, **optional)


def _about(array: NDArray[Any]) -> dict[str, Any]:
    """What a table says of itself.

    Raises:
        ValueError: it is no JSON object with what a table needs, or of another version.
    """
    if np.shape(array) != ():
        raise ValueError(f"about has shape {np.shape(array)}; it is one text")
    about = strict_json(str(array))
    if not isinstance(about, dict):
        raise ValueError(f"about is {shown(about)}; it is a JSON object")
    missing = [name for name in ("version", "space", "metric_name") if name not in about]
    if missing:
        raise ValueError(f"about has no {', '.join(missing)}")
    if about["version"] != VERSION:
        raise ValueError(
            f"it is a table of version {shown(about['version'])}; this nas_env reads {VERSION}"
        )
    return about


@contextmanager
def reading(path: Path) -> Iterator[Mapping[str, NDArray[Any]]]:
    """The arrays of a table file, each read when asked for.

    Raises:
        InvalidDatasetError: the file is damaged or no table, or what is made of it inside cannot
            be; names the file.
    """
    try:
        check_regular(path)
        _check_sizes(path)
        with np.load(path, allow_pickle=False) as arrays:
            yield arrays
    except InvalidDatasetError:
        raise
    except Exception as error:  # zlib, zipfile, NumPy and Python raise a dozen kinds
        own = isinstance(error, NasEnvError)
        why = f"{error}" if own else f"{type(error).__name__}: {reason(error)}."
        raise InvalidDatasetError(f"{path} is no table, or damaged: {why}") from error


def _check_sizes(path: Path) -> None:
    """Refuse what would not fit, before anything is unpacked.

    A file of a few megabytes may unpack to terabytes. The sizes stand in the archive's directory;
    where they lie, only as much is read as they say.

    Raises:
        ValueError: an array that is too large, is there twice, or is of no table.
    """
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    counts = Counter(member.filename for member in members)
    for member in members:
        name = member.filename.removesuffix(".npy")
        if name not in ARRAYS:
            raise ValueError(f"it holds {shown(name)}; the arrays of a table: {', '.join(ARRAYS)}")
        most = MOST_BYTES.get(name, MOST_ARRAY_BYTES)
        if member.file_size > most:
            raise ValueError(
                f"{name} would take {member.file_size:,} bytes of memory; at most {most:,} are read"
            )
        if counts[f"{name}.npy"] + counts[name] > 1:
            raise ValueError(f"{name} is there more than once")


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
    path = user_path(path)
    write_durably(path, lambda file: np.savez_compressed(file, **arrays))
    return path


def space_from_json(space: Mapping[str, Any]) -> SearchSpace[Any]:
    """A search space from its JSON description.

    ``{"kind": "conv", ...}`` with the arguments of ``ConvSpace``, or ``{"kind": "choices",
    "choices": {"name": [options], ...}}``.

    Raises:
        ConfigurationError: another kind, or arguments that give no space.
    """
    if not isinstance(space, Mapping):
        raise ConfigurationError(
            f"The search space is {shown(space)}; it must be an object with a 'kind'."
        )
    arguments = {name: value for name, value in space.items() if name != "kind"}
    kinds: dict[str, Any] = {"conv": ConvSpace, "choices": ChoiceSpace}
    kind = space.get("kind")
    if not isinstance(kind, str) or kind not in kinds:
        raise ConfigurationError(
            f"The search space has kind {shown(kind)}; allowed: {', '.join(kinds)}."
        )
    try:
        made: SearchSpace[Any] = kinds[kind](**arguments)
    except TypeError as error:
        raise ConfigurationError(
            f"The search space {shown(dict(space))} cannot be made: {reason(error)}."
        ) from error
    return made
