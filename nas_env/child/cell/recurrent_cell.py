"""One step of a found cell as a module, for loops that a user writes (as ``torch.nn.LSTMCell``)."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from nas_env.child.cell.tree import tree_step
from nas_env.errors import ConfigurationError
from nas_env.space.cell_architecture import CellArchitecture

State = tuple[Tensor, Tensor]


class RecurrentCell(nn.Module):
    """A recurrent cell of the search space; a whole sequence is faster in ``RecurrentLayer``.

    Leaf k of the tree computes ``act_k(comb_k(x W_x[:, k], h W_h[:, k] + b[k]))``, where ``[:, k]``
    is the k-th block of ``hidden_size`` columns. The cell is built as given; a search builds the
    canonical form, so that equivalent cells get the same weights from the same seed.

    Args:
        architecture: the cell, for example ``nas_env.published.NAS_CELL``; base number N.
        input_size: features of ``x``.
        hidden_size: features of ``h`` and ``c``.
        bias: one learnable bias of N * hidden_size on the ``h`` side; the paper's cells have none.
        device: where the parameters live.
        dtype: of the parameters.

    Attributes:
        weight_x: (input_size, N * hidden_size).
        weight_h: (hidden_size, N * hidden_size).
        bias: (N * hidden_size,) or None.

    Raises:
        ConfigurationError: sizes that are not positive whole numbers, or not a cell.
    """

    def __init__(
        self,
        architecture: CellArchitecture,
        input_size: int,
        hidden_size: int,
        bias: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_sizes(architecture, input_size=input_size, hidden_size=hidden_size)
        self.architecture = architecture
        self.input_size, self.hidden_size = input_size, hidden_size
        width = architecture.base_number * hidden_size
        self.weight_x = nn.Parameter(torch.empty(input_size, width, device=device, dtype=dtype))
        self.weight_h = nn.Parameter(torch.empty(hidden_size, width, device=device, dtype=dtype))
        self.bias = nn.Parameter(torch.empty(width, device=device, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters from U(-1, 1) / sqrt(hidden_size), as ``torch.nn.LSTM`` does."""
        initialise(self.parameters(), self.hidden_size)

    def forward(self, x: Tensor, state: State | None = None) -> State:
        """One step.

        Args:
            x: (batch, input_size), or (input_size,).
            state: (h, c), each (batch, hidden_size) or (hidden_size,); zeros when None.

        Returns:
            The new (h, c).
        """
        if x.dim() not in (1, 2) or x.shape[-1] != self.input_size:
            raise ConfigurationError(
                f"RecurrentCell expects x of shape (batch, {self.input_size}) or "
                f"({self.input_size},), got {tuple(x.shape)}."
            )
        shape = (*x.shape[:-1], self.hidden_size)
        hidden, memory = (x.new_zeros(shape), x.new_zeros(shape)) if state is None else state
        for name, value in (("h", hidden), ("c", memory)):
            if value.shape != shape:
                raise ConfigurationError(
                    f"RecurrentCell expects {name} of shape {shape}, got {tuple(value.shape)}."
                )
        gates_h = hidden @ self.weight_h  # (batch, N * hidden)
        if self.bias is not None:
            gates_h = gates_h + self.bias
        return tree_step(self.architecture, x @ self.weight_x, gates_h, memory)

    def extra_repr(self) -> str:
        """Sizes, for ``print``."""
        return (
            f"{self.input_size}, {self.hidden_size}, "
            f"base_number={self.architecture.base_number}, bias={self.bias is not None}"
        )


def check_sizes(architecture: object, **sizes: object) -> None:
    """Raise ConfigurationError unless these are a cell and positive whole sizes."""
    if not isinstance(architecture, CellArchitecture):
        raise ConfigurationError(
            f"architecture is a {type(architecture).__name__}; it must be a CellArchitecture, such "
            "as nas_env.published.NAS_CELL or CellSpace().decode(tokens)."
        )
    for name, size in sizes.items():
        if type(size) is not int or size < 1:
            raise ConfigurationError(f"{name} is {size!r}; it must be a whole number from 1 up.")


def initialise(parameters: Iterable[Tensor], hidden_size: int) -> None:
    """Fill parameters from U(-1, 1) / sqrt(hidden_size)."""
    bound = 1.0 / math.sqrt(hidden_size)
    for parameter in parameters:
        nn.init.uniform_(parameter, -bound, bound)
