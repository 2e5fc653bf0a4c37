"""The language-model child: embedding, recurrent layers of one cell, softmax (paper, section 4.2).

Sequences are time-major: tokens (steps, batch). The state of one window is the start of the next
(truncated back-propagation through time), so every method takes and returns it.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from nas_env.child.cell.recurrent_layer import RecurrentLayer
from nas_env.child.language.dropout import LanguageDropout, drop_elements, drop_words, keep_mask
from nas_env.child.language.size import Cell, LanguageSizes, check_cell
from nas_env.child.language.softmax_loss import softmax_loss
from nas_env.errors import ConfigurationError
from nas_env.space.cell_architecture import CellArchitecture

State = tuple[Any, ...]
"""What each layer carries along time: (h, c), or h for a GRU, each (1, batch, hidden)."""


class LanguageModel(nn.Module):
    """Predicts the next token from all before it.

    Args:
        cell: a cell architecture, or ``"lstm"`` or ``"gru"`` for a baseline.
        sizes: vocabulary, hidden and embedding size, layers, tied or not.
        dropout: none by default.
        init_scale: all weights are drawn from U(-init_scale, init_scale), biases too (Zaremba).

    Raises:
        ConfigurationError: not a cell, or recurrent dropout with a GRU.
    """

    def __init__(
        self,
        cell: Cell,
        sizes: LanguageSizes,
        dropout: LanguageDropout | None = None,
        init_scale: float = 0.05,
    ) -> None:
        super().__init__()
        self.cell, self.sizes = check_cell(cell), sizes
        self.dropout = dropout or LanguageDropout()
        if self.cell == "gru" and self.dropout.recurrent:
            raise ConfigurationError(
                "A GRU passes h_{t-1} on beside its gates, so recurrent dropout does not apply to "
                f"it; got recurrent={self.dropout.recurrent}. Use 'lstm' or a CellArchitecture, or "
                "set recurrent=0."
            )
        self.embedding = nn.Embedding(sizes.vocabulary_size, sizes.embedding)
        self.layers = nn.ModuleList(
            _layer(self.cell, size, sizes.hidden_size, self.dropout.recurrent)
            for size in sizes.inputs
        )
        self.softmax = nn.Linear(sizes.hidden_size, sizes.vocabulary_size)
        if sizes.tied:
            self.softmax.weight = self.embedding.weight
        for parameter in self.parameters():
            if parameter.requires_grad:
                nn.init.uniform_(parameter, -init_scale, init_scale)

    def forward(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Logits of the token after each.

        Args:
            tokens: (steps, batch) int64.
            state: what the previous call returned; zeros when None.

        Returns:
            Logits (steps, batch, vocabulary) and the new state.
        """
        hidden, state = self.hidden(tokens, state)
        return self.softmax(hidden), state

    def loss(
        self, tokens: Tensor, targets: Tensor, state: State | None = None
    ) -> tuple[Tensor, State]:
        """Negative log-likelihood in nats, summed over steps and batch, and the new state.

        Args:
            tokens: (steps, batch) int64.
            targets: (steps, batch) int64, the token after each.
            state: what the previous call returned; zeros when None.
        """
        hidden, state = self.hidden(tokens, state)
        weight, bias = self.softmax.weight, self.softmax.bias
        return softmax_loss(hidden.flatten(0, 1), weight, bias, targets.flatten()), state

    def hidden(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Output of the last layer (steps, batch, hidden), and the new state."""
        drop = self.dropout if self.training else LanguageDropout()
        values = self.embedding(tokens)  # (steps, batch, embedding)
        values = drop_words(values, tokens, self.sizes.vocabulary_size, drop.embedding)
        values = drop_elements(values, drop.input, drop.variational)
        before: Sequence[Any] = (None,) * len(self.layers) if state is None else state
        after: list[Any] = []
        for index, (layer, carried) in enumerate(zip(self.layers, before, strict=True)):
            if index:
                values = drop_elements(values, drop.between, drop.variational)
            if drop.recurrent and isinstance(layer, nn.LSTM):
                values, carried = _masked_lstm(layer, values, carried, drop.recurrent)
            else:
                with _no_autocast_for(layer, values):
                    values, carried = layer(values, carried)
            after.append(carried)
        return drop_elements(values, drop.output, drop.variational), tuple(after)


def detach(state: State) -> State:
    """The same state, cut off from the graph of the window that computed it."""
    return tuple(
        layer.detach() if isinstance(layer, Tensor) else tuple(part.detach() for part in layer)
        for layer in state
    )


def _layer(cell: Cell, input_size: int, hidden_size: int, recurrent_dropout: float) -> nn.Module:
    if isinstance(cell, CellArchitecture):
        return RecurrentLayer(cell, input_size, hidden_size, recurrent_dropout=recurrent_dropout)
    if cell == "gru":
        return nn.GRU(input_size, hidden_size)
    layer = nn.LSTM(input_size, hidden_size)
    second_bias = layer.get_parameter("bias_hh_l0")
    # torch adds two biases where Zaremba has one; two would be learnt at twice the rate.
    nn.init.zeros_(second_bias).requires_grad_(False)
    return layer


def _no_autocast_for(layer: nn.Module, values: Tensor) -> AbstractContextManager[object]:
    """A torch LSTM on a CPU without bfloat16 units raises under autocast: it stays in float32."""
    available = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    by_onednn = values.device.type == "cpu" and available
    ours = isinstance(layer, RecurrentLayer)
    if by_onednn and not ours and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return torch.autocast("cpu", enabled=False)
    return nullcontext()


def _masked_lstm(
    layer: nn.LSTM, values: Tensor, state: Any, drop: float
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """An LSTM with the same elements of h_{t-1} dropped at every step; torch's has no such mask."""
    shape = (1, values.shape[1], layer.hidden_size)
    mask, zeros = keep_mask(values, shape, drop), values.new_zeros(shape)
    hidden, memory = (zeros, zeros) if state is None else state
    outputs: list[Tensor] = []
    for step in torch.split(values, 1):
        with _no_autocast_for(layer, values):
            output, (hidden, memory) = layer(step, (hidden * mask, memory))
        outputs.append(output)
    return torch.cat(outputs), (hidden, memory)
