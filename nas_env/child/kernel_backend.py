"""The CPU kernel as a backend: one call into compiled code for a whole sequence.

The cell is handed over as numbers, its *program*, so a cell never seen before costs nothing extra.
"""

import ctypes
import functools

import torch
from torch import Tensor

from nas_env.child.cell_backend import BackwardPass, CellRun, ForwardPass, SequenceBackend
from nas_env.child.kernel_build import load_kernel
from nas_env.space.cell_architecture import ACTIVATIONS, COMBINATIONS, CellArchitecture

_SUFFIX = {torch.float32: "float", torch.float64: "double"}
_POINTERS = ("gates_x", "gates_h", "weight_h", "packed", "bias", "hidden_mask", "masked_hidden",
             "hidden_0", "memory_0", "hidden_all", "memory_all", "grad_hidden", "grad_gates_x",
             "grad_gates_h", "grad_hidden_0", "grad_memory_0")  # fmt: skip


class _Sequence(ctypes.Structure):
    """``struct Sequence`` of kernels/cell_kernel.cpp."""

    _fields_ = [
        ("program", ctypes.c_void_p),
        ("batch_sizes", ctypes.c_void_p),
        ("steps", ctypes.c_int64),
        ("hidden", ctypes.c_int64),
        ("threads", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in _POINTERS),
    ]


@functools.lru_cache(maxsize=4096)
def program_of(architecture: CellArchitecture) -> tuple[int, ...]:
    """Leaves, cell index, inject index, then (combination, activation) of each node and the inject.

    Functions are numbered as in ``COMBINATIONS`` and ``ACTIVATIONS``.
    """
    numbers = [architecture.base_number, architecture.cell_index, architecture.inject_index]
    for combination, activation in (*architecture.nodes, architecture.inject):
        numbers += [COMBINATIONS.index(combination), ACTIVATIONS.index(activation)]
    return tuple(numbers)


class KernelBackend(SequenceBackend):
    """The compiled CPU kernel; float32 and float64."""

    name = "kernel"

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        for suffix in _SUFFIX.values():
            size = getattr(library, f"cell_packed_elements_{suffix}")
            size.argtypes, size.restype = [ctypes.c_int64, ctypes.c_int64], ctypes.c_int64

    def forward(
        self, run: CellRun, gates_x: Tensor, hidden_0: Tensor, memory_0: Tensor
    ) -> ForwardPass:
        """Evaluate the sequence; ``gates_x`` becomes the sum where every leaf adds."""
        hidden = hidden_0.new_empty(gates_x.shape[0], hidden_0.shape[1])
        memory = torch.empty_like(hidden)
        gates_h = None if run.leaves_only_add else torch.empty_like(gates_x)
        masked = None if run.hidden_mask is None else torch.empty_like(hidden_0)
        self._call(
            "forward",
            run,
            packed=self._packed(gates_x, hidden.shape[1], gates_x.shape[1]),
            gates_x=gates_x,
            gates_h=gates_h,
            masked_hidden=masked,
            hidden_0=hidden_0,
            memory_0=memory_0,
            hidden_all=hidden,
            memory_all=memory,
        )
        return ForwardPass(hidden, memory, gates_x, gates_h)

    def backward(
        self,
        run: CellRun,
        kept: ForwardPass,
        memory_0: Tensor,
        grad_hidden: Tensor,
        grad_last_memory: Tensor,
    ) -> BackwardPass:
        """Propagate gradients; see the base class."""
        grad_gates_x = torch.empty_like(kept.gates_x)
        grad_gates_h = None if kept.gates_h is None else torch.empty_like(kept.gates_x)
        grad_hidden_0, grad_memory_0 = torch.zeros_like(memory_0), grad_last_memory.clone()
        self._call(
            "backward",
            run,
            packed=self._packed(grad_gates_x, grad_gates_x.shape[1], memory_0.shape[1]),
            gates_x=kept.gates_x,
            gates_h=kept.gates_h,
            memory_0=memory_0,
            hidden_all=kept.hidden,
            memory_all=kept.memory,
            grad_hidden=grad_hidden,
            grad_gates_x=grad_gates_x,
            grad_gates_h=grad_gates_h,
            grad_hidden_0=grad_hidden_0,
            grad_memory_0=grad_memory_0,
        )
        grad_h = grad_gates_x if grad_gates_h is None else grad_gates_h
        return BackwardPass(grad_gates_x, grad_h, grad_hidden_0, grad_memory_0)

    def _packed(self, like: Tensor, depth: int, columns: int) -> Tensor:
        size = getattr(self._library, f"cell_packed_elements_{_SUFFIX[like.dtype]}")
        return like.new_empty(size(depth, columns))

    def _call(self, direction: str, run: CellRun, **tensors: Tensor | None) -> None:
        """Fill the struct and call; ctypes releases the interpreter lock meanwhile."""
        tensors.update(weight_h=run.weight_h, bias=run.bias, hidden_mask=run.hidden_mask)
        numbers = program_of(run.architecture)
        program = (ctypes.c_int32 * len(numbers))(*numbers)
        sizes = (ctypes.c_int64 * len(run.batch_sizes))(*run.batch_sizes)
        sequence = _Sequence(
            program=ctypes.addressof(program),
            batch_sizes=ctypes.addressof(sizes),
            steps=len(run.batch_sizes),
            hidden=run.weight_h.shape[0],
            threads=torch.get_num_threads(),
            **{name: None if t is None else t.data_ptr() for name, t in tensors.items()},
        )
        suffix = _SUFFIX[run.weight_h.dtype]
        getattr(self._library, f"cell_{direction}_{suffix}")(ctypes.byref(sequence))


@functools.cache
def kernel_backend() -> KernelBackend | None:
    """The kernel's backend, or None where it cannot be built."""
    library = load_kernel()
    return None if library is None else KernelBackend(library)
