"""A child trains in a torch of its own: what the caller has set does not reach it.

Gradients are on, inference mode and autocast are off, numbers are float32 on the CPU unless a child
says otherwise, matrix products are exact to float32, and random numbers come from the child's seed.
Measured without this: under ``no_grad`` every child failed, under ``autocast`` an accuracy of .102
was stored for .334.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

PRECISION = "highest"
"""Of float32 matrix products; anything less is a choice of the caller's."""


@contextmanager
def clean_torch_state() -> Iterator[None]:
    """Set what a fresh process has; put the caller's settings back at the end."""
    dtype, precision = torch.get_default_dtype(), torch.get_float32_matmul_precision()
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for kind in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.empty(0).device.type != "cpu":  # only then: a context costs time at every call
            stack.enter_context(torch.device("cpu"))
        stack.callback(torch.set_default_dtype, dtype)
        stack.callback(torch.set_float32_matmul_precision, precision)
        stack.callback(torch.use_deterministic_algorithms, deterministic, warn_only=warn_only)
        torch.set_default_dtype(torch.float32)
        torch.set_float32_matmul_precision(PRECISION)
        torch.use_deterministic_algorithms(False)
        yield


@contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Draw as after ``torch.manual_seed(seed)``; the caller's generators come back untouched.

    ``torch.manual_seed`` itself would seed the generators of every GPU of the process.

    Args:
        seed: in [0, 2^63).
        device: whose generator to seed beside the CPU's.
    """
    generators = [torch.default_generator]
    if device is not None and device.type == "cuda":
        index = torch.cuda.current_device() if device.index is None else device.index
        generators.append(torch.cuda.default_generators[index])
    before = [generator.get_state() for generator in generators]
    for generator in generators:
        generator.manual_seed(seed)
    try:
        yield
    finally:
        for generator, state in zip(generators, before, strict=True):
            generator.set_state(state)
