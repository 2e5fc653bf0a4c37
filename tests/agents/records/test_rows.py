"""Arrays that only grow: a checkpoint writes what is new, and reads back what was."""

from pathlib import Path

import numpy as np
import pytest

from agents.agent import AgentState
from agents.records.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from agents.records.rows import RowFiles
from nas_env.errors import CheckpointError

TABLE = np.arange(3000, dtype=np.int32).reshape(1000, 3)


def save(folder: Path, update: int, rows: int, files: RowFiles) -> None:
    state = AgentState({"known": TABLE[:rows], "other": np.zeros(2)}, {}, frozenset(["known"]))
    save_checkpoint(folder, Checkpoint(update, rows, 0.0, {}, state), files)


def file_of(folder: Path) -> Path:
    (path,) = folder.glob("*.rows")
    return path


def read(folder: Path) -> AgentState:
    found = load_checkpoint(folder)
    assert found is not None
    return found.agent


def test_a_checkpoint_appends_what_is_new_and_rewrites_nothing(tmp_path: Path) -> None:
    files = RowFiles()
    save(tmp_path, 1, 500, files)
    before = file_of(tmp_path).stat()
    save(tmp_path, 2, 508, files)
    after = file_of(tmp_path).stat()
    assert after.st_ino == before.st_ino and after.st_size == before.st_size + 8 * 12
    state = read(tmp_path)
    np.testing.assert_array_equal(state.arrays["known"], TABLE[:508])
    assert state.arrays["known"].dtype == np.int32 and state.growing == {"known"}
    assert (tmp_path / "agent-00000002.npz").stat().st_size < 600  # the rows are not in it


def test_rows_of_an_update_that_did_not_end_are_none(tmp_path: Path) -> None:
    files = RowFiles()
    save(tmp_path, 1, 500, files)
    with file_of(tmp_path).open("ab") as file:
        file.write(b"x" * 50)
    np.testing.assert_array_equal(read(tmp_path).arrays["known"], TABLE[:500])
    save(tmp_path, 2, 501, files)
    np.testing.assert_array_equal(read(tmp_path).arrays["known"], TABLE[:501])


def test_another_process_begins_a_file_of_its_own(tmp_path: Path) -> None:
    save(tmp_path, 1, 500, RowFiles())
    first = file_of(tmp_path)
    resumed = RowFiles()
    save(tmp_path, 2, 510, resumed)
    assert file_of(tmp_path) != first and not first.exists()
    save(tmp_path, 3, 520, resumed)
    np.testing.assert_array_equal(read(tmp_path).arrays["known"], TABLE[:520])


@pytest.mark.parametrize("damage", ["a byte", "cut", "gone"])
def test_changed_rows_are_refused(tmp_path: Path, damage: str) -> None:
    save(tmp_path, 1, 500, RowFiles())
    path = file_of(tmp_path)
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(content if damage == "a byte" else content[:-1])
    with pytest.raises(CheckpointError, match="damaged"):
        load_checkpoint(tmp_path)
