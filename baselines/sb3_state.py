"""An SB3 model's memory as arrays and JSON, and randomness of its own.

SB3's ``save`` pickles, and leaves the state of the random generators out; a checkpoint here is the
weights, the optimiser's memory and both generators as arrays, so loading never runs code and a
resumed search continues bit for bit.
"""

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nas_env.errors import CheckpointError
from nas_env.system.threads import one_torch_thread

Arrays = Mapping[str, NDArray[Any]]


class OwnRandomness:
    """Lends SB3 a private state of the global generators that it draws from.

    SB3 samples tokens from torch's global generator and shuffles minibatches with numpy's. Inside
    ``lent`` these are this object's; outside they are as if SB3 had never drawn.
    """

    def __init__(self) -> None:
        self._remember()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Put this state in place, and leave no trace."""
        with apart():
            torch.set_rng_state(self._torch)
            np.random.set_state(self._numpy)
            try:
                yield
            finally:
                self._remember()

    def _remember(self) -> None:
        self._torch = torch.get_rng_state()
        self._numpy: Any = np.random.get_state(legacy=False)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The state as arrays."""
        return {
            "random.torch": self._torch.numpy().copy(),
            "random.numpy": self._numpy["state"]["key"].copy(),
        }

    def values(self) -> dict[str, float]:
        """The rest of it."""
        names = ("has_gauss", "gauss")
        return {"pos": self._numpy["state"]["pos"], **{name: self._numpy[name] for name in names}}

    def load(self, arrays: Arrays, values: Mapping[str, float]) -> None:
        """Continue from a checkpoint."""
        self._torch = torch.from_numpy(np.array(arrays["random.torch"]))
        self._numpy = {
            "bit_generator": "MT19937",
            "state": {"key": np.array(arrays["random.numpy"]), "pos": int(values["pos"])},
            "has_gauss": int(values["has_gauss"]),
            "gauss": float(values["gauss"]),
        }


@contextmanager
def apart() -> Iterator[None]:
    """Let SB3 work without a trace: puts back the generators that it seeds (Python's too).

    Inside, torch has one thread: faster at these sizes, and sums are added in one order anywhere.
    """
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        with one_torch_thread():
            yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.set_rng_state(before[2])


def policy_arrays(policy: Any) -> dict[str, NDArray[Any]]:
    """Weights as ``weight.NAME``, tensors of the optimiser as ``optimiser.INDEX.NAME``."""
    arrays = {
        f"weight.{name}": value.detach().cpu().numpy().copy()
        for name, value in policy.state_dict().items()
    }
    for index, entries in policy.optimizer.state_dict()["state"].items():
        for name, value in entries.items():
            if torch.is_tensor(value):
                arrays[f"optimiser.{index}.{name}"] = value.detach().cpu().numpy().copy()
    return arrays


def optimiser_values(policy: Any) -> dict[str, int]:
    """What the optimiser counts without tensors (A2C's RMSprop its steps)."""
    return {
        f"{index}.{name}": value
        for index, entries in policy.optimizer.state_dict()["state"].items()
        for name, value in entries.items()
        if not torch.is_tensor(value)
    }


def load_policy(policy: Any, arrays: Arrays, counts: Mapping[str, int]) -> None:
    """Put back what ``policy_arrays`` and ``optimiser_values`` returned.

    Raises:
        CheckpointError: weights that do not fit.
    """
    weights, optimiser = _part(arrays, "weight."), policy.optimizer.state_dict()
    state: dict[int, dict[str, Any]] = {}
    for key, value in [*_part(arrays, "optimiser.").items(), *counts.items()]:
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = value
    try:
        policy.load_state_dict(weights)
        policy.optimizer.load_state_dict({**optimiser, "state": state})
    except (RuntimeError, ValueError) as error:
        raise CheckpointError(f"The checkpoint does not fit this policy: {error}") from error


def _part(arrays: Arrays, prefix: str) -> dict[str, torch.Tensor]:
    return {
        name.removeprefix(prefix): torch.from_numpy(np.array(value))
        for name, value in arrays.items()
        if name.startswith(prefix)
    }
