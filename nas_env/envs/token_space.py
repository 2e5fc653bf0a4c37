"""Action spaces whose samples are valid: ``Discrete`` and ``MultiDiscrete`` that know the mask.

Most positions have fewer options than the action space has actions. A plain ``Discrete.sample()``
would draw masked tokens, so the loop of every tutorial (``env.step(env.action_space.sample())``)
would end in an error. These spaces draw uniformly from the tokens that are valid now; in every
other respect they equal the plain ones.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium.spaces import Discrete, MultiDiscrete
from numpy.typing import NDArray

if TYPE_CHECKING:  # generic for type checkers only: older Gymnasium has no subscript at run time
    DiscreteInt = Discrete[np.int64]
    MultiDiscreteInt = MultiDiscrete[np.int64]
else:
    DiscreteInt = Discrete
    MultiDiscreteInt = MultiDiscrete


class TokenSpace(DiscreteInt):
    """``Discrete(actions)`` whose ``sample()`` draws a token that is valid at this position.

    Attributes:
        valid: (actions,) bool, kept up to date by the environment.
    """

    def __init__(self, actions: int, seed: int | np.random.Generator | None = None) -> None:
        super().__init__(actions, seed=seed)
        self.valid: NDArray[np.bool_] = np.ones(actions, np.bool_)

    def sample(self, mask: Any | None = None, probability: Any | None = None) -> np.int64:
        """One token; uniform over the valid ones unless ``mask`` or ``probability`` is given."""
        if mask is not None or probability is not None:
            return super().sample(mask, probability)
        tokens = np.flatnonzero(self.valid)
        return np.int64(tokens[self.np_random.integers(len(tokens))])


class TokenBatchSpace(MultiDiscreteInt):
    """``MultiDiscrete([actions] * num_envs)`` whose ``sample()`` draws valid tokens.

    Attributes:
        valid: (num_envs, actions) bool, kept up to date by the vector environment.
    """

    def __init__(
        self, num_envs: int, actions: int, seed: int | np.random.Generator | None = None
    ) -> None:
        super().__init__(np.full(num_envs, actions), np.int64, seed=seed)
        self.valid: NDArray[np.bool_] = np.ones((num_envs, actions), np.bool_)

    def sample(
        self, mask: tuple[Any, ...] | None = None, probability: tuple[Any, ...] | None = None
    ) -> NDArray[np.int64]:
        """(num_envs,) tokens; uniform over the valid ones unless told otherwise."""
        if mask is not None or probability is not None:
            return super().sample(mask, probability)
        priority = self.np_random.random(self.valid.shape)  # (num_envs, actions)
        tokens: NDArray[np.int64] = np.where(self.valid, priority, -1.0).argmax(axis=1)
        return tokens
