"""Rows that could not be put into their store yet, each in a file beside it.

A finished child is not lost because the store is locked, its disk has trouble or its file has gone:
its row is made durable here, and put in at the next chance, by whichever process uses the store. A
file is never written twice, so what one process has put in and deletes is what it has read.
"""

import json
import os
import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from nas_env.errors import StoreError
from nas_env.evaluation.store_rows import from_row
from nas_env.system.files import write_durably

_ENDING = ".pending"


def keep_row(store: Path, row: tuple[Any, ...]) -> Path | None:
    """Keep a row and its digest; the file, durable, or None where none can be written."""
    path = store.with_name(f"{store.name}-{time.time_ns()}-{secrets.token_hex(4)}{_ENDING}")
    try:
        write_durably(path, json.dumps(row).encode())
    except OSError:
        return None
    return path


def pending_files(store: Path) -> list[Path]:
    """Files of rows that are to be put into a store, of any process."""
    try:
        names = sorted(os.listdir(store.parent))
    except OSError:
        return []
    start = f"{store.name}-"
    return [store.with_name(n) for n in names if n.startswith(start) and n.endswith(_ENDING)]


def pending_row(path: Path) -> list[tuple[Any, ...]]:
    """The row in such a file, with its digest; none if another process has just put it in.

    Raises:
        StoreError: the file is damaged.
    """
    try:
        *row, digest = json.loads(path.read_bytes())
        from_row(path, 1, tuple(row), digest)
    except FileNotFoundError:
        return []
    except (ValueError, TypeError, RecursionError, StoreError) as error:
        raise StoreError(
            f"{path}, which keeps a result for the store beside it, is damaged. Delete it: its "
            "child is trained again."
        ) from error
    return [(*row, digest)]


def remove(paths: list[Path]) -> None:
    """Delete files whose rows are in the store."""
    for path in paths:
        with suppress(OSError):
            path.unlink()
