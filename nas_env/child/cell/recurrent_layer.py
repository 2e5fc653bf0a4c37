"""A found cell as a drop-in for ``torch.nn.LSTM``: stacked layers over whole sequences."""

import warnings
from dataclasses import dataclass
from typing import overload

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from nas_env.child.cell.recurrent_cell import State, check_sizes, initialise
from nas_env.child.cell.sequence import LayerInput, run_layer
from nas_env.errors import ConfigurationError
from nas_env.space.cell_architecture import CellArchitecture


@dataclass(frozen=True)
class _Packed:
    """A batch of sequences as the kernels want it: longest first, rows of all steps stacked."""

    rows: Tensor  # (n, features)
    batch_sizes: tuple[int, ...]


class RecurrentLayer(nn.Module):
    """Stacked recurrent layers of one cell; takes and returns what ``torch.nn.LSTM`` does.

    Args:
        architecture: the cell, for example ``nas_env.published.NAS_CELL``; base number N.
        input_size: features of the input.
        hidden_size: features of h and c.
        num_layers: layers on top of each other.
        bias: one learnable bias of N * hidden_size a layer, on the ``h`` side; off as in the paper.
        batch_first: batched input and output are (batch, time, features).
        dropout: probability of dropping an output of every layer but the last, while training.
        bidirectional: run a second set of layers backwards in time and concatenate.
        recurrent_dropout: probability of dropping a unit of h_{t-1} before ``weight_h``, with one
            mask for the whole sequence (Gal & Ghahramani 2016), drawn at every call.
        variational: draw the mask of ``dropout`` once for the whole sequence too.
        device: where the parameters live.
        dtype: of the parameters.

    Attributes:
        weight_x_l0, weight_x_l1, ...: (features in, N * hidden_size) of each layer.
        weight_h_l0, ...: (hidden_size, N * hidden_size).
        bias_l0, ...: (N * hidden_size,), with ``bias=True``. Backward layers add ``_reverse``.

    Raises:
        ConfigurationError: sizes or probabilities out of range.
    """

    def __init__(
        self,
        architecture: CellArchitecture,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = False,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        recurrent_dropout: float = 0.0,
        variational: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_sizes(
            architecture,
            input_size=input_size,
            hidden_size=hidden_size,
            num_layers=num_layers,
        )
        _check_probability("dropout", dropout)
        _check_probability("recurrent_dropout", recurrent_dropout)
        if dropout > 0 and num_layers == 1:
            warnings.warn(
                f"dropout={dropout} acts between layers, so it does nothing with num_layers=1.",
                stacklevel=2,
            )
        self.architecture = architecture
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.bidirectional = bias, batch_first, bidirectional
        self.dropout, self.recurrent_dropout = float(dropout), float(recurrent_dropout)
        self.variational = variational
        width = architecture.base_number * hidden_size
        for layer in range(num_layers):
            features = input_size if layer == 0 else hidden_size * self.num_directions
            for direction in range(self.num_directions):
                shapes: dict[str, tuple[int, ...]] = {
                    "weight_x": (features, width),
                    "weight_h": (hidden_size, width),
                }
                if bias:
                    shapes["bias"] = (width,)
                for name, shape in shapes.items():
                    parameter = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
                    setattr(self, _name(name, layer, direction), parameter)
        self.reset_parameters()

    @property
    def num_directions(self) -> int:
        """2 if bidirectional, otherwise 1."""
        return 2 if self.bidirectional else 1

    def reset_parameters(self) -> None:
        """Draw all parameters from U(-1, 1) / sqrt(hidden_size), as ``torch.nn.LSTM`` does."""
        initialise(self.parameters(), self.hidden_size)

    def flatten_parameters(self) -> None:
        """Does nothing; there so that code written for ``torch.nn.LSTM`` runs unchanged."""

    @overload
    def forward(self, input: Tensor, hx: State | None = None) -> tuple[Tensor, State]: ...
    @overload
    def forward(
        self, input: PackedSequence, hx: State | None = None
    ) -> tuple[PackedSequence, State]: ...
    def forward(
        self, input: Tensor | PackedSequence, hx: State | None = None
    ) -> tuple[Tensor | PackedSequence, State]:
        """Run all layers over a batch of sequences.

        Args:
            input: (time, batch, input_size), (batch, time, input_size) with ``batch_first``,
                (time, input_size) for one sequence, or a ``PackedSequence``.
            hx: (h_0, c_0), each (num_layers * directions, batch, hidden_size), without the batch
                dimension for one sequence; zeros when None.

        Returns:
            The last layer's h_t at every step, in the form of the input, and (h_n, c_n) in the form
            of ``hx``.
        """
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx)
        self._check_input(input)
        unbatched = input.dim() == 2
        steps = input.unsqueeze(1) if unbatched else input
        if self.batch_first and not unbatched:
            steps = steps.transpose(0, 1)
        time, batch = steps.shape[:2]
        if unbatched and hx is not None:
            hx = (hx[0].unsqueeze(1), hx[1].unsqueeze(1))
        packed = _Packed(steps.reshape(time * batch, -1), (batch,) * time)
        rows, state = self._run(packed, self._initial(hx, packed))
        output = rows.view(time, batch, -1)
        if unbatched:
            return output.squeeze(1), (state[0].squeeze(1), state[1].squeeze(1))
        return output.transpose(0, 1) if self.batch_first else output, state

    def _forward_packed(
        self, input: PackedSequence, hx: State | None
    ) -> tuple[PackedSequence, State]:
        if input.data.shape[-1] != self.input_size:
            raise ConfigurationError(
                f"RecurrentLayer expects {self.input_size} features, got a PackedSequence with "
                f"{input.data.shape[-1]}."
            )
        packed = _Packed(input.data, tuple(input.batch_sizes.tolist()))
        order, back = input.sorted_indices, input.unsorted_indices
        if hx is not None and order is not None:
            hx = (hx[0].index_select(1, order), hx[1].index_select(1, order))
        rows, state = self._run(packed, self._initial(hx, packed))
        if back is not None:
            state = (state[0].index_select(1, back), state[1].index_select(1, back))
        return PackedSequence(rows, input.batch_sizes, order, back), state

    def _run(self, packed: _Packed, hx: State) -> tuple[Tensor, State]:
        _check_dtype(packed.rows, next(self.parameters()))
        rows, hidden, memory = packed.rows, list[Tensor](), list[Tensor]()
        reverse = _reverse_order(packed) if self.bidirectional else None
        for layer in range(self.num_layers):
            if layer > 0 and self.dropout > 0 and self.training:
                rows = self._drop(rows, packed.batch_sizes)
            outputs = []
            for direction in range(self.num_directions):
                index = layer * self.num_directions + direction
                x = rows if direction == 0 or reverse is None else rows[reverse]
                output, last_h, last_c = run_layer(
                    self.architecture,
                    packed.batch_sizes,
                    self._operands(x, (hx[0][index], hx[1][index]), layer, direction),
                    self._hidden_mask(x, packed.batch_sizes[0]),
                )
                outputs.append(output if direction == 0 or reverse is None else output[reverse])
                hidden.append(last_h)
                memory.append(last_c)
            rows = outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=-1)
        return rows, (torch.stack(hidden), torch.stack(memory))

    def _operands(self, x: Tensor, state: State, layer: int, direction: int) -> LayerInput:
        return LayerInput(
            x,
            state[0],
            state[1],
            getattr(self, _name("weight_x", layer, direction)),
            getattr(self, _name("weight_h", layer, direction)),
            getattr(self, _name("bias", layer, direction)) if self.bias else None,
        )

    def _hidden_mask(self, x: Tensor, batch: int) -> Tensor | None:
        if not self.training or self.recurrent_dropout == 0:
            return None
        return nn.functional.dropout(x.new_ones(batch, self.hidden_size), self.recurrent_dropout)

    def _drop(self, rows: Tensor, batch_sizes: tuple[int, ...]) -> Tensor:
        """Dropout between layers, with one mask for all steps if ``variational``."""
        if not self.variational:
            return nn.functional.dropout(rows, self.dropout)
        mask = nn.functional.dropout(rows.new_ones(batch_sizes[0], rows.shape[1]), self.dropout)
        return rows * torch.cat([mask[:size] for size in batch_sizes])

    def _initial(self, hx: State | None, packed: _Packed) -> State:
        shape = (self.num_layers * self.num_directions, packed.batch_sizes[0], self.hidden_size)
        if hx is None:
            zeros = packed.rows.new_zeros(shape)
            return zeros, zeros
        for name, value in zip(("h_0", "c_0"), hx, strict=True):
            if value.shape != shape:
                raise ConfigurationError(
                    f"RecurrentLayer expects {name} of shape {shape} (layers * directions, batch, "
                    f"hidden), got {tuple(value.shape)}."
                )
        return hx

    def _check_input(self, input: Tensor) -> None:
        if input.dim() not in (2, 3) or input.shape[-1] != self.input_size or not input.numel():
            layout = "(batch, time, {})" if self.batch_first else "(time, batch, {})"
            raise ConfigurationError(
                f"RecurrentLayer expects a non-empty {layout.format(self.input_size)} or "
                f"(time, {self.input_size}), got {tuple(input.shape)}."
            )

    def extra_repr(self) -> str:
        """Sizes and options, for ``print``."""
        return (
            f"{self.input_size}, {self.hidden_size}, base_number={self.architecture.base_number}, "
            f"num_layers={self.num_layers}, bias={self.bias}, batch_first={self.batch_first}, "
            f"dropout={self.dropout}, bidirectional={self.bidirectional}, "
            f"recurrent_dropout={self.recurrent_dropout}, variational={self.variational}"
        )


