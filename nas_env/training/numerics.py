"""Which arithmetic trains fastest here: measured once per machine, then remembered.

bfloat16 is 1.6-3 times faster than float32 on a CPU with bf16 units and slower on one without, so
the choice is timed. It changes the metric in the last digits, so it is written to the cache folder
(a resumed run computes bit for bit the same) and is part of the recipe's digest.
"""

import contextlib
import hashlib
import json
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

from nas_env.data.folders import cache_dir, write_atomically
from nas_env.errors import ConfigurationError

NUMERICS = ("float32", "float32-channels_last", "bfloat16-channels_last")
"""Type of the convolutions, and memory layout where it is not the default; simplest first."""

REQUIRED_GAIN = 1.08
"""A later candidate must beat the simplest one by this factor: noise must not decide."""

HOPELESS = 2.0
"""A candidate so many times slower than another at first sight is not timed any further."""


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
        torch.empty(1, device=resolved)
    except (RuntimeError, AssertionError) as error:
        raise ConfigurationError(
            f"Device {device!r} cannot be used: {str(error).splitlines()[0]}. Use 'auto', 'cpu' or "
            "'cuda'."
        ) from error
    return resolved


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Run torch's CPU operations on one thread: parallelism is over children, not inside one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def choose_numerics(device: torch.device) -> str:
    """The fastest of ``NUMERICS`` on ``device``, timed once per machine and torch version.

    The choice is kept in the cache folder; where that cannot be written it holds for the process.
    """
    return _choose(device.type, str(_record_path(device)))


@cache
def _choose(device_type: str, record_path: str) -> str:
    path = Path(record_path)
    remembered = _read(path)
    if remembered is not None:
        return remembered
    seconds = time_numerics(torch.device(device_type))
    choice = pick(seconds)
    record = {"numerics": choice, "machine": machine_name(device_type), "step_s": seconds}
    with contextlib.suppress(OSError):
        write_atomically(path, json.dumps(record).encode())
    return _read(path) or choice


def pick(seconds: dict[str, float]) -> str:
    """The fastest candidate, or the simplest one unless that is clearly slower."""
    simplest = next(iter(seconds))
    fastest = min(seconds, key=seconds.__getitem__)
    return fastest if seconds[simplest] > REQUIRED_GAIN * seconds[fastest] else simplest


def machine_name(device_type: str) -> str:
    """Processor and torch version: what the choice depends on."""
    if device_type == "cuda":
        return f"{torch.cuda.get_device_name()} / torch {torch.__version__}"
    return f"{cpu_model()} / torch {torch.__version__}"


def cpu_model() -> str:
    """The processor's name and widest vector instructions."""
    name = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                name = line.split(":", 1)[1].strip()
                break
    return f"{name} ({torch.backends.cpu.get_cpu_capability()})"


def time_numerics(device: torch.device, rounds: int = 7) -> dict[str, float]:
    """Seconds of one training step of a small fixed child, for each candidate.

    Candidates take turns and the fastest of their rounds counts, so that a busy machine slows all
    alike.
    """
    with torch.random.fork_rng(devices=[]), one_thread():
        torch.manual_seed(0)
        steps = {name: _timing_step(Numerics(name), device) for name in NUMERICS}
        best = {name: min(_seconds(step, device) for _ in range(2)) for name, step in steps.items()}
        # bfloat16 without hardware for it is ten times slower: one look is enough.
        hopeful = [name for name in steps if best[name] < HOPELESS * min(best.values())]
        for _ in range(rounds if len(hopeful) > 1 else 0):
            for name in hopeful:
                best[name] = min(best[name], _seconds(steps[name], device))
    return best


def _seconds(step: Callable[[], None], device: torch.device) -> float:
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


def _record_path(device: torch.device) -> Path:
    name = hashlib.sha256(machine_name(device.type).encode()).hexdigest()[:16]
    return cache_dir() / "numerics" / f"{name}.json"


def _read(path: Path) -> str | None:
    try:
        choice = json.loads(path.read_text())["numerics"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return choice if choice in NUMERICS else None
