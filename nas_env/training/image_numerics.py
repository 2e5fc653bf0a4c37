"""Which arithmetic trains fastest here: measured once per machine, then remembered.

bfloat16 is 1.6-3 times faster than float32 on a CPU with bf16 units and slower on one without, so
the choice is timed. It changes a metric: by .002 at the median and .009 at most in short trainings,
a sixth or less of what another seed does (docs/results/recipes.md). So it is part of the recipe's
digest, and a run keeps the one that it was started with; a child's seed does not derive from it.
"""

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nas_env.errors import ConfigurationError
from nas_env.system.threads import one_torch_thread
from nas_env.training.clean_state import clean_torch_state, seeded
from nas_env.training.machine_choice import remembered_choice, take_turns

NUMERICS = ("float32", "float32-channels_last", "bfloat16-channels_last")
"""Type of the convolutions, and memory layout where it is not the default; simplest first."""
DEVICES = ("cpu", "cuda")
"""Kinds of device that children train on."""


@dataclass(frozen=True)
class Numerics:
    """How tensors are laid out and computed."""

    name: str

    def __post_init__(self) -> None:
        """Reject names that are not in ``NUMERICS``."""
        if self.name not in NUMERICS:
            raise ConfigurationError(f"Unknown numerics {self.name!r}. Known: {NUMERICS}.")

    @property
    def memory_format(self) -> torch.memory_format:
        """Of images and convolution weights."""
        channels_last = self.name.endswith("channels_last")
        return torch.channels_last if channels_last else torch.contiguous_format

    def autocast(self, device: torch.device) -> AbstractContextManager[object]:
        """Context of the forward pass."""
        if not self.name.startswith("bfloat16"):
            return contextlib.nullcontext()
        # A cache of converted weights would outlive the step that made it inside a CUDA graph.
        return torch.autocast(device.type, torch.bfloat16, cache_enabled=device.type != "cuda")


def resolve_device(device: str | torch.device) -> torch.device:
    """``"auto"`` is the first GPU where there is one, else the CPU.

    Raises:
        ConfigurationError: no such device on this machine.
    """
    if str(device) == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
        if resolved.type not in DEVICES:
            raise RuntimeError(f"{resolved.type} is not among {', '.join(DEVICES)}")
        torch.empty(1, device=resolved)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise ConfigurationError(
            f"Device {str(device)!r} cannot be used: {reason}. Use 'auto', 'cpu', 'cuda' or "
            "'cuda:N'."
        ) from error
    return resolved


def choose_numerics(device: torch.device) -> str:
    """The fastest of ``NUMERICS`` on ``device``, timed once per machine and torch version."""
    choice = remembered_choice("image-numerics", device, time_numerics)
    return choice if choice in NUMERICS else NUMERICS[0]


def time_numerics(device: torch.device, rounds: int = 7) -> dict[str, float]:
    """Seconds of one training step of a small fixed child, for each of ``NUMERICS``."""
    with clean_torch_state(), seeded(0, device), one_torch_thread():
        steps = {name: _timing_step(Numerics(name), device) for name in NUMERICS}
        return take_turns(steps, device, rounds)


def _timing_step(numerics: Numerics, device: torch.device) -> Callable[[], None]:
    def block(inputs: int, filters: int, size: int) -> nn.Sequential:
        convolution = nn.Conv2d(inputs, filters, size, padding=size // 2, bias=False)
        return nn.Sequential(convolution, nn.BatchNorm2d(filters), nn.ReLU())

    child = nn.Sequential(block(3, 48, 3), block(48, 36, 5), block(36, 48, 3))
    child = child.to(device).to(memory_format=numerics.memory_format)
    images = torch.randn(32, 3, 16, 16, device=device)
    images = images.to(memory_format=numerics.memory_format)

    def step() -> None:
        with numerics.autocast(device):
            output: Tensor = child(images)
            loss = output.float().mean()
        loss.backward()  # type: ignore[no-untyped-call]
        child.zero_grad(set_to_none=True)

    return step
