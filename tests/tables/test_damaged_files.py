"""Table files that are none: one message, in little time and memory."""

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas_env.errors import ConfigurationError, InvalidDatasetError
from nas_env.tables.file import read_table, space_from_json
from nas_env.tables.held_out import load_held_out_metrics
from nas_env.tables.table import Table

SPACE = {"kind": "choices", "choices": {"width": [1, 2, 3], "depth": [10, 20]}}
ABOUT = {"version": 1, "space": SPACE, "metric_name": "accuracy"}
METRICS = np.arange(18.0).reshape(6, 3) / 100


def write(path: Path, about: Any = ABOUT, **arrays: Any) -> Path:
    text = about if isinstance(about, str | np.ndarray) else json.dumps(about)
    values = {"metrics": METRICS, "about": np.array(text), **arrays}
    np.savez_compressed(path, **{name: v for name, v in values.items() if v is not None})
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "table.npz"


def test_the_file_that_the_others_are_made_of_is_a_table(path: Path) -> None:
    assert read_table(write(path)).trainings == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metrics": None}, "metrics"),
        ({"about": "{"}, "damaged: JSONDecodeError"),
        ({"about": "[" * 50_000}, "nested too deeply|JSONDecodeError"),
        ({"about": "[1, 2]"}, r"about is \[1, 2\]; it is a JSON object"),
        ({"about": '{"version": 1, "version": 1}'}, "'version' stands twice"),
        ({"about": "{}"}, "about has no version, space, metric_name"),
        ({"about": np.zeros(3)}, r"about has shape \(3,\)"),
        ({"about": "[" + "0," * 2_000_000 + "0]"}, r"about would take 16,000,1.. bytes"),
        ({"about": {**ABOUT, "metric_name": "bleu"}}, r"metric_name is 'bleu'.*'accuracy'"),
        ({"about": {**ABOUT, "metric_name": ["accuracy"]}}, r"metric_name is \['accuracy'\]"),
        ({"about": {**ABOUT, "space": [1]}}, r"search space is \[1\]; it must be an object"),
        ({"about": {**ABOUT, "space": {"kind": ["conv"]}}}, "kind \\['conv'\\]; allowed"),
        ({"about": {**ABOUT, "space": {"kind": "conv", "num_layers": 10**9}}}, "at most 100"),
        ({"about": {**ABOUT, "space": {"kind": "conv", "depth": 1}}}, "cannot be made"),
        ({"about": {**ABOUT, "space": {"kind": "choices", "choices": [3]}}}, "non-empty dict"),
        ({"metrics": METRICS[:5]}, r"metrics has shape \(5, 3\)"),
        ({"metrics": METRICS.ravel()}, r"metrics has shape \(18,\)"),
        ({"metrics": METRICS.astype(complex)}, "metrics has entries of type complex128"),
        ({"metrics": METRICS.astype(str)}, "metrics has entries of type <U"),
        ({"metrics": np.array([[None]])}, "allow_pickle"),
        ({"parameters": np.arange(6) / 2}, "parameters has entries of type float64.*whole"),
        ({"parameters": np.arange(6) - 1}, "parameters has entries below 0"),
        ({"parameters": np.full(6, 2**63, np.uint64)}, "parameters .* too large"),
        ({"train_seconds": METRICS[:, :2]}, r"train_seconds has shape \(6, 2\)"),
        ({"train_seconds": -METRICS}, "train_seconds has entries below 0"),
    ],
)
def test_a_damaged_table_is_one_message_that_names_the_file(
    path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidDatasetError, match=rf"table\.npz is no table.*({message})") as found:
        read_table(write(path, **changes))
    assert len(str(found.value)) < 1000


def rezip(path: Path, change: Callable[[str, bytes], list[tuple[str, bytes]]]) -> Path:
    with zipfile.ZipFile(path) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members:
            for new_name, new_content in change(name, content):
                archive.writestr(new_name, new_content)
    return path


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_that_are_there_twice_or_lie_elsewhere_are_refused(path: Path) -> None:
    rezip(write(path), lambda name, content: [(name, content)] * 2)
    with pytest.raises(InvalidDatasetError, match="is there more than once"):
        read_table(path)
    rezip(write(path), lambda name, content: [(f"../{name}", content)])
    with pytest.raises(InvalidDatasetError, match=r"it holds '\.\./metrics'; the arrays"):
        read_table(path)
    assert not (path.parent.parent / "about.npy").exists()


def test_members_that_are_no_arrays_are_refused(path: Path) -> None:
    rezip(write(path), lambda name, content: [(name, b"not an array")])
    with pytest.raises(InvalidDatasetError, match="is no table"):
        read_table(path)


def test_a_truncated_file_is_refused_wherever_it_ends(path: Path) -> None:
    content = write(path).read_bytes()
    for end in range(0, len(content), 97):
        path.write_bytes(content[:end])
        with pytest.raises(InvalidDatasetError, match="is no table"):
            read_table(path)
    buffer = io.BytesIO()
    np.save(buffer, METRICS)
    path.write_bytes(buffer.getvalue())  # an array, not an archive of arrays
    with pytest.raises(InvalidDatasetError, match="is no table"):
        read_table(path)


def test_a_bomb_takes_no_memory(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("metrics.npy", "w", force_zip64=True) as member:
            np.lib.format.write_array_header_1_0(
                member, {"descr": "<f8", "fortran_order": False, "shape": (6, 2**25)}
            )
            for _ in range(6 * 2**25 * 8 // 2**24):
                member.write(bytes(2**24))
        buffer = io.BytesIO()
        np.save(buffer, np.array(json.dumps(ABOUT)))
        archive.writestr("about.npy", buffer.getvalue())
    assert path.stat().st_size < 3_000_000
    program = (
        "import resource, sys\n"
        "from nas_env.tables.file import read_table\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: read_table(sys.argv[1])\n"
        "except Exception as error: print(type(error).__name__, error)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True)
    message, more_kilobytes = done.stdout.splitlines()
    assert "InvalidDatasetError" in message and "metrics would take 1,610," in message
    assert int(more_kilobytes) < 50_000


def test_a_header_that_promises_more_than_there_is_is_refused(path: Path) -> None:
    def huge(name: str, content: bytes) -> list[tuple[str, bytes]]:
        if name != "metrics.npy":
            return [(name, content)]
        buffer = io.BytesIO()
        header = {"descr": "<f8", "fortran_order": False, "shape": (6, 10**11)}
        np.lib.format.write_array_header_1_0(buffer, header)
        return [(name, buffer.getvalue() + bytes(100))]

    with pytest.raises(InvalidDatasetError, match="is no table"):
        read_table(rezip(write(path), huge))


def test_held_out_figures_of_another_kind_are_refused(path: Path) -> None:
    for wrong in (METRICS[:5], METRICS.astype(str), METRICS[:, 0]):
        with pytest.raises(InvalidDatasetError, match=r"held-out figures in .* of shape"):
            load_held_out_metrics(write(path, test_metrics=wrong))


def test_arrays_of_another_kind_make_no_table_in_memory_either() -> None:
    space = space_from_json(SPACE)
    with pytest.raises(ConfigurationError, match="entries of type bool"):
        Table(space, METRICS > 0)  # type: ignore[arg-type]
    unknown = Table(space, METRICS, train_seconds=np.full((6, 3), np.nan))
    assert unknown.trainings == 3
