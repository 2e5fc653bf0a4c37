"""Which arithmetic trains a language model fastest here: measured once per machine, remembered.

bfloat16 applies to the matrix products of layers and softmax; states, sums and validation stay in
float32. As for images the choice changes the last digits of a metric, so it is kept in the cache
folder and is part of the recipe's digest.
"""

import contextlib
import hashlib
import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path

import torch

from nas_env.child.language_model import LanguageModel
from nas_env.child.language_size import LanguageSizes
from nas_env.data.folders import cache_dir, write_atomically
from nas_env.space.published import NAS_CELL
from nas_env.training.numerics import HOPELESS, machine_name, one_thread, pick

LANGUAGE_NUMERICS = ("float32", "bfloat16")
"""Simplest first."""


def language_autocast(numerics: str, device: torch.device) -> AbstractContextManager[object]:
    """Context of the forward pass in training."""
    if numerics == "float32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, torch.bfloat16)


def choose_language_numerics(device: torch.device) -> str:
    """The fastest of ``LANGUAGE_NUMERICS`` on ``device``, timed once per machine and torch version.

    The choice is kept in the cache folder; where that cannot be written it holds for the process.
    """
    name = hashlib.sha256(machine_name(device.type).encode()).hexdigest()[:16]
    return _choose(device.type, str(cache_dir() / "numerics" / f"language-{name}.json"))


@cache
def _choose(device_type: str, record_path: str) -> str:
    path = Path(record_path)
    remembered = _read(path)
    if remembered is not None:
        return remembered
    seconds = time_language_numerics(torch.device(device_type))
    choice = pick(seconds)
    record = {"numerics": choice, "machine": machine_name(device_type), "step_s": seconds}
    with contextlib.suppress(OSError):
        write_atomically(path, json.dumps(record).encode())
    return _read(path) or choice


def time_language_numerics(device: torch.device, rounds: int = 5) -> dict[str, float]:
    """Seconds of one training step of a fixed child, for each candidate; the best of turns."""
    with torch.random.fork_rng(devices=[]), one_thread():
        torch.manual_seed(0)
        step = _timing_step(device)
        best = {name: min(step(name) for _ in range(2)) for name in LANGUAGE_NUMERICS}
        # bfloat16 without hardware for it is ten times slower: one look is enough.
        hopeful = [name for name in best if best[name] < HOPELESS * min(best.values())]
        for _ in range(rounds if len(hopeful) > 1 else 0):
            for name in hopeful:
                best[name] = min(best[name], step(name))
    return best


def _timing_step(device: torch.device) -> Callable[[str], float]:
    child = LanguageModel(NAS_CELL, LanguageSizes(2000, 128)).to(device)
    tokens = torch.randint(2000, (11, 20), device=device)

    def step(numerics: str) -> float:
        _synchronise(device)
        start = time.perf_counter()
        with language_autocast(numerics, device):
            loss, _ = child.loss(tokens[:-1], tokens[1:])
        loss.backward()  # type: ignore[no-untyped-call]
        child.zero_grad(set_to_none=True)
        _synchronise(device)
        return time.perf_counter() - start

    return step


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _read(path: Path) -> str | None:
    try:
        choice = json.loads(path.read_text())["numerics"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return choice if choice in LANGUAGE_NUMERICS else None
