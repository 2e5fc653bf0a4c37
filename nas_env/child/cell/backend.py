"""The contract of what runs one recurrent layer over a sequence, and its plain torch version.

Sequences are *packed*: the rows of all time steps one below the other, n in all, where step t has
``batch_sizes[t]`` rows, never more than the step before it; row b of every step belongs to sequence
b. Equal lengths are the special case of equal batch sizes.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from nas_env.child.cell.tree import tree_step
from nas_env.space.cell_architecture import CellArchitecture


@dataclass(frozen=True)
class CellRun:
    """What stays the same over a sequence. N is the base number, H the hidden size.

    Attributes:
        architecture: the cell.
        batch_sizes: rows of each time step, not increasing.
        weight_h: (H, N * H), in the dtype that matrix products run in.
        bias: (N * H,) added on the ``h`` side, or None.
        hidden_mask: (batch, H) that h_{t-1} is multiplied by before ``weight_h`` (Gal's recurrent
            dropout), or None.
    """

    architecture: CellArchitecture
    batch_sizes: tuple[int, ...]
    weight_h: Tensor
    bias: Tensor | None
    hidden_mask: Tensor | None

    def steps(self) -> Iterator[tuple[int, int]]:
        """(first row, rows) of each time step."""
        first = 0
        for rows in self.batch_sizes:
            yield first, rows
            first += rows

    @property
    def leaves_only_add(self) -> bool:
        """Whether ``x W_x`` and ``h W_h`` are needed only as their sum."""
        leaves = self.architecture.nodes[: self.architecture.base_number]
        return all(combination == "add" for combination, _ in leaves)


@dataclass(frozen=True)
class ForwardPass:
    """What a forward pass hands back, and keeps for the backward pass.

    Attributes:
        hidden: (n, H) h_t of every row.
        memory: (n, H) c_t of every row.
        gates_x: (n, N * H) ``x W_x``, or the sum of both products when every leaf adds.
        gates_h: (n, N * H) ``h W_h + b``, or None when every leaf adds.
    """

    hidden: Tensor
    memory: Tensor
    gates_x: Tensor
    gates_h: Tensor | None


@dataclass(frozen=True)
class BackwardPass:
    """Gradients of the loss, each of the shape of what it is the gradient of.

    ``gates_h`` is the same tensor as ``gates_x`` when every leaf adds.
    """

    gates_x: Tensor
    gates_h: Tensor
    hidden_0: Tensor
    memory_0: Tensor


class SequenceBackend(ABC):
    """Runs a cell over a packed sequence, forward and backward.

    All tensors given are contiguous, and of one dtype (float32 or float64) but for ``weight_h``,
    whose dtype tells how to multiply.
    """

    name: str

    @abstractmethod
    def forward(
        self, run: CellRun, gates_x: Tensor, hidden_0: Tensor, memory_0: Tensor
    ) -> ForwardPass:
        """Evaluate the sequence.

        Args:
            run: the constants.
            gates_x: (n, N * H) ``x W_x``; may be overwritten.
            hidden_0: (batch, H) h_0.
            memory_0: (batch, H) c_0.
        """

    @abstractmethod
    def backward(
        self,
        run: CellRun,
        kept: ForwardPass,
        memory_0: Tensor,
        grad_hidden: Tensor,
        grad_last_memory: Tensor,
    ) -> BackwardPass:
        """Propagate gradients from the last step to the first.

        Args:
            run: the constants of the forward pass.
            kept: its outcome, not to be changed.
            memory_0: (batch, H) c_0.
            grad_hidden: (n, H) with respect to every h_t.
            grad_last_memory: (batch, H) with respect to the last c_t of every sequence.
        """


Pair = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class StepGradients:
    """Gradients of one step: two given, three to be filled in.

    Attributes:
        hidden: (rows, H) with respect to h_t, given.
        memory: (rows, H) with respect to c_t, given, to be replaced by that of c_{t-1}.
        gates_x: (rows, N * H) to be written.
        gates_h: (rows, N * H) to be written.
    """

    hidden: Tensor
    memory: Tensor
    gates_x: Tensor
    gates_h: Tensor


class StepwiseBackend(SequenceBackend):
    """A loop over time in Python around a tree that subclasses evaluate, one step at a time.

    Matrix products are torch's, in any dtype. Keeps ``gates_h`` whatever the leaves.
    """

    @abstractmethod
    def tree_forward(
        self, architecture: CellArchitecture, gates: Pair, memory: Tensor, outputs: Pair
    ) -> None:
        """Write h_t and c_t into ``outputs``, from ``x W_x``, ``h W_h + b`` and c_{t-1}.

        It may change the gates, which ``tree_backward`` then gets as they were left.
        """

    @abstractmethod
    def tree_backward(
        self, architecture: CellArchitecture, gates: Pair, memory: Tensor, grads: StepGradients
    ) -> None:
        """Fill in the gradients of both gates and c_{t-1}, given those of h_t and c_t."""

    def forward(
        self, run: CellRun, gates_x: Tensor, hidden_0: Tensor, memory_0: Tensor
    ) -> ForwardPass:
        """Evaluate the sequence step by step; see the base class."""
        hidden = hidden_0.new_empty(gates_x.shape[0], hidden_0.shape[1])
        memory, gates_h = torch.empty_like(hidden), torch.empty_like(gates_x)
        previous_h, previous_c = hidden_0, memory_0
        for first, rows in run.steps():
            here = slice(first, first + rows)
            outputs = hidden[here], memory[here]
            recurrent_product(run, previous_h[:rows], gates_h[here])
            gates = gates_x[here], gates_h[here]
            self.tree_forward(run.architecture, gates, previous_c[:rows], outputs)
            previous_h, previous_c = outputs
        return ForwardPass(hidden, memory, gates_x, gates_h)

    def backward(
        self,
        run: CellRun,
        kept: ForwardPass,
        memory_0: Tensor,
        grad_hidden: Tensor,
        grad_last_memory: Tensor,
    ) -> BackwardPass:
        """Propagate gradients step by step; see the base class."""
        if kept.gates_h is None:
            raise RuntimeError("The forward pass was another backend's: it kept no gates_h.")
        grad_x, grad_h = torch.empty_like(kept.gates_x), torch.empty_like(kept.gates_x)
        carried_h, carried_c = torch.zeros_like(memory_0), grad_last_memory.clone()
        starts = [memory_0, *(kept.memory[first : first + rows] for first, rows in run.steps())]
        for step, (first, rows) in reversed(list(enumerate(run.steps()))):
            here = slice(first, first + rows)
            grads = StepGradients(
                hidden=grad_hidden[here] + carried_h[:rows],
                memory=carried_c[:rows],
                gates_x=grad_x[here],
                gates_h=grad_h[here],
            )
            gates = kept.gates_x[here], kept.gates_h[here]
            self.tree_backward(run.architecture, gates, starts[step][:rows], grads)
            recurrent_product_gradient(run, grad_h[here], carried_h[:rows])
        return BackwardPass(grad_x, grad_h, carried_h, carried_c)


class TorchBackend(StepwiseBackend):
    """Plain torch operations: every dtype and device, 2 to 8 times as long as the kernel."""

    name = "torch"

    def tree_forward(
        self, architecture: CellArchitecture, gates: Pair, memory: Tensor, outputs: Pair
    ) -> None:
        """One step by ``tree_step``."""
        for output, value in zip(outputs, tree_step(architecture, *gates, memory), strict=True):
            output.copy_(value)

    def tree_backward(
        self, architecture: CellArchitecture, gates: Pair, memory: Tensor, grads: StepGradients
    ) -> None:
        """Evaluate the step again and let autograd differentiate it."""
        with torch.enable_grad():
            leaves = [value.detach().requires_grad_() for value in (*gates, memory)]
            outputs = tree_step(architecture, leaves[0], leaves[1], leaves[2])
            given = (grads.hidden, grads.memory)
            found = torch.autograd.grad(outputs, leaves, given, materialize_grads=True)
        for target, value in zip((grads.gates_x, grads.gates_h, grads.memory), found, strict=True):
            target.copy_(value)


def recurrent_product(run: CellRun, hidden: Tensor, out: Tensor) -> None:
    """Write ``(h * mask) W_h + b`` of one step, (rows, N * H), into ``out``."""
    if run.hidden_mask is not None:
        hidden = hidden * run.hidden_mask[: hidden.shape[0]]
    if hidden.dtype == run.weight_h.dtype:
        torch.mm(hidden, run.weight_h, out=out)
    else:
        out.copy_(hidden.to(run.weight_h.dtype) @ run.weight_h)
    if run.bias is not None:
        out += run.bias


def recurrent_product_gradient(run: CellRun, grad_gates_h: Tensor, out: Tensor) -> None:
    """Write the gradient with respect to h_{t-1}, (rows, H), into ``out``."""
    if grad_gates_h.dtype == run.weight_h.dtype:
        torch.mm(grad_gates_h, run.weight_h.t(), out=out)
    else:
        out.copy_(grad_gates_h.to(run.weight_h.dtype) @ run.weight_h.t())
    if run.hidden_mask is not None:
        out *= run.hidden_mask[: len(out)]
