"""The CPU kernel as a backend: one call into compiled code for a whole sequence.

The cell is handed over as numbers, its *program*, so a cell never seen before costs nothing extra.
"""

import ctypes
import functools

import torch
from torch import Tensor

from nas_env.child.cell.backend import (
    BackwardPass,
    CellRun,
    ForwardPass,
    Pair,
    SequenceBackend,
    StepGradients,
    StepwiseBackend,
)
from nas_env.child.cell.kernel_build import load_kernel
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


class KernelLibrary:
    """Calls into the compiled library; ctypes releases the interpreter lock meanwhile."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        for suffix in _SUFFIX.values():
            size = getattr(library, f"cell_packed_elements_{suffix}")
            size.argtypes, size.restype = [ctypes.c_int64, ctypes.c_int64], ctypes.c_int64

    def packed(self, like: Tensor, depth: int, columns: int) -> Tensor:
        """Work space for a (depth, columns) matrix in panels."""
        size = getattr(self._library, f"cell_packed_elements_{_SUFFIX[like.dtype]}")
        return like.new_empty(size(depth, columns))

    def call(
        self,
        function: str,
        architecture: CellArchitecture,
        batch_sizes: tuple[int, ...],
        hidden_size: int,
        dtype: torch.dtype,
        tensors: dict[str, Tensor | None],
    ) -> None:
        """Call ``cell_<function>`` with the fields of its struct; tensors must be contiguous."""
        numbers = program_of(architecture)
        program = (ctypes.c_int32 * len(numbers))(*numbers)
        sizes = (ctypes.c_int64 * len(batch_sizes))(*batch_sizes)
        sequence = _Sequence(
            program=ctypes.addressof(program),
            batch_sizes=ctypes.addressof(sizes),
            steps=len(batch_sizes),
            hidden=hidden_size,
            threads=torch.get_num_threads(),
            **{name: None if t is None else t.data_ptr() for name, t in tensors.items()},
        )
        getattr(self._library, f"cell_{function}_{_SUFFIX[dtype]}")(ctypes.byref(sequence))


class KernelBackend(SequenceBackend):
    """The compiled CPU kernel; float32 and float64."""

    name = "kernel"

    def __init__(self, library: KernelLibrary) -> None:
        self._library = library

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
            packed=self._library.packed(gates_x, hidden.shape[1], gates_x.shape[1]),
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
            packed=self._library.packed(grad_gates_x, grad_gates_x.shape[1], memory_0.shape[1]),
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

    def _call(self, direction: str, run: CellRun, **tensors: Tensor | None) -> None:
        weight = run.weight_h
        tensors.update(weight_h=weight, bias=run.bias, hidden_mask=run.hidden_mask)
        self._library.call(
            direction, run.architecture, run.batch_sizes, weight.shape[0], weight.dtype, tensors
        )


class KernelTreeBackend(StepwiseBackend):
    """The compiled tree between matrix products of torch, for products in bfloat16."""

    name = "kernel_tree"

    def __init__(self, library: KernelLibrary) -> None:
        self._library = library

    def tree_forward(
        self, architecture: CellArchitecture, gates: Pair, memory: Tensor, outputs: Pair
    ) -> None:
        """One step of the tree; see the base class."""
        self._call(
            "tree_forward",
            architecture,
            memory,
            gates_x=gates[0],
            gates_h=gates[1],
            hidden_all=outputs[0],
            memory_all=outputs[1],
        )

    def tree_backward(
        self, architecture: CellArchitecture, gates: Pair, memory: Tensor, grads: StepGradients
    ) -> None:
        """Gradients of one step of the tree; see the base class."""
        self._call(
            "tree_backward",
            architecture,
            memory,
            gates_x=gates[0],
            gates_h=gates[1],
            grad_hidden=grads.hidden,
            grad_gates_x=grads.gates_x,
            grad_gates_h=grads.gates_h,
            grad_hidden_0=torch.zeros_like(memory),
            grad_memory_0=grads.memory,
        )

    def _call(
        self, function: str, architecture: CellArchitecture, memory: Tensor, **tensors: Tensor
    ) -> None:
        rows, hidden_size = memory.shape
        self._library.call(
            function, architecture, (rows,), hidden_size, memory.dtype,
            {"memory_0": memory, **tensors},
        )  # fmt: skip


@functools.cache
def kernel_library() -> KernelLibrary | None:
    """The compiled library, or None where it cannot be built."""
    library = load_kernel()
    return None if library is None else KernelLibrary(library)


@functools.cache
def kernel_backend(product_dtype: torch.dtype = torch.float32) -> SequenceBackend | None:
    """The compiled backend for matrix products of a dtype, or None where it cannot be built."""
    library = kernel_library()
    if library is None:
        return None
    return KernelBackend(library) if product_dtype in _SUFFIX else KernelTreeBackend(library)
