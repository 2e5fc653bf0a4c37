"""Hyper-parameters of REINFORCE; no torch, so that a command line can be read without it."""

from dataclasses import dataclass
from typing import Annotated

from nas_env.checks import above, at_least, below, check_settings


@dataclass(frozen=True)
class ReinforceSettings:
    """Hyper-parameters of REINFORCE; the defaults are the paper's.

    Attributes:
        learning_rate: step size of Adam (paper: 6e-4 for CIFAR-10, 5e-4 for Penn Treebank).
        baseline_decay: share of the old average that stays when one more reward enters the
            baseline (.95 in the authors' next paper; this one gives no figure).
        entropy_coefficient: weight of the mean entropy per episode in the objective. 0, as in the
            paper; it must be small against the spread of rewards.
        gradient_clip: largest norm of the gradient. None, as in the paper: no limit.
        hidden_size: units of each LSTM layer (paper: 35).
        lstm_layers: LSTM layers (paper: 2).
        init_range: weights start uniformly in +-init_range (paper: .08).
        unit_advantages: divide advantages by the root of the moving average (of the baseline's
            decay, this batch included) of their squares. The paper does not.
        elite_size: how many of the best architectures are learned from again at every update (K of
            priority queue training). 0, as in the paper: none.
        elite_weight: weight of the mean log-likelihood of the elites in the objective.
        avoid_repeats: write only architectures that were not written before, each as likely as the
            policy makes it among those. Repeats begin when there are no new ones, and where a
            foreign vector environment publishes no search space. The paper has no such rule.
    """

    learning_rate: Annotated[float, above(0)] = 6e-4
    baseline_decay: Annotated[float, at_least(0), below(1)] = 0.95
    entropy_coefficient: Annotated[float, at_least(0)] = 0.0
    gradient_clip: Annotated[float | None, above(0)] = None
    hidden_size: Annotated[int, at_least(1)] = 35
    lstm_layers: Annotated[int, at_least(1)] = 2
    init_range: Annotated[float, above(0)] = 0.08
    unit_advantages: bool = False
    elite_size: Annotated[int, at_least(0)] = 0
    elite_weight: Annotated[float, above(0)] = 0.5
    avoid_repeats: bool = False

    def __post_init__(self) -> None:
        check_settings(self)
