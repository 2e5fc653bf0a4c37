"""Arguments of the vector environment's ``reset`` and ``step``, checked and brought into form."""

from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from nas_env.checks import check_seed, shown
from nas_env.envs.episode import check_depth
from nas_env.errors import ConfigurationError, InvalidTokenError
from nas_env.space.layout import SearchSpace


def autoreset_mode_of(mode: AutoresetMode | str) -> AutoresetMode:
    """An ``AutoresetMode`` from itself, its name (``"NEXT_STEP"``) or its value (``"NextStep"``).

    Raises:
        ConfigurationError: no such mode.
    """
    for known in AutoresetMode:
        if mode in (known, known.name, known.value):
            return known
    raise ConfigurationError(
        f"autoreset_mode is {mode!r}; allowed: {', '.join(known.name for known in AutoresetMode)}."
    )


def as_tokens(actions: Any, num_envs: int) -> NDArray[np.int64]:
    """(num_envs,) int64 tokens.

    Raises:
        InvalidTokenError: another shape, or not integers.
    """
    tokens = np.asarray(actions)
    if tokens.shape != (num_envs,) or tokens.dtype.kind not in "iu":
        raise InvalidTokenError(
            f"actions must be {num_envs} integers in an array of shape ({num_envs},), got shape "
            f"{tokens.shape} of {tokens.dtype}."
        )
    return tokens.astype(np.int64, copy=False)


def depths_of(search_space: SearchSpace[Any], num_layers: Any, num_envs: int) -> NDArray[np.int64]:
    """(num_envs,) depths from ``options["num_layers"]``: None, one for all, or one for each.

    Raises:
        ConfigurationError: another shape, or a depth out of range.
    """
    if num_layers is None:
        num_layers = search_space.num_layers
    if np.ndim(num_layers) == 0:
        return np.full(num_envs, check_depth(search_space, num_layers))
    if np.shape(num_layers) != (num_envs,):
        raise ConfigurationError(
            f"options['num_layers'] must be one integer or {num_envs}, got {num_layers!r}."
        )
    return np.array([check_depth(search_space, depth) for depth in num_layers])


def seeds_of(name: str, seed: Any, num_envs: int) -> list[int | None]:
    """A seed for each row: from None, one for all, or one (or None) for each.

    Args:
        name: of the argument, for the message.
        seed: what was given.
        num_envs: number of rows.

    Raises:
        ConfigurationError: another shape, or what is no seed.
    """
    if seed is None or np.ndim(seed) == 0:
        return [None if seed is None else check_seed(_plain(seed))] * num_envs
    if len(seed) != num_envs:
        raise ConfigurationError(
            f"{name} must be one whole number or {num_envs}, one for each sub-environment, got "
            f"{shown(seed)}."
        )
    return [None if one is None else check_seed(_plain(one)) for one in seed]


def _plain(seed: Any) -> Any:
    return int(seed) if isinstance(seed, np.integer) else seed


def reset_rows(mask: Any, num_envs: int) -> NDArray[np.bool_]:
    """(num_envs,) bool: the rows to reset; all without a mask.

    Raises:
        ConfigurationError: not a bool array of shape (num_envs,) with at least one True.
    """
    if mask is None:
        return np.ones(num_envs, np.bool_)
    if not isinstance(mask, np.ndarray) or mask.shape != (num_envs,) or mask.dtype != np.bool_:
        raise ConfigurationError(
            f"options['reset_mask'] must be a bool array of shape ({num_envs},), got {mask!r}."
        )
    if not mask.any():
        raise ConfigurationError("options['reset_mask'] selects no sub-environment.")
    return mask.copy()
