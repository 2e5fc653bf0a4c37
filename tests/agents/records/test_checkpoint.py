"""A checkpoint is replaced as one: whoever reads it finds the old one or the new one, whole."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.agent import AgentState
from agents.records.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from nas_env.errors import CheckpointError


class Killed(BaseException):
    """In the place of SIGKILL."""


def checkpoint(update: int) -> Checkpoint:
    state = AgentState({"weights": np.full(3, float(update))}, {"episodes": 8 * update})
    return Checkpoint(update, 8 * update, float(update), {}, state)


def found(folder: Path) -> tuple[int, list[float]]:
    loaded = load_checkpoint(folder)
    assert loaded is not None
    return loaded.update, loaded.agent.arrays["weights"].tolist()


def test_killed_at_any_call_while_it_is_replaced_the_old_or_the_new_one_is_there(
    tmp_path: Path,
) -> None:
    ends = set()
    for point in range(1, 30):
        folder = tmp_path / str(point)
        folder.mkdir()
        save_checkpoint(folder, checkpoint(1))
        calls, done = 0, False

        def counted(real: Any, point: int = point) -> Any:
            def call(*arguments: Any, **more: Any) -> Any:
                nonlocal calls
                calls += 1
                if calls == point:
                    raise Killed
                return real(*arguments, **more)

            return call

        with pytest.MonkeyPatch.context() as patch:
            for name in ("fsync", "replace", "unlink"):
                patch.setattr(os, name, counted(getattr(os, name)))
            try:
                save_checkpoint(folder, checkpoint(2))
                done = True
            except Killed:
                pass
        assert found(folder) in ((1, [1.0] * 3), (2, [2.0] * 3)), point
        ends.add((found(folder)[0], done))
        if done:
            break
    assert ends >= {(1, False), (2, True)}
    assert not list(folder.glob("agent-00000001*")), "the old arrays go at the end"


def test_arrays_that_are_not_those_written_are_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, checkpoint(1))
    (arrays,) = tmp_path.glob("agent-*.npz")
    np.savez(arrays, weights=np.zeros(3))  # a whole archive of the right names and shapes
    with pytest.raises(CheckpointError, match=r"agent-.* is not what was written"):
        load_checkpoint(tmp_path)
