"""Who keeps a store locked, for a message."""

import os
from contextlib import suppress
from pathlib import Path

import psutil

_WRITE_LOCK = "120"  # SQLite's byte of the shared memory (-shm) that a writer locks


def lock_holders(store: Path) -> str:
    """Processes that hold a lock on which others wait, ``""`` where the system does not tell.

    Linux lists every lock as ``1: POSIX  ADVISORY  WRITE pid major:minor:inode first last``.
    """
    found = set()
    with suppress(OSError, ValueError, IndexError):
        numbers = {}
        for part in (store, store.with_name(f"{store.name}-shm")):
            with suppress(FileNotFoundError):
                numbers[str(os.stat(part).st_ino)] = part
        for line in Path("/proc/locks").read_text().splitlines():
            words = line.split()
            if "->" in words or words[3] != "WRITE":  # "->" is one that waits
                continue
            locked = numbers.get(words[5].rpartition(":")[2])
            if locked == store or (locked is not None and words[6] == _WRITE_LOCK):
                found.add(int(words[4]))
    return ", ".join(map(_name, sorted(found - {os.getpid()})))


def _name(pid: int) -> str:
    try:
        return f"{psutil.Process(pid).name()} ({pid})"
    except psutil.Error:
        return f"process {pid}"
