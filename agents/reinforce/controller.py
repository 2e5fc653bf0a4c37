"""The controller: a 2-layer LSTM that writes an architecture token by token.

Source: Zoph & Le 2017, sections 3.1-3.3 and 4.1: 35 units per layer, weights U(-.08, .08). This
file holds the weights and the teacher-forced pass that learning needs; ``sampler`` holds the
step-by-step pass that acting needs. Everything runs on the CPU in float64: at 35 units the
arithmetic costs less than the calls, and both passes then agree to 1e-12.

A reading where the paper is silent: the step after an anchor is fed the mean, over that anchor's
decisions, of an embedding of (source layer, bit).
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agents.reinforce.plan import START_ROW, UNDECIDED_ROW, Plan


@dataclass(frozen=True)
class ControllerSizes:
    """Sizes of the controller.

    Attributes:
        hidden_size: units of each LSTM layer, and of the embeddings (paper: 35).
        lstm_layers: LSTM layers (paper: 2).
        init_range: every weight starts uniformly in [-init_range, init_range] (paper: .08).
    """

    hidden_size: int = 35
    lstm_layers: int = 2
    init_range: float = 0.08


class Controller(nn.Module):
    """Weights and log-probabilities of the policy.

    Args:
        plan: the steps (see ``agents.reinforce.plan``).
        sizes: units, layers, range of the first weights.
        seed: seed of the first weights.
    """

    def __init__(self, plan: Plan, sizes: ControllerSizes, seed: int) -> None:
        super().__init__()
        self.plan = plan
        self.sizes = sizes
        hidden, heads = sizes.hidden_size, len(plan.head_options)
        self.max_options = int(max([2, *plan.head_options]))
        self.embedding = _weight(plan.num_rows, hidden)
        self.lstm = nn.LSTM(
            hidden, hidden, sizes.lstm_layers, batch_first=True, dtype=torch.float64
        )
        self.head_weight = _weight(heads, self.max_options, hidden)
        self.head_bias = _weight(heads, self.max_options)
        self.attention_previous = _weight(hidden, hidden)  # W_prev
        self.attention_current = _weight(hidden, hidden)  # W_curr
        self.attention_vector = _weight(hidden)  # v
        self._initialise(seed)
        self._index = {
            "averaging": torch.from_numpy(plan.averaging()),
            "first_row": torch.from_numpy(plan.first_row),
            "step_of": torch.from_numpy(plan.step_of),
            "head_of": torch.from_numpy(plan.head_of),
            "anchor_of": torch.from_numpy(plan.anchor_of),
            "source_of": torch.from_numpy(plan.source_of),
            "anchor_steps": torch.from_numpy(plan.anchor_steps),
        }

    def _initialise(self, seed: int) -> None:
        """Every weight U(-r, r), from numpy's generator: the same on every torch version."""
        generator = np.random.default_rng([seed, 0xC0FFEE])
        limit = self.sizes.init_range
        with torch.no_grad():
            for parameter in self.parameters():
                drawn = generator.uniform(-limit, limit, tuple(parameter.shape))
                parameter.copy_(torch.from_numpy(drawn))

    def forward(self, tokens: NDArray[np.int64], masks: NDArray[np.bool_]) -> tuple[Tensor, Tensor]:
        """Log-probability and entropy of every decision of given episodes.

        Args:
            tokens: (batch, length) chosen tokens; length may be shorter than the layout.
            masks: (batch, length, actions) valid tokens, at least one per position.

        Returns:
            log P(token t | earlier tokens) and the entropy of that decision, both (batch, length).
            Figures of padding have no meaning.
        """
        chosen = torch.from_numpy(tokens)  # (batch, length)
        log_p, valid = self.distributions(chosen, masks)
        safe = log_p.masked_fill(~valid, 0.0)
        entropies = -(log_p.exp() * safe).sum(dim=2)
        return log_p.gather(2, chosen[:, :, None]).squeeze(2), entropies

    def distributions(self, chosen: Tensor, masks: NDArray[np.bool_]) -> tuple[Tensor, Tensor]:
        """Log-probabilities of all options at every decision of given episodes.

        Args:
            chosen: (batch, length) tokens.
            masks: (batch, length, actions) valid tokens.

        Returns:
            (batch, length, max_options) log-probabilities, -inf where not valid; and what is valid.
        """
        logits = self.logits(chosen)  # (batch, length, options)
        valid = torch.from_numpy(_fit(masks, logits.shape[2]))
        return torch.log_softmax(logits.masked_fill(~valid, -torch.inf), dim=2), valid

    def logits(self, chosen: Tensor) -> Tensor:
        """(batch, length, max_options) unmasked logits; -inf for options that do not exist."""
        length = chosen.shape[1]
        hidden = self._hidden_states(chosen)  # (batch, steps, hidden)
        head_of = self._index["head_of"][:length]
        options, skips = (head_of >= 0).nonzero()[:, 0], (head_of < 0).nonzero()[:, 0]
        heads = head_of[options]
        states = hidden[:, self._index["step_of"][options]]  # (batch, options, hidden)
        scores = torch.einsum("bph,poh->bpo", states, self.head_weight[heads])
        scores = scores + self.head_bias[heads]
        sizes = torch.from_numpy(self.plan.head_options)[heads]
        missing = torch.arange(self.max_options) >= sizes[:, None]  # (options, max_options)
        scores = scores.masked_fill(missing, -torch.inf)
        bits = self._bit_logits(hidden, skips)  # (batch, skips, max_options)
        order = torch.cat([options, skips]).argsort()
        return torch.cat([scores, bits], dim=1)[:, order]

    def _hidden_states(self, chosen: Tensor) -> Tensor:
        """(batch, steps, hidden): top-layer state at each step, fed the steps before."""
        batch, length = chosen.shape
        steps = int(self._index["step_of"][:length].max()) + 1
        rows = self._index["first_row"][:length] + chosen
        averaging = self._index["averaging"][:steps, :length]
        outcomes = averaging @ self.embedding[rows]  # (batch, steps, hidden)
        undecided = (averaging.sum(dim=1) == 0).to(outcomes.dtype)
        outcomes = outcomes + undecided[:, None] * self.embedding[UNDECIDED_ROW]
        start = self.embedding[START_ROW].expand(batch, 1, -1)
        inputs = torch.cat([start, outcomes[:, :-1]], dim=1)
        hidden: Tensor = self.lstm(inputs)[0]
        return hidden

    def _bit_logits(self, hidden: Tensor, skips: Tensor) -> Tensor:
        """Logits (0, z) of skip decisions: sigmoid(z) = P(layer j is an input of layer i).

        z = v^T tanh(W_prev h_j + W_curr h_i), h the states at the anchors of both layers.
        """
        anchor_steps = self._index["anchor_steps"]
        anchors = hidden[
            :, anchor_steps[anchor_steps < hidden.shape[1]]
        ]  # (batch, anchors, hidden)
        previous = anchors @ self.attention_previous.T
        current = anchors @ self.attention_current.T
        sources, targets = self._index["source_of"][skips], self._index["anchor_of"][skips]
        joined = torch.tanh(previous[:, sources] + current[:, targets])  # (batch, skips, hidden)
        scores = joined @ self.attention_vector  # (batch, skips)
        filler = scores.new_full((*scores.shape, self.max_options - 2), -torch.inf)
        return torch.cat([torch.zeros_like(scores)[..., None], scores[..., None], filler], dim=2)


def _weight(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.empty(shape, dtype=torch.float64))


def _fit(masks: NDArray[np.bool_], options: int) -> NDArray[np.bool_]:
    """Cut or pad (with False) the last axis of ``masks`` to ``options`` entries."""
    missing = options - masks.shape[2]
    if missing <= 0:
        return np.ascontiguousarray(masks[:, :, :options])
    return np.pad(masks, ((0, 0), (0, 0), (0, missing)))
