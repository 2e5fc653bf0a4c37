"""A choice that is timed once per machine and then remembered, such as the arithmetic to train in.

The record lies in the cache folder, named after processor and torch version, so that a resumed run
computes bit for bit what it did before.
"""

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import torch

from nas_env.system.files import write_durably
from nas_env.system.folders import cache_dir
from nas_env.system.machine import processor_name

REQUIRED_GAIN = 1.08
"""A later candidate must beat the simplest one by this factor: noise must not decide."""

HOPELESS = 3.0
"""A candidate this much slower than the best is not timed again."""

Timing = Callable[[torch.device], dict[str, float]]
"""Seconds of one step for each candidate, simplest first."""


def remembered_choice(what: str, device: torch.device, timing: Timing) -> str:
    """The fastest candidate for ``what`` on ``device``, timed once per machine and torch version.

    Where the cache folder cannot be written, the choice holds for the process.
    """
    return _choose(device.type, str(record_path(what, device)), timing)


@cache
def _choose(device_type: str, path_text: str, timing: Timing) -> str:
    path = Path(path_text)
    remembered = _read(path)
    if remembered is not None:
        return remembered
    seconds = timing(torch.device(device_type))
    choice = pick(seconds)
    record = {"choice": choice, "machine": machine_name(device_type), "step_s": seconds}
    with contextlib.suppress(OSError):
        write_durably(path, json.dumps(record).encode())
    return _read(path) or choice


def pick(seconds: Mapping[str, float]) -> str:
    """The fastest candidate, or the simplest (first) one unless that is clearly slower."""
    simplest = next(iter(seconds))
    fastest = min(seconds, key=seconds.__getitem__)
    return fastest if seconds[simplest] > REQUIRED_GAIN * seconds[fastest] else simplest


def take_turns(
    steps: Mapping[str, Callable[[], object]], device: torch.device, rounds: int
) -> dict[str, float]:
    """Seconds of each step: the candidates take turns and the fastest of their rounds counts."""
    best = {name: min(_seconds(step, device) for _ in range(2)) for name, step in steps.items()}
    # bfloat16 without hardware for it is ten times slower: one look is enough.
    hopeful = [name for name in steps if best[name] < HOPELESS * min(best.values())]
    for _ in range(rounds if len(hopeful) > 1 else 0):
        for name in hopeful:
            best[name] = min(best[name], _seconds(steps[name], device))
    return best


def _seconds(step: Callable[[], object], device: torch.device) -> float:
    """Of processor time on the CPU, so that other programs do not count; else by the clock."""
    if device.type != "cuda":
        start = time.process_time()
        step()
        return time.process_time() - start
    torch.cuda.synchronize(device)
    start = time.perf_counter()
    step()
    torch.cuda.synchronize(device)
    return time.perf_counter() - start


def machine_name(device_type: str) -> str:
    """Processor and torch version: what the choice depends on."""
    if device_type == "cuda":
        return f"{torch.cuda.get_device_name()} / torch {torch.__version__}"
    return f"{cpu_model()} / torch {torch.__version__}"


def cpu_model() -> str:
    """The processor's name and widest vector instructions."""
    return f"{processor_name()} ({torch.backends.cpu.get_cpu_capability()})"


def record_path(what: str, device: torch.device) -> Path:
    """File that remembers the choice of ``what``."""
    name = hashlib.sha256(machine_name(device.type).encode()).hexdigest()[:16]
    return cache_dir() / "choices" / f"{what}-{name}.json"


def _read(path: Path) -> str | None:
    try:
        choice = json.loads(path.read_text())["choice"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return choice if isinstance(choice, str) else None
