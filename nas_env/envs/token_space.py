"""Action spaces whose samples are valid: ``Discrete`` and ``MultiDiscrete`` that know the mask.

Most positions have fewer options than the action space has actions. A plain ``Discrete.sample()``
would draw masked tokens, so the loop of every tutorial (``env.step(env.action_space.sample())``)
would end in an error. These spaces draw uniformly from the tokens that are valid now; in every
other respect they equal the plain ones.

Gymnasium's own vector environments (``SyncVectorEnv``, ``AsyncVectorEnv``) batch the space of one
of their environments and know nothing of masks. But they bring the observations together through
functions that a space may register (``gymnasium.vector.utils``), and the mask is one of the
observations: ``MaskSpace`` tells the batched action space which tokens are valid. Where a wrapper
has changed the observations nobody does, and samples are tokens that are valid everywhere;
``sample(mask=tuple(infos["action_mask"]))`` draws from all valid ones.
"""

from collections.abc import Iterable
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium.spaces import Discrete, MultiBinary, MultiDiscrete
from gymnasium.vector.utils import batch_space, concatenate, read_from_shared_memory
from numpy.typing import NDArray

if TYPE_CHECKING:  # generic for type checkers only: older Gymnasium has no subscript at run time
    DiscreteInt = Discrete[np.int64]
    MultiDiscreteInt = MultiDiscrete[np.int64]
else:
    DiscreteInt = Discrete
    MultiDiscreteInt = MultiDiscrete


class TokenSpace(DiscreteInt):
    """``Discrete(actions)`` whose ``sample()`` draws a token that is valid at this position.

    Args:
        actions: number of tokens.
        always: (actions,) bool, tokens that are valid at every position; None = all.
        seed: of the samples.

    Attributes:
        valid: (actions,) bool, kept up to date by the environment.
        batch: the space that Gymnasium made of this one for many environments.
    """

    def __init__(
        self,
        actions: int,
        always: NDArray[np.bool_] | None = None,
        seed: int | np.random.Generator | None = None,
    ) -> None:
        super().__init__(actions, seed=seed)
        self.valid: NDArray[np.bool_] = np.ones(actions, np.bool_)
        self.always = np.ones(actions, np.bool_) if always is None else always
        self.batch: TokenBatchSpace | None = None
        self._choices: dict[bytes, tuple[np.int64, ...]] = {}  # valid -> tokens

    def sample(self, mask: Any | None = None, probability: Any | None = None) -> np.int64:
        """One token; uniform over the valid ones unless ``mask`` or ``probability`` is given."""
        if mask is not None or probability is not None:
            return super().sample(mask, probability)
        valid = self.valid.tobytes()
        tokens = self._choices.get(valid)
        if tokens is None:  # a space has a handful of masks
            tokens = self._choices[valid] = tuple(map(np.int64, np.flatnonzero(self.valid)))
        return tokens[self.np_random.integers(len(tokens))]


class TokenBatchSpace(MultiDiscreteInt):
    """``MultiDiscrete([actions] * num_envs)`` whose ``sample()`` draws valid tokens.

    Args:
        num_envs: number of environments.
        actions: number of tokens.
        always: (actions,) bool, tokens that are valid at every position; None = all.
        seed: of the samples.

    Attributes:
        valid: (num_envs, actions) bool or 0 and 1, kept up to date by the vector environment; a row
            without any is one of which nothing is known.
    """

    def __init__(
        self,
        num_envs: int,
        actions: int,
        always: NDArray[np.bool_] | None = None,
        seed: int | np.random.Generator | None = None,
    ) -> None:
        super().__init__(np.full(num_envs, actions), np.int64, seed=seed)
        self.always = np.ones(actions, np.bool_) if always is None else always
        self.valid: NDArray[Any] = np.zeros((num_envs, actions), np.bool_)

    def sample(
        self, mask: tuple[Any, ...] | None = None, probability: tuple[Any, ...] | None = None
    ) -> NDArray[np.int64]:
        """(num_envs,) tokens; uniform over the valid ones unless told otherwise."""
        if mask is not None or probability is not None:
            return super().sample(mask, probability)
        valid = self.valid.astype(np.bool_)  # (num_envs, actions)
        valid[~valid.any(axis=1)] = self.always
        priority = self.np_random.random(valid.shape)  # (num_envs, actions)
        tokens: NDArray[np.int64] = np.where(valid, priority, -1.0).argmax(axis=1)
        return tokens


class MaskSpace(MultiBinary):
    """``MultiBinary(actions)``, the space of ``action_mask``: it knows whose tokens it masks.

    Attributes:
        tokens: the action space of the same environment.
    """

    def __init__(self, tokens: TokenSpace) -> None:
        super().__init__(int(tokens.n))
        self.tokens = tokens

    def tell(self, masks: NDArray[np.int8]) -> None:
        """Let the batched action space know what is valid: (num_envs, actions)."""
        batch = self.tokens.batch
        if batch is not None and batch.valid.shape == masks.shape:
            batch.valid = masks


@batch_space.register(TokenSpace)
def _batch(space: TokenSpace, n: int = 1) -> TokenBatchSpace:
    space.batch = TokenBatchSpace(n, int(space.n), space.always, deepcopy(space.np_random))
    return space.batch


@concatenate.register(MaskSpace)
def _concatenate(
    space: MaskSpace, items: Iterable[NDArray[np.int8]], out: NDArray[np.int8]
) -> NDArray[np.int8]:
    """Observations of ``SyncVectorEnv``, and of ``AsyncVectorEnv`` without shared memory."""
    masks = np.stack(list(items), axis=0, out=out)
    space.tell(masks.copy())
    return masks


@read_from_shared_memory.register(MaskSpace)
def _read(space: MaskSpace, shared_memory: Any, n: int = 1) -> NDArray[np.int8]:
    """Observations of ``AsyncVectorEnv``: the array shows what the workers write from now on."""
    read: Any = read_from_shared_memory.dispatch(MultiBinary)
    masks: NDArray[np.int8] = read(space, shared_memory, n=n)
    space.tell(masks)
    return masks
