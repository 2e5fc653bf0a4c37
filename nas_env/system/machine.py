"""This machine: its processor, and how many cores and how much memory may be used."""

import os
import platform
from functools import cache
from pathlib import Path

import psutil

MEMORY_SHARE = 0.8  # of the machine, for all workers together; the rest is the parent's and others'


def available_cores() -> int:
    """Physical cores that this process may use, at least 1.

    The least of the physical cores, the CPU affinity and the container's CPU quota.
    """
    logical = os.cpu_count() or 1
    limits = [psutil.cpu_count(logical=False) or logical, _affinity() or logical, _cpu_quota()]
    return max(1, min(int(limit) for limit in limits if limit))


def machine_memory_mb() -> float:
    """Memory of the machine, or of the container if it is limited, in MiB."""
    memory = float(psutil.virtual_memory().total)
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        words = _words(path)
        if words and words[0].isdigit():
            memory = min(memory, float(words[0]))
    return memory / 2**20


@cache
def cpu_info() -> str:
    """What Linux says of the processors, ``""`` elsewhere."""
    try:
        return Path("/proc/cpuinfo").read_text(errors="replace")
    except OSError:
        return ""


def processor_name() -> str:
    """The processor's name, as people know it."""
    for line in cpu_info().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _affinity() -> int | None:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def _cpu_quota() -> float | None:
    """Cores of the container's CPU quota; None without one (``max 100000`` means no quota)."""
    words = _words("/sys/fs/cgroup/cpu.max")
    if len(words) == 2 and words[0].isdigit():
        return max(1.0, int(words[0]) / int(words[1]))
    return None


def _words(path: str) -> list[str]:
    try:
        return Path(path).read_text().split()
    except OSError:
        return []
