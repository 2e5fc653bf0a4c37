"""One recurrent layer over a packed sequence, differentiable, with a hand-written backward pass.

What does not depend on the previous step is taken out of the time loop: ``x W_x`` is one matrix
product over all n rows, and so is the gradient of each weight,
``d W_x = x^T d gates_x`` and ``d W_h = h_{t-1}^T d gates_h``. A backend runs the loop itself.
"""

import functools
import logging
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from nas_env.child.cell.backend import (
    BackwardPass,
    CellRun,
    ForwardPass,
    SequenceBackend,
    TorchBackend,
)
from nas_env.child.cell.kernel_backend import kernel_backend
from nas_env.child.cell.matrix_product import product
from nas_env.errors import ConfigurationError
from nas_env.space.cell_architecture import CellArchitecture

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LayerInput:
    """The differentiable operands of one layer and direction.

    Attributes:
        x: (n, input) rows of all time steps, packed (see ``backend``).
        hidden_0: (batch, H) h_0.
        memory_0: (batch, H) c_0.
        weight_x: (input, N * H).
        weight_h: (H, N * H).
        bias: (N * H,) or None.
    """

    x: Tensor
    hidden_0: Tensor
    memory_0: Tensor
    weight_x: Tensor
    weight_h: Tensor
    bias: Tensor | None


@dataclass(frozen=True)
class _Plan:
    architecture: CellArchitecture
    batch_sizes: tuple[int, ...]
    matmul_dtype: torch.dtype
    backend: SequenceBackend