def _name(kind: str, layer: int, direction: int) -> str:
    return f"{kind}_l{layer}" + ("_reverse" if direction else "")


def _check_probability(name: str, value: object) -> None:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < 1:
        raise ConfigurationError(f"{name} is {value!r}; it must be a probability in [0, 1).")


def _check_dtype(rows: Tensor, weight: Tensor) -> None:
    """The input must have the dtype of the parameters, unless autocast converts both."""
    converted = torch.is_autocast_enabled(rows.device.type) and rows.is_floating_point()
    if rows.dtype != weight.dtype and not converted:
        raise ConfigurationError(
            f"The input is {rows.dtype}, but the parameters are {weight.dtype}; convert one of "
            f"them, e.g. input.to({weight.dtype})."
        )


def _reverse_order(packed: _Packed) -> Tensor:
    """The packed row that each row changes place with when every sequence is reversed."""
    sizes = packed.batch_sizes
    firsts = [0]
    for size in sizes:
        firsts.append(firsts[-1] + size)
    lengths = [sum(size > row for size in sizes) for row in range(sizes[0])]
    order = [
        firsts[lengths[row] - 1 - step] + row
        for step, size in enumerate(sizes)
        for row in range(size)
    ]
    return torch.tensor(order, device=packed.rows.device)
