"""The baseline: an exponential moving average of the rewards before the current batch.

Source: Zoph & Le 2017, section 3.2, "an exponential moving average of the previous architecture
accuracies". The average is divided by the weight it has gathered, so that it does not start at 0.
A reading for the first batch, which has no previous rewards: each of its rewards is compared with
the mean of the *others* in the batch, which does not depend on its own actions either, so the
gradient stays unbiased. (A baseline of 0 would push every first sample up, by an amount that
Adam's second moment remembers for hundreds of updates.)
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.agent import unfit
from nas_env.errors import CheckpointError

ROUNDING = 1e-9
"""How far a sum of weights, which tends to 1, may lie above it."""


@dataclass
class MovingBaseline:
    """Average of the rewards seen so far, the latest weighing most.

    Attributes:
        decay: share of the old average that stays when one more reward enters.
        total: sum of (1 - decay) decay^age R.
        weight: the same sum with R = 1; 0 before the first reward.
    """

    decay: float
    total: float = 0.0
    weight: float = 0.0

    @property
    def value(self) -> float:
        """The average; 0 before the first reward."""
        return self.total / self.weight if self.weight else 0.0

    def advantages(self, rewards: NDArray[np.float64]) -> NDArray[np.float64]:
        """(batch,) R - b, b from before this batch; does not change the baseline."""
        if self.weight:
            return rewards - self.value
        if len(rewards) == 1:
            return np.zeros(1)
        others = (rewards.sum() - rewards) / (len(rewards) - 1)
        result: NDArray[np.float64] = rewards - others
        return result

    def update(self, rewards: NDArray[np.float64]) -> None:
        """Let a batch in, one reward after another."""
        for reward in rewards.tolist():
            self.total = self.decay * self.total + (1 - self.decay) * reward
            self.weight = self.decay * self.weight + (1 - self.decay)

    def to_json(self) -> list[float]:
        """Everything, as numbers."""
        return [self.decay, self.total, self.weight]

    def load(self, value: Any) -> None:
        """Put back what ``to_json`` returned.

        Raises:
            CheckpointError: it did not.
        """
        kept = isinstance(value, list) and len(value) == 3
        if not kept or not all(isinstance(n, float | int) and math.isfinite(n) for n in value):
            raise CheckpointError(unfit(f"a baseline is {value!r}"))
        decay, total, weight = map(float, value)
        if decay != self.decay or not 0.0 <= weight <= 1.0 + ROUNDING:
            raise CheckpointError(unfit(f"a baseline of decay {self.decay} is {value!r}"))
        self.total, self.weight = total, weight
