"""A wrapper for agents that know no masks: every action plays a valid token.

Needs no Stable-Baselines3: any Gymnasium agent with a discrete action space can play through it.
"""

from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from nas_env.errors import ConfigurationError

if TYPE_CHECKING:  # generic for type checkers only: older Gymnasium has no subscript at run time
    Base = gym.ActionWrapper[Any, Any, Any]
else:
    Base = gym.ActionWrapper


class AnyToken(Base):
    """Action a plays the (a mod n)-th of the n tokens that are valid now.

        PPO("MultiInputPolicy", AnyToken(gym.make("NAS-Digits-Table-v0"))).learn(1024)

    So PPO, A2C, DQN, QRDQN and TRPO play, and so does ``evaluate_policy``. Nothing has to be
    learned about what is valid; but where a position has fewer options than there are actions, a
    token has several names, and where n does not divide their number, the first ones are likelier.
    Agents that know masks (MaskablePPO, ours) play without it. In rl_zoo3:
    ``env_wrapper: baselines.any_token.AnyToken``.

    Args:
        env: a single environment with ``action_masks()``: any of ours.

    Raises:
        ConfigurationError: it has none.
    """

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        if not env.has_wrapper_attr("action_masks") or not hasattr(env.action_space, "n"):
            raise ConfigurationError(
                f"AnyToken wraps a single environment of tokens, with action_masks(); got {env}. "
                "For vector environments there is baselines.sb3_vec_env.ArchitectureVecEnv."
            )
        self.action_space = spaces.Discrete(int(env.action_space.n))  # all of them are valid

    def action(self, action: Any) -> int:
        """The token that an action plays."""
        masks = np.asarray(self.env.get_wrapper_attr("action_masks")())[None]
        return int(nth_valid(np.asarray(action, np.int64).reshape(1), masks)[0])


def nth_valid(actions: NDArray[np.int64], masks: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The (action mod n)-th of each row's n valid tokens.

    Args:
        actions: (rows,) of any value >= 0.
        masks: (rows, actions), each row with a True.
    """
    wanted = actions % masks.sum(axis=1)  # (rows,)
    tokens: NDArray[np.int64] = (masks.cumsum(axis=1) > wanted[:, None]).argmax(axis=1)
    return tokens
