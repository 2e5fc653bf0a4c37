"""What makes one child better than another: its metric, and which way, or its reward.

A search maximises the reward. Where rewards put children in the order of their metric, as the
paper's do, people are shown the metric; where they do not, because a cost is part of them, say,
the reward is what ranks. So nothing that is shown as the best is worse by what was searched for.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Values = Sequence[float | None] | Sequence[float] | NDArray[np.float64]
KNOWN = {"accuracy": 1, "perplexity": -1}
"""Metrics whose good side is known."""
REWARD = "reward"


def direction_of(metric_name: str, metrics: Values, rewards: Values) -> int:
    """Which way the metric is good.

    Args:
        metric_name: an accuracy is good when high, a perplexity when low; any other metric is good
            where its reward is high.
        metrics: (children,) of all children that are compared; NaN or None = failed.
        rewards: (children,) of the same.

    Returns:
        1: a high metric is good; -1: a low one; 0: the order of the rewards is another one than
        that of the metrics, so that rewards rank.
    """
    measured, paid = np.asarray(metrics, np.float64), np.asarray(rewards, np.float64)
    known = np.isfinite(measured) & np.isfinite(paid)
    signs = (KNOWN[metric_name],) if metric_name in KNOWN else (1, -1)
    return next((s for s in signs if _follows(s * measured[known], paid[known])), 0)


def ranked_by(metric_name: str, direction: int) -> str:
    """The name of what ranks."""
    return metric_name if direction else REWARD


def ranks_text(metric_name: str, direction: int) -> str:
    """In words, for a note below a ranking."""
    if not direction:
        return f"Ranked by reward, which is not in the order of the {metric_name}."
    return f"Ranked by {metric_name}: {'the higher' if direction > 0 else 'the lower'}, the better."


def _follows(gains: NDArray[np.float64], rewards: NDArray[np.float64]) -> bool:
    """Whether rewards never fall as gains rise, and are equal where those are."""
    order = np.lexsort((rewards, gains))
    rise, more = np.diff(rewards[order]), np.diff(gains[order])
    return bool(np.all(rise >= 0) and np.all(rise[more == 0] == 0))
