"""What an episode is worth: the reward of its child, of a failed one, or none at all.

A reward depends on architecture, data, recipe, seed and the reward function alone. So the reward of
a failed child is no function of what was seen before: it is what the user gives as
``failure_reward``, or what the worst possible metric is worth. Where nobody can say what that is (a
metric of unknown range, or a reward that falls without end), a failed child has no reward, as has
one that the machine kept from a result. What a learner makes of that is the learner's.
"""

import logging
import math
from typing import Any

from nas_env.envs.episode import reward_of
from nas_env.errors import ConfigurationError
from nas_env.evaluation.evaluation import Evaluation, MetricName

NO_REWARD = 0.0
"""What stands where a reward is missing: a number, because learners take nothing else."""
EXTREMES: dict[MetricName, tuple[float, ...]] = {
    "accuracy": (0.0, 1.0),
    "perplexity": (1.0, math.inf),
    "metric": (),
}
"""The ends of each metric's range; one of them is the worst. Empty: the range is unknown."""

_log = logging.getLogger("nas_env.envs")


def worst_reward(reward: Any, metric_name: MetricName) -> float | None:
    """The lower of the rewards at both ends of the metric's range; None = there is no such number.

    Args:
        reward: ``metric -> reward``, or an object with ``of(evaluation)``.
        metric_name: what is measured.
    """
    rewards = [_reward_at(reward, metric, metric_name) for metric in EXTREMES[metric_name]]
    known = bool(rewards) and all(math.isfinite(value) for value in rewards)
    return min(rewards) if known else None


def _reward_at(reward: Any, metric: float, metric_name: MetricName) -> float:
    try:
        if not hasattr(reward, "of"):
            return float(reward(metric))
        evaluation = Evaluation("", 0, metric_name, metric, "complete", "", "", (), 1, 1, 1.0)
        return float(reward.of(evaluation))
    except Exception:  # of a user's function at a metric that no child has
        return math.nan


class Worth:
    """The rewards of one environment.

    Args:
        reward: ``metric -> reward``.
        failure_reward: of a failed child; None = that of the worst metric, where it is known.
        metric_name: what is measured.

    Attributes:
        failure_reward: of a failed child; None = it has no reward.

    Raises:
        ConfigurationError: ``failure_reward`` is no finite number.
    """

    def __init__(self, reward: Any, failure_reward: float | None, metric_name: MetricName) -> None:
        if failure_reward is None:
            failure_reward = worst_reward(reward, metric_name)
        elif isinstance(failure_reward, bool) or not math.isfinite(failure_reward):
            raise ConfigurationError(
                f"failure_reward is {failure_reward!r}; allowed: a finite number, no higher than "
                "any reward, or None for that of the worst metric."
            )
        self.failure_reward = None if failure_reward is None else float(failure_reward)
        self._reward = reward
        self._told: set[str] = set()

    def missing(self, evaluation: Evaluation) -> bool:
        """Whether the episode of this child has no reward."""
        failed = evaluation.metric is None
        return evaluation.missing or (failed and self.failure_reward is None)

    def of(self, evaluation: Evaluation) -> float:
        """The reward; ``NO_REWARD``, or that of a failed child, where it is missing.

        Raises:
            ConfigurationError: the reward function did not return a finite number.
        """
        if evaluation.metric is None:
            return self._of_failed(evaluation)
        reward = reward_of(evaluation, self._reward)
        if self.failure_reward is not None and reward < self.failure_reward:
            self._tell(
                "below",
                f"A child with metric {evaluation.metric:g} earned {reward:g}, less than a failed "
                f"one ({self.failure_reward:g}): agents learn to fail. Give a lower "
                "failure_reward.",
            )
        return reward

    def _of_failed(self, evaluation: Evaluation) -> float:
        if self.failure_reward is not None:
            return self.failure_reward
        if not evaluation.missing:
            self._tell(
                "unknown",
                "A child failed, and what the worst child is worth cannot be told from the reward "
                "function: the episode has no reward (info['reward_missing']). The agents of "
                "nas_env take it for the worst that they have seen. Give failure_reward to say it.",
            )
        return NO_REWARD

    def _tell(self, what: str, text: str) -> None:
        """Once for each environment."""
        if what not in self._told:
            self._told.add(what)
            _log.warning("%s", text)
