"""One time step of a cell's element-wise tree in plain torch operations (paper, section 3.4).

This is the definition that every faster kernel is held to, the path of machines without one, and
differentiable by autograd.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from nas_env.space.cell_architecture import CellArchitecture

COMBINE: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": torch.add,
    "elem_mult": torch.mul,
    "max": torch.maximum,
}
ACTIVATE: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda value: value,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "sin": torch.sin,
}


def tree_step(
    architecture: CellArchitecture, gates_x: Tensor, gates_h: Tensor, memory: Tensor
) -> tuple[Tensor, Tensor]:
    """Evaluate the tree once.

    Args:
        architecture: the cell, base number N.
        gates_x: (batch, N * hidden) ``x_t W_x``, leaf k in columns k * hidden to (k + 1) * hidden.
        gates_h: (batch, N * hidden) ``h_{t-1} W_h``, plus the bias if there is one.
        memory: (batch, hidden) c_{t-1}.

    Returns:
        h_t and c_t, each (batch, hidden).
    """
    leaves_x = gates_x.chunk(architecture.base_number, dim=-1)
    leaves_h = gates_h.chunk(architecture.base_number, dim=-1)
    values: list[Tensor] = []
    new_memory = memory
    for node, (combination, activation) in enumerate(architecture.nodes):
        below = architecture.children(node)
        if below is None:
            combined = COMBINE[combination](leaves_x[node], leaves_h[node])  # (batch, hidden)
        else:
            combined = COMBINE[combination](values[below[0]], values[below[1]])
        if node == architecture.cell_index:
            new_memory = combined  # c_t is read before the activation
        value = ACTIVATE[activation](combined)
        if node == architecture.inject_index:
            inject_combination, inject_activation = architecture.inject
            value = ACTIVATE[inject_activation](COMBINE[inject_combination](value, memory))
        values.append(value)
    return values[-1], new_memory
