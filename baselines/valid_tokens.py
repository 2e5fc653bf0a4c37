"""How a policy that knows no masks plays valid tokens all the same."""

import numpy as np
from numpy.typing import NDArray


def nth_valid(actions: NDArray[np.int64], masks: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The (action mod n)-th of each row's n valid tokens.

    Args:
        actions: (rows,) of any value >= 0.
        masks: (rows, actions), each row with a True.
    """
    wanted = actions % masks.sum(axis=1)  # (rows,)
    tokens: NDArray[np.int64] = (masks.cumsum(axis=1) > wanted[:, None]).argmax(axis=1)
    return tokens
