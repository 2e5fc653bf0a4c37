# mypy: disable-error-code="no-untyped-def, untyped-decorator, no-untyped-call, import-untyped"
# ruff: noqa: N803
"""The element-wise tree of a cell as a Triton kernel, for GPUs.

The shape of the tree depends on the base number alone, so a level of n nodes is one
(elements, n) tensor; which functions the nodes have is data, chosen by ``tl.where``. One kernel
per base number and dtype therefore serves every cell. Memory traffic and launches, not arithmetic,
are what a GPU waits for here, so that evaluating the functions not chosen costs little.
"""

import functools

import torch
import triton
import triton.language as tl
from torch import Tensor

from nas_env.child.cell.backend import (
    BackwardPass,
    CellRun,
    ForwardPass,
    Pair,
    StepGradients,
    StepwiseBackend,
)
from nas_env.child.cell.kernel_backend import program_of
from nas_env.space.cell_architecture import CellArchitecture

BLOCK = 128
"""Elements of a program instance."""


@triton.jit
def _combine(kind, a, b):
    larger = tl.where((a > b) | (a != a), a, b)  # NaN wins
    return tl.where(kind == 0, a + b, tl.where(kind == 1, a * b, larger))


@triton.jit
def _activate(kind, x):
    e = tl.exp(-2.0 * tl.abs(x))
    tanh = (1.0 - e) / (1.0 + e)
    tanh = tl.where(x < 0.0, -tanh, tanh)
    bounded = tl.where(kind == 1, tanh, 1.0 / (1.0 + tl.exp(-x)))
    other = tl.where(kind == 3, tl.where(x < 0.0, 0.0, x), tl.sin(x))
    return tl.where(kind == 0, x, tl.where(kind <= 2, bounded, other))


@triton.jit
def _slope(kind, x, y):
    """act'(x), with y = act(x)."""
    bounded = tl.where(kind == 1, 1.0 - y * y, y * (1.0 - y))
    other = tl.where(kind == 3, tl.where(y > 0.0, 1.0, 0.0), tl.cos(x))
    return tl.where(kind == 0, 1.0, tl.where(kind <= 2, bounded, other))


@triton.jit
def _share(a, b):
    """The part of a maximum's gradient that goes to a; equal operands get half each."""
    return tl.where(a == b, 0.5, tl.where(a < b, 0.0, 1.0))


@triton.jit
def _slope_of_left(kind, a, b):
    return tl.where(kind == 0, 1.0, tl.where(kind == 1, b, _share(a, b)))


@triton.jit
def _slope_of_right(kind, a, b):
    return tl.where(kind == 0, 1.0, tl.where(kind == 1, a, 1.0 - _share(a, b)))


@triton.jit
def _nodes(LEAVES: tl.constexpr, LEVEL: tl.constexpr):
    """Numbers of the nodes of a level; level 0 are the leaves."""
    return 2 * LEAVES - (2 * LEAVES >> LEVEL) + tl.arange(0, LEAVES >> LEVEL)


@triton.jit
def _level(program, left, right, memory, LEAVES: tl.constexpr, LEVEL: tl.constexpr):
    """All nodes of a level: before the activation, after it, and with the memory injected."""
    nodes = _nodes(LEAVES, LEVEL)
    before = _combine(tl.load(program + 3 + 2 * nodes)[None, :], left, right)
    after = _activate(tl.load(program + 4 + 2 * nodes)[None, :], before)
    inject = program + 3 + 2 * (2 * LEAVES - 1)
    mixed = _combine(tl.load(inject), after, memory[:, None])
    value = _activate(tl.load(inject + 1), mixed)
    value = tl.where((nodes == tl.load(program + 2))[None, :], value, after)
    return before, after, value


