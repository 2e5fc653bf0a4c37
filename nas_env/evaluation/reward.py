"""Rewards: functions of a metric, computed when needed and never stored instead of it.

Source: Zoph & Le (2017), section 4.1 (accuracy cubed) and section 4.2 (c / perplexity^2, c = 80).
"""

import math
from collections.abc import Callable

Reward = Callable[[float], float]
"""``metric -> reward``."""


def identity(metric: float) -> float:
    """The metric itself; 0 if it is NaN or infinite."""
    return metric if math.isfinite(metric) else 0.0


def cubed(metric: float) -> float:
    """``accuracy^3``, the paper's reward for images: .80 -> .512, .90 -> .729, .95 -> .857."""
    return metric**3 if math.isfinite(metric) else 0.0


def inverse_square(metric: float, c: float = 80.0) -> float:
    """``c / perplexity^2``, the paper's reward for language: 80 -> .0125, 60 -> .0222.

    NaN, infinite and impossible (not positive) perplexities give 0.
    """
    return c / metric**2 if math.isfinite(metric) and metric > 0 else 0.0
