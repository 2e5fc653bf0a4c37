"""Acting: the controller one step at a time, in numpy, without gradients.

Each row of a batch keeps the hidden state of its episode. The input of every step is read from the
observation, so the distribution is a function of the observation alone: a row that starts over, or
that was never seen before, is replayed from its tokens.
"""

import numpy as np
from numpy.typing import NDArray

from agents.agent import Observations
from agents.reinforce.controller import Controller
from agents.reinforce.plan import START_ROW, UNDECIDED_ROW, Step
from agents.streams import masks_of, positions_of

Array = NDArray[np.float64]


class ControllerSampler:
    """Distributions over the next token of a batch of unfinished episodes.

    The arrays below share memory with the controller's parameters, which learn in place.
    """

    def __init__(self, controller: Controller) -> None:
        self.plan = controller.plan
        self.sizes = controller.sizes
        self.options = controller.max_options
        arrays = {name: value.detach().numpy() for name, value in controller.named_parameters()}
        self.weights: dict[str, Array] = arrays
        self._rows(0)

    def _rows(self, count: int) -> None:
        hidden, layers = self.sizes.hidden_size, self.sizes.lstm_layers
        positions, anchors = len(self.plan.step_of), len(self.plan.anchor_steps)
        self.taken = np.zeros(count, np.int64)  # steps already taken, per row
        self.hidden = np.zeros((layers, count, hidden))
        self.cell = np.zeros((layers, count, hidden))
        self.attended = np.zeros((count, anchors, hidden))  # W_prev h_j of each anchor
        self.bit_logits = np.zeros((count, positions))

    def keep(self, rows: NDArray[np.int64]) -> None:
        """Go on with other rows: each with the episode so far of one of the rows before."""
        self.taken, self.attended = self.taken[rows], self.attended[rows]
        self.hidden, self.cell = self.hidden[:, rows], self.cell[:, rows]
        self.bit_logits = self.bit_logits[rows]

    def forget(self) -> None:
        """Drop every episode in flight (after the weights have changed)."""
        self._rows(len(self.taken))

    def probabilities(self, observations: Observations) -> Array:
        """(batch, actions) distribution of each row's next token; masked tokens have 0."""
        likelihood = np.exp(self._logits(observations))
        result: Array = likelihood / likelihood.sum(axis=1, keepdims=True)
        return result

    def log_probabilities(self, observations: Observations) -> Array:
        """(batch, actions) their logarithms: finite for every valid token, -inf for the others.

        Raises:
            FloatingPointError: they are no numbers, because the weights have grown beyond all.
        """
        logits = self._logits(observations)
        if np.isnan(logits).any():
            raise FloatingPointError("the controller's logits are not finite")
        result: Array = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return result

    def _logits(self, observations: Observations) -> Array:
        """(batch, actions) logits, the highest 0; -inf for masked tokens."""
        positions, masks = positions_of(observations), masks_of(observations)
        tokens = np.asarray(observations["tokens"], np.int64) - 1  # -1: not chosen yet
        if len(positions) != len(self.taken):
            self._rows(len(positions))
        self._catch_up(tokens, self.plan.step_of[positions] + 1, positions == 0)
        scores = np.full((len(positions), masks.shape[1]), -np.inf)
        width = min(self.options, masks.shape[1])
        scores[:, :width] = self._scores(positions)[:, :width]
        scores[~masks] = -np.inf
        scores -= scores.max(axis=1, keepdims=True)
        return scores

    def _catch_up(
        self, tokens: NDArray[np.int64], wanted: NDArray[np.int64], starts: NDArray[np.bool_]
    ) -> None:
        """Take the steps that each row still needs; rows at the same step go together."""
        self.taken[starts | (self.taken > wanted)] = 0
        while True:
            behind = self.taken < wanted
            if not behind.any():
                return
            index = int(self.taken[behind].min())
            self._take(index, np.flatnonzero(behind & (self.taken == index)), tokens)

    def _take(self, index: int, rows: NDArray[np.int64], tokens: NDArray[np.int64]) -> None:
        if index == 0:
            self.hidden[:, rows] = 0.0
            self.cell[:, rows] = 0.0
            inputs = np.tile(self.weights["embedding"][START_ROW], (len(rows), 1))
        else:
            inputs = self._outcome(self.plan.steps[index - 1], tokens[rows])
        top = self._lstm(inputs, rows)  # (rows, hidden)
        self.taken[rows] = index + 1
        if self.plan.steps[index].anchor >= 0:
            self._attend(self.plan.steps[index], rows, top)

    def _outcome(self, step: Step, tokens: NDArray[np.int64]) -> Array:
        """(rows, hidden): mean embedding of what a step decided."""
        table = self.weights["embedding"]
        if not step.positions:
            return np.tile(table[UNDECIDED_ROW], (len(tokens), 1))
        positions = list(step.positions)
        rows = self.plan.first_row[positions] + tokens[:, positions]
        mean: Array = table[rows].mean(axis=1)
        return mean

    def _lstm(self, inputs: Array, rows: NDArray[np.int64]) -> Array:
        """One step of every LSTM layer: c = f c + i g, h = o tanh(c), gates in torch's order."""
        size = self.sizes.hidden_size
        for layer in range(self.sizes.lstm_layers):
            gates = inputs @ self.weights[f"lstm.weight_ih_l{layer}"].T
            gates += self.hidden[layer, rows] @ self.weights[f"lstm.weight_hh_l{layer}"].T
            gates += self.weights[f"lstm.bias_ih_l{layer}"] + self.weights[f"lstm.bias_hh_l{layer}"]
            candidate = np.tanh(gates[:, 2 * size : 3 * size])
            gates = 1.0 / (1.0 + np.exp(-gates))
            cell = gates[:, size : 2 * size] * self.cell[layer, rows] + gates[:, :size] * candidate
            inputs = gates[:, 3 * size :] * np.tanh(cell)
            self.cell[layer, rows] = cell
            self.hidden[layer, rows] = inputs
        return inputs

    def _attend(self, step: Step, rows: NDArray[np.int64], top: Array) -> None:
        """All skip logits of one anchor: v^T tanh(W_prev h_j + W_curr h_i)."""
        self.attended[rows, step.anchor] = top @ self.weights["attention_previous"].T
        if step.positions:
            positions = np.array(step.positions)
            sources = self.plan.source_of[positions]
            current = top @ self.weights["attention_current"].T  # (rows, hidden)
            joined = np.tanh(self.attended[rows[:, None], sources] + current[:, None])
            logits = joined @ self.weights["attention_vector"]  # (rows, bits)
            self.bit_logits[rows[:, None], positions] = logits

    def _scores(self, positions: NDArray[np.int64]) -> Array:
        """(batch, options) logits at each row's position; -inf where there is no option."""
        scores = np.full((len(positions), self.options), -np.inf)
        heads = self.plan.head_of[positions]
        for head in np.unique(heads).tolist():
            rows = np.flatnonzero(heads == head)
            if head < 0:
                scores[rows, 0] = 0.0
                scores[rows, 1] = self.bit_logits[rows, positions[rows]]
                continue
            count = self.plan.head_options[head]
            weight = self.weights["head_weight"][head, :count]
            bias = self.weights["head_bias"][head, :count]
            scores[rows, :count] = self.hidden[-1, rows] @ weight.T + bias
        return scores