@triton.jit
def _forward_kernel(
    program, gates_x, gates_h, memory, hidden_out, memory_out, elements, hidden,
    LEAVES: tl.constexpr, LEVELS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < elements
    leaf = tl.arange(0, LEAVES)
    gate_at = ((at // hidden) * LEAVES * hidden + at % hidden)[:, None] + (leaf * hidden)[None, :]
    left = tl.load(gates_x + gate_at, mask=inside[:, None], other=0.0)
    right = tl.load(gates_h + gate_at, mask=inside[:, None], other=0.0)
    c = tl.load(memory + at, mask=inside, other=0.0)
    cell = tl.load(program + 1)
    new_memory = tl.zeros_like(c)
    for level in tl.static_range(LEVELS):
        before, _, value = _level(program, left, right, c, LEAVES, level)
        is_cell = (_nodes(LEAVES, level) == cell)[None, :]
        new_memory += tl.sum(tl.where(is_cell, before, 0.0), axis=1)
        if level == LEVELS - 1:
            tl.store(hidden_out + at, tl.sum(value, axis=1), mask=inside)
        else:
            left, right = tl.split(tl.reshape(value, (BLOCK, LEAVES >> (level + 1), 2)))
    tl.store(memory_out + at, new_memory, mask=inside)


@triton.jit
def _through(
    program, left, right, c, grad_hidden, grad_c,
    LEAVES: tl.constexpr, LEVELS: tl.constexpr, LEVEL: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Up through the levels above and back: gradients of left, right and c_{t-1}."""
    before, after, value = _level(program, left, right, c, LEAVES, LEVEL)
    if LEVEL == LEVELS - 1:
        grad = grad_hidden[:, None]
        grad_previous = tl.zeros_like(c)
    else:
        above_left, above_right = tl.split(tl.reshape(value, (BLOCK, LEAVES >> (LEVEL + 1), 2)))
        grad_left, grad_right, grad_previous = _through(
            program, above_left, above_right, c, grad_hidden, grad_c,
            LEAVES, LEVELS, LEVEL + 1, BLOCK,
        )  # fmt: skip
        grad = tl.reshape(tl.join(grad_left, grad_right), (BLOCK, LEAVES >> LEVEL))
    nodes = _nodes(LEAVES, LEVEL)
    combination = tl.load(program + 3 + 2 * nodes)[None, :]
    inject = program + 3 + 2 * (2 * LEAVES - 1)
    inject_combination, inject_activation = tl.load(inject), tl.load(inject + 1)
    injected = (nodes == tl.load(program + 2))[None, :]
    mixed = _combine(inject_combination, after, c[:, None])
    grad_mixed = grad * _slope(inject_activation, mixed, value)
    to_memory = grad_mixed * _slope_of_right(inject_combination, after, c[:, None])
    grad_previous += tl.sum(tl.where(injected, to_memory, 0.0), axis=1)
    to_after = grad_mixed * _slope_of_left(inject_combination, after, c[:, None])
    grad = tl.where(injected, to_after, grad)
    grad = grad * _slope(tl.load(program + 4 + 2 * nodes)[None, :], before, after)
    grad = tl.where((nodes == tl.load(program + 1))[None, :], grad + grad_c[:, None], grad)
    grad_left = grad * _slope_of_left(combination, left, right)
    grad_right = grad * _slope_of_right(combination, left, right)
    return grad_left, grad_right, grad_previous


@triton.jit
def _backward_kernel(
    program, gates_x, gates_h, memory, grad_hidden, grad_memory, grad_gates_x, grad_gates_h,
    elements, hidden, LEAVES: tl.constexpr, LEVELS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < elements
    leaf = tl.arange(0, LEAVES)
    gate_at = ((at // hidden) * LEAVES * hidden + at % hidden)[:, None] + (leaf * hidden)[None, :]
    x = tl.load(gates_x + gate_at, mask=inside[:, None], other=0.0)
    h = tl.load(gates_h + gate_at, mask=inside[:, None], other=0.0)
    c = tl.load(memory + at, mask=inside, other=0.0)
    grad_h = tl.load(grad_hidden + at, mask=inside, other=0.0)
    grad_c = tl.load(grad_memory + at, mask=inside, other=0.0)
    grad_x, grad_gates, grad_previous = _through(
        program, x, h, c, grad_h, grad_c, LEAVES, LEVELS, 0, BLOCK
    )
    tl.store(grad_gates_x + gate_at, grad_x, mask=inside[:, None])
    tl.store(grad_gates_h + gate_at, grad_gates, mask=inside[:, None])
    tl.store(grad_memory + at, grad_previous, mask=inside)


class TritonBackend(StepwiseBackend):
    """The Triton tree between matrix products of torch."""

    name = "triton"

    def forward(
        self, run: CellRun, gates_x: Tensor, hidden_0: Tensor, memory_0: Tensor
    ) -> ForwardPass:
        """Evaluate the sequence on the device that holds it; see the base class."""
        with torch.cuda.device_of(gates_x):
            return super().forward(run, gates_x, hidden_0, memory_0)

    def backward(
        self,
        run: CellRun,
        kept: ForwardPass,
        memory_0: Tensor,
        grad_hidden: Tensor,
        grad_last_memory: Tensor,
    ) -> BackwardPass:
        """Propagate gradients on the device that holds them; see the base class."""
        with torch.cuda.device_of(memory_0):
            return super().backward(run, kept, memory_0, grad_hidden, grad_last_memory)

    def tree_forward(
        self, architecture: CellArchitecture, gates: Pair, memory: Tensor, outputs: Pair
    ) -> None:
        """One step of the tree; see the base class."""
        _forward_kernel[_grid(memory)](
            _program(architecture, memory.device),
            *gates,
            memory,
            *outputs,
            memory.numel(),
            memory.shape[1],
            **_constants(architecture),
        )

    def tree_backward(
        self, architecture: CellArchitecture, gates: Pair, memory: Tensor, grads: StepGradients
    ) -> None:
        """Gradients of one step of the tree; see the base class."""
        _backward_kernel[_grid(memory)](
            _program(architecture, memory.device),
            *gates,
            memory,
            grads.hidden,
            grads.memory,
            grads.gates_x,
            grads.gates_h,
            memory.numel(),
            memory.shape[1],
            **_constants(architecture),
        )


def _grid(memory: Tensor) -> tuple[int]:
    return (triton.cdiv(memory.numel(), BLOCK),)


def _constants(architecture: CellArchitecture) -> dict[str, int]:
    leaves = architecture.base_number
    return {"LEAVES": leaves, "LEVELS": leaves.bit_length(), "BLOCK": BLOCK}


@functools.lru_cache(maxsize=4096)
def _program(architecture: CellArchitecture, device: torch.device) -> Tensor:
    """The cell as numbers on the device, copied there once."""
    return torch.tensor(program_of(architecture), dtype=torch.int32, device=device)
