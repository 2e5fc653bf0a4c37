"""What single and vector environments share: spaces, options, and how a child ends an episode.

Keeping it in one place makes both give the same reward and info for the same tokens and run seed.
"""

import math
from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any, cast

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from nas_env.envs.token_space import MaskSpace, TokenSpace
from nas_env.errors import ConfigurationError
from nas_env.evaluation.callable_evaluator import CallableEvaluator
from nas_env.evaluation.evaluation import Evaluation, MetricName
from nas_env.evaluation.evaluator import Evaluator, MetricFunction
from nas_env.evaluation.named_reward import Reward, reward_value
from nas_env.space.layout import SearchSpace

NO_RENDER_MODE = "render() without a render mode: pass render_mode='ansi', 'rgb_array' or 'human'."


def token_space(search_space: SearchSpace[Any]) -> TokenSpace:
    """The contract's action space."""
    return TokenSpace(search_space.max_options, always_valid(search_space))


def always_valid(search_space: SearchSpace[Any]) -> NDArray[np.bool_]:
    """(actions,) bool: options that exist at every position."""
    return np.asarray(search_space.static_masks.all(axis=0), np.bool_)


def observation_space(search_space: SearchSpace[Any], actions: TokenSpace) -> spaces.Dict:
    """The contract's observation space, its shapes fixed by the deepest architecture.

    Args:
        search_space: the search space.
        actions: the action space whose mask is observed.
    """
    options = [len(position.options) + 1 for position in search_space.layout]
    return spaces.Dict(
        {
            "tokens": spaces.MultiDiscrete(np.array(options)),
            "position": spaces.Discrete(len(options) + 1),
            "remaining": spaces.Discrete(len(options) + 1),
            "action_mask": MaskSpace(actions),
        }
    )


def as_evaluator(evaluator: Evaluator | MetricFunction) -> Evaluator:
    """An ``Evaluator`` as it is; a callable ``(architecture, seed) -> metric`` wrapped in one."""
    if hasattr(evaluator, "evaluate"):
        return cast(Evaluator, evaluator)
    if callable(evaluator):
        return CallableEvaluator(evaluator)
    raise ConfigurationError(
        f"evaluator must be an Evaluator or a callable (architecture, seed) -> metric, "
        f"got {evaluator!r}."
    )


def check_render_mode(render_mode: str | None, allowed: Sequence[str]) -> None:
    """Refuse a render mode that the environment does not have."""
    if render_mode is not None and render_mode not in allowed:
        raise ConfigurationError(
            f"render_mode is {render_mode!r}; allowed: {', '.join(map(repr, allowed))}, None."
        )


def check_depth(search_space: SearchSpace[Any], num_layers: Any) -> int:
    """Validate ``options["num_layers"]``."""
    low, high = search_space.min_layers, search_space.max_layers
    whole = isinstance(num_layers, Integral) and not isinstance(num_layers, bool)
    if not whole or not low <= int(num_layers) <= high:
        raise ConfigurationError(
            f"options['num_layers'] must be an integer from {low} to {high}, got {num_layers!r}. "
            f"Make the environment with another max_layers to go deeper."
        )
    return int(num_layers)


def check_options(options: Mapping[str, Any] | None, allowed: Sequence[str]) -> dict[str, Any]:
    """A copy of the reset options, after refusing unknown names."""
    if not isinstance(options, Mapping | None):
        raise ConfigurationError(f"Reset options are a dict or None, got {options!r}.")
    given = dict(options or {})
    unknown = sorted(set(given) - set(allowed))
    if unknown:
        raise ConfigurationError(
            f"Unknown reset options {unknown}; allowed: {', '.join(sorted(allowed))}."
        )
    return given


def reward_of(evaluation: Evaluation, reward: Reward) -> float:
    """The reward of a complete child: a function of its metric (``worth.py`` knows of others).

    Raises:
        ConfigurationError: the reward function did not return a finite number. No number would
            do in its place: 0 is the best of all rewards where a function gives negative ones.
    """
    assert evaluation.metric is not None
    value = reward_value(reward, evaluation)
    if not isinstance(value, (int, float, np.number)) or not math.isfinite(value):
        raise ConfigurationError(
            f"The reward function returned {value!r} for the metric {evaluation.metric!r}; "
            f"it must return a finite number for every metric."
        )
    return float(value)


def terminal_info(
    evaluation: Evaluation, metric_name: MetricName, reward_missing: bool
) -> dict[str, Any]:
    """What the last step of an episode tells about its child, except the mask.

    The metric of a failed child is NaN, so that it keeps its type in a batch of infos.

    Args:
        evaluation: outcome of the child.
        metric_name: what the metric is called where the evaluator does not know (callables).
        reward_missing: whether the episode has no reward.
    """
    metric = math.nan if evaluation.metric is None else float(evaluation.metric)
    info: dict[str, Any] = {"architecture": evaluation.architecture, "metric": metric}
    name = metric_name if evaluation.metric_name == "metric" else evaluation.metric_name
    info[name] = metric
    info["parameters"] = evaluation.parameters
    info["macs"] = evaluation.macs
    info["state"] = evaluation.state
    info["failure"] = evaluation.failure
    info["message"] = evaluation.message
    info["train_seconds"] = float(evaluation.train_seconds)
    info["cached"] = evaluation.cached
    info["reward_missing"] = reward_missing
    info["machine_fault"] = evaluation.missing
    return info


def outcome_text(evaluation: Evaluation, reward: Reward) -> str:
    """One line about a trained child, for people."""
    if evaluation.metric is None:
        return f"failed ({evaluation.failure}): {evaluation.message}"
    size = f", {evaluation.parameters:,} parameters" if evaluation.parameters else ""
    earned = reward_of(evaluation, reward)
    return f"{evaluation.metric_name} {evaluation.metric:.4g}, reward {earned:.4g}{size}"
