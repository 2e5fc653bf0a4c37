"""Which arithmetic trains a language model fastest here: measured once per machine, remembered.

bfloat16 applies to the matrix products of layers and softmax; states, sums and validation stay in
float32. As for images the choice changes a metric, so it is part of the recipe's digest, and a run
keeps the one that it was started with.
"""

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

import torch

from nas_env.child.language.model import LanguageModel
from nas_env.child.language.size import LanguageSizes
from nas_env.space.published import NAS_CELL
from nas_env.system.threads import one_torch_thread
from nas_env.training.clean_state import clean_torch_state, seeded
from nas_env.training.machine_choice import remembered_choice, take_turns

LANGUAGE_NUMERICS = ("float32", "bfloat16")
"""Simplest first."""


def language_autocast(numerics: str, device: torch.device) -> AbstractContextManager[object]:
    """Context of the forward pass in training."""
    if numerics == "float32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, torch.bfloat16)


def choose_language_numerics(device: torch.device) -> str:
    """The fastest of ``LANGUAGE_NUMERICS`` on ``device``, timed once per machine and torch."""
    choice = remembered_choice("language-numerics", device, time_language_numerics)
    return choice if choice in LANGUAGE_NUMERICS else LANGUAGE_NUMERICS[0]


def time_language_numerics(device: torch.device, rounds: int = 5) -> dict[str, float]:
    """Seconds of one training step of a fixed child, for each of ``LANGUAGE_NUMERICS``."""
    with clean_torch_state(), seeded(0, device), one_torch_thread():
        step = _timing_step(device)
        return take_turns({name: partial(step, name) for name in LANGUAGE_NUMERICS}, device, rounds)


def _timing_step(device: torch.device) -> Callable[[str], None]:
    child = LanguageModel(NAS_CELL, LanguageSizes(2000, 128)).to(device)
    tokens = torch.randint(2000, (11, 20), device=device)

    def step(numerics: str) -> None:
        with language_autocast(numerics, device):
            loss, _ = child.loss(tokens[:-1], tokens[1:])
        loss.backward()  # type: ignore[no-untyped-call]
        child.zero_grad(set_to_none=True)

    return step
