"""Checkpoints: the agent's arrays (npz) and everything else (JSON), replaced as one.

Arrays that only grow have files of their own, to which each checkpoint appends
(``agents.records.rows``). The JSON file names the array files and their digests, so renaming the
JSON file is the instant at which the new checkpoint takes the place of the old one. It ends with a
digest of itself: an edited checkpoint would resume a search that nobody ran. Nothing is pickled:
loading never runs code.
"""

import contextlib
import hashlib
import io
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agents.agent import AgentState
from agents.records.log import Mark
from agents.records.rows import SUFFIX, RowFiles, read_rows_of
from nas_env.errors import CheckpointError
from nas_env.system.files import TEMPORARY, write_durably

FORMAT = 2
INDEX = "checkpoint.json"


@dataclass(frozen=True)
class Checkpoint:
    """A search between two updates.

    Attributes:
        update: updates done.
        children: children finished.
        elapsed_s: wall-clock seconds searched, over all resumes.
        logs: how much of each log file belongs to this checkpoint.
        agent: the agent's state.
        settings: digest of the run's settings; ``""`` in checkpoints of versions that kept none.
    """

    update: int
    children: int
    elapsed_s: float
    logs: dict[str, Mark]
    agent: AgentState
    settings: str = ""


def save_checkpoint(folder: Path, checkpoint: Checkpoint, rows: RowFiles | None = None) -> None:
    """Replace the checkpoint in ``folder``.

    Args:
        folder: where it is.
        checkpoint: the new one.
        rows: what the search has written of arrays that only grow; None = they are written whole.

    Raises:
        OSError: it cannot be written; the old checkpoint is then still there.
    """
    agent, update = checkpoint.agent, checkpoint.update
    growing = set() if rows is None else agent.growing & agent.arrays.keys()
    files = {
        name: rows.write(_made(folder), name, agent.arrays[name], update)
        for name in sorted(growing)
        if rows is not None
    }
    content = io.BytesIO()
    plain = {key: array for key, array in agent.arrays.items() if key not in growing}
    np.savez(content, **plain)  # type: ignore[arg-type]
    name = f"agent-{checkpoint.update:08d}.npz"
    write_durably(folder / name, content.getvalue())
    index = {
        "format": FORMAT,
        "update": checkpoint.update,
        "children": checkpoint.children,
        "elapsed_s": checkpoint.elapsed_s,
        "sizes": {name: mark.size for name, mark in checkpoint.logs.items()},
        "digests": {name: mark.sha256 for name, mark in checkpoint.logs.items()},
        "settings": checkpoint.settings,
        "arrays": name,
        "sha256": hashlib.sha256(content.getvalue()).hexdigest(),
        "rows": files,
        "agent": checkpoint.agent.values,
    }
    index["index_sha256"] = _index_digest(index)
    write_durably(folder / INDEX, json.dumps(index, indent=1).encode())
    kept = {name, *(entry["file"] for entry in files.values())}
    for pattern in ("agent-*.npz", f"*{SUFFIX}", f".*{TEMPORARY}"):
        for old in folder.glob(pattern):
            if old.name in kept:
                continue
            with contextlib.suppress(OSError):
                old.unlink()


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """The checkpoint in ``folder``; None if none was ever written.

    Raises:
        CheckpointError: it is damaged, or of another format.
    """
    path = folder / INDEX
    if not os.path.lexists(path):
        return None
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        if index["format"] != FORMAT:
            raise CheckpointError(
                f"{path} has format {index['format']}, this version reads {FORMAT}. "
                "Resume with the version that wrote it."
            )
        if index.pop("index_sha256") != _index_digest(index):
            raise CheckpointError(_damaged(path, "it is not what was written"))
        content = (folder / index["arrays"]).read_bytes()
        if hashlib.sha256(content).hexdigest() != index["sha256"]:
            raise CheckpointError(_damaged(path, f"{index['arrays']} is not what was written"))
        files = dict(index.get("rows", {}))  # earlier versions have none
        rows = {str(key): read_rows_of(folder, entry) for key, entry in files.items()}
        return Checkpoint(
            update=int(index["update"]),
            children=int(index["children"]),
            elapsed_s=float(index["elapsed_s"]),
            logs=_marks(index["sizes"], index.get("digests", {})),
            agent=AgentState({**_arrays(content), **rows}, dict(index["agent"]), frozenset(rows)),
            settings=str(index.get("settings", "")),
        )
    except CheckpointError:
        raise
    except Exception as error:  # NumPy's readers raise whatever their parsers do
        raise CheckpointError(_damaged(path, f"{type(error).__name__}: {error}")) from error


def _marks(sizes: dict[str, Any], digests: dict[str, Any]) -> dict[str, Mark]:
    marks = {str(k): Mark(int(size), str(digests.get(k, ""))) for k, size in sizes.items()}
    if any(mark.size < 0 for mark in marks.values()):
        raise ValueError(f"sizes {sizes}")
    return marks


def _index_digest(index: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(index, sort_keys=True).encode()).hexdigest()


def _arrays(content: bytes) -> dict[str, Any]:
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _damaged(path: Path, what: str) -> str:
    return (
        f"The checkpoint {path} is damaged ({what}). Restore the run folder from a copy, or start "
        "the search again in a new one: with the same seed and store, finished children are not "
        "trained again."
    )