def run_layer(
    architecture: CellArchitecture,
    batch_sizes: tuple[int, ...],
    operands: LayerInput,
    hidden_mask: Tensor | None = None,
    backend: SequenceBackend | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Run one layer over a packed sequence.

    Args:
        architecture: the cell.
        batch_sizes: rows of each time step, not increasing.
        operands: input, initial state and parameters, of one dtype and device.
        hidden_mask: (batch, H) recurrent dropout mask, fixed over the sequence.
        backend: who runs the time loop; chosen by device and dtype when None.

    Returns:
        h_t of every row (n, H), and the last h and c of every sequence (batch, H).

    Raises:
        ConfigurationError: operands on different devices.
    """
    found: tuple[Tensor, Tensor, Tensor] = _outside_graphs(
        architecture, batch_sizes, operands, hidden_mask, backend
    )
    return found


def _run_layer(
    architecture: CellArchitecture,
    batch_sizes: tuple[int, ...],
    operands: LayerInput,
    hidden_mask: Tensor | None,
    backend: SequenceBackend | None,
) -> tuple[Tensor, Tensor, Tensor]:
    x = operands.x
    _check_devices(operands)
    dtype = matmul_dtype(x)
    plan = _Plan(architecture, batch_sizes, dtype, backend or choose_backend(x, dtype))
    hidden, last_memory = _CellSequence.apply(
        plan,
        hidden_mask,
        x,
        operands.hidden_0,
        operands.memory_0,
        operands.weight_x,
        operands.weight_h,
        operands.bias,
    )
    return hidden, hidden[last_rows(batch_sizes, x.device)], last_memory


# torch.compile cannot look into a kernel called by address: it runs a layer as it is.
_outside_graphs = torch.compiler.disable(_run_layer)  # type: ignore[no-untyped-call]


def _check_devices(operands: LayerInput) -> None:
    """A kernel is given addresses, so a tensor from elsewhere must not get that far."""
    for name, value in vars(operands).items():
        if value is not None and value.device != operands.x.device:
            raise ConfigurationError(
                f"The input is on {operands.x.device}, but {name} on {value.device}; move the "
                "layer, its input and its state to one device."
            )


def choose_backend(x: Tensor, product_dtype: torch.dtype) -> SequenceBackend:
    """The fastest backend for the device of ``x`` and the dtype of matrix products."""
    found: SequenceBackend | None = None
    if x.device.type == "cpu":
        found = kernel_backend(product_dtype)
    elif x.device.type == "cuda":
        found = triton_backend()
    return found or TorchBackend()


@functools.cache
def triton_backend() -> SequenceBackend | None:
    """The Triton backend, or None where Triton is not installed (the log says so, once)."""
    try:
        from nas_env.child.cell.triton_kernel import TritonBackend
    except ImportError as error:
        logger.warning(
            "Recurrent cells run in plain torch on the GPU, slower than the Triton kernel: %s. "
            "Install triton for full speed.",
            error,
        )
        return None
    return TritonBackend()


def matmul_dtype(x: Tensor) -> torch.dtype:
    """The dtype of matrix products: autocast's where it is on, otherwise that of ``x``."""
    if torch.is_autocast_enabled(x.device.type) and x.dtype != torch.float64:
        return torch.get_autocast_dtype(x.device.type)
    return x.dtype


def last_rows(batch_sizes: tuple[int, ...], device: torch.device) -> Tensor | slice:
    """Where the last step of each sequence stands among the packed rows."""
    batch, total = batch_sizes[0], sum(batch_sizes)
    if batch_sizes[-1] == batch:
        return slice(total - batch, total)
    rows, first = [0] * batch, 0
    for size in batch_sizes:
        rows[:size] = range(first, first + size)
        first += size
    return torch.tensor(rows, device=device)


def previous_hidden(run: CellRun, hidden_0: Tensor, hidden: Tensor) -> Tensor:
    """h_{t-1} of every row, (n, H), masked as it entered ``weight_h``."""
    sizes = run.batch_sizes
    if sizes[-1] == sizes[0]:
        previous = torch.cat([hidden_0, hidden[: -sizes[0]]])
    else:
        starts = [hidden_0, *torch.split(hidden, list(sizes))[:-1]]
        previous = torch.cat([start[:rows] for start, rows in zip(starts, sizes, strict=True)])
    if run.hidden_mask is None:
        return previous
    masks = [run.hidden_mask[:rows] for rows in sizes]
    return previous * torch.cat(masks)


class _CellSequence(torch.autograd.Function):
    """(x, h_0, c_0, W_x, W_h, b) -> (all h, last c)."""

    @staticmethod
    def forward(ctx: Any, plan: _Plan, hidden_mask: Tensor | None, *operands: Tensor) -> Any:
        x, hidden_0, memory_0, weight_x, weight_h, bias = operands
        state_dtype = _state_dtype(x.dtype)
        x, weight_x, weight_h = (value.to(plan.matmul_dtype) for value in (x, weight_x, weight_h))
        hidden_0, memory_0 = (v.to(state_dtype).contiguous() for v in (hidden_0, memory_0))
        run = CellRun(
            plan.architecture,
            plan.batch_sizes,
            weight_h.contiguous(),
            None if bias is None else bias.to(state_dtype).contiguous(),
            None if hidden_mask is None else hidden_mask.to(state_dtype).contiguous(),
        )
        gates_x = product(x, weight_x).to(state_dtype)  # (n, N * H)
        kept = plan.backend.forward(run, gates_x, hidden_0, memory_0)
        if any(ctx.needs_input_grad):
            ctx.plan, ctx.dtypes = plan, [None if v is None else v.dtype for v in operands]
            ctx.save_for_backward(
                x, weight_x, run.weight_h, run.bias, run.hidden_mask, hidden_0, memory_0,
                kept.hidden, kept.memory, kept.gates_x, kept.gates_h,
            )  # fmt: skip
        last_memory = kept.memory[last_rows(plan.batch_sizes, x.device)]
        return kept.hidden.to(operands[0].dtype), last_memory.to(operands[0].dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_hidden: Tensor, grad_last_memory: Tensor) -> Any:
        (
            x, weight_x, weight_h, bias, hidden_mask, hidden_0, memory_0,
            hidden, memory, gates_x, gates_h,
        ) = ctx.saved_tensors  # fmt: skip
        plan: _Plan = ctx.plan
        run = CellRun(plan.architecture, plan.batch_sizes, weight_h, bias, hidden_mask)
        kept = ForwardPass(hidden, memory, gates_x, gates_h)
        grads = plan.backend.backward(
            run,
            kept,
            memory_0,
            grad_hidden.to(hidden.dtype).contiguous(),
            grad_last_memory.to(hidden.dtype).contiguous(),
        )
        found = _operand_gradients(
            ctx.needs_input_grad[2:], run, (x, weight_x, hidden_0), kept, grads
        )
        cast = [
            None if value is None else value.to(dtype)
            for value, dtype in zip(found, ctx.dtypes, strict=True)
        ]
        return None, None, *cast


def _operand_gradients(
    needed: tuple[bool, ...],
    run: CellRun,
    operands: tuple[Tensor, Tensor, Tensor],
    kept: ForwardPass,
    grads: BackwardPass,
) -> tuple[Tensor | None, ...]:
    """Gradients of x, h_0, c_0, W_x, W_h, b: each matrix product once, over all rows."""
    x, weight_x, hidden_0 = operands
    grad_gates_x = grads.gates_x.to(x.dtype)
    if needed[4]:
        grad_gates_h = grad_gates_x if grads.gates_h is grads.gates_x else grads.gates_h.to(x.dtype)
        previous = previous_hidden(run, hidden_0, kept.hidden).to(x.dtype)
    return (
        product(grad_gates_x, weight_x.t()) if needed[0] else None,
        grads.hidden_0,
        grads.memory_0,
        product(x.t(), grad_gates_x) if needed[3] else None,
        product(previous.t(), grad_gates_h) if needed[4] else None,
        grads.gates_h.sum(0) if needed[5] else None,
    )


def _state_dtype(dtype: torch.dtype) -> torch.dtype:
    """The tree is evaluated in float32 unless everything is float64."""
    return torch.float64 if dtype == torch.float64 else torch.float32
