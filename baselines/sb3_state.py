"""An SB3 model's memory as arrays and JSON, and randomness of its own.

SB3's ``save`` pickles, and leaves the state of the random generators out; a checkpoint here is the
weights, the optimiser's memory and both generators as arrays, so loading never runs code and a
resumed search continues bit for bit.
"""

import math
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from agents.agent import AgentState, unfit
from nas_env.errors import CheckpointError
from nas_env.system.threads import one_torch_thread

WORDS = 624
"""Of the state of NumPy's global generator."""
STEP = torch.tensor(0.0)
"""How Adam counts; RMSprop counts with an int."""
SQUARES = ("step", "exp_avg_sq", "square_avg")
"""An optimiser's memory that is never negative."""
KNOWN = (*SQUARES, "exp_avg", "momentum_buffer", "grad_avg")
"""All that SB3's optimisers remember of a weight."""


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

    def load(self, state: AgentState) -> None:
        """Continue from a checkpoint.

        Raises:
            CheckpointError: it is no state of these generators.
        """
        group, kept = state.group("random"), self._torch.numpy()
        found = torch.from_numpy(np.array(state.array("random.torch", kept.dtype, kept.shape)))
        torch.Generator().set_state(found)  # torch says what it thinks of it
        key = np.array(state.array("random.numpy", np.uint32, (WORDS,)))
        self._torch = found
        self._numpy = {
            "bit_generator": "MT19937",
            "state": {"key": key, "pos": group.whole("pos", 0, WORDS)},
            "has_gauss": group.whole("has_gauss", 0, 1),
            "gauss": group.number("gauss"),
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


def load_policy(policy: Any, state: AgentState) -> None:
    """Put back what ``policy_arrays`` and ``optimiser_values`` returned.

    Raises:
        CheckpointError: weights or an optimiser's memory that do not fit.
    """
    own = policy.state_dict()
    weights = {name: _tensor(state, f"weight.{name}", value) for name, value in own.items()}
    memory = _memory(state, list(policy.optimizer.param_groups[0]["params"]))
    policy.load_state_dict(weights)
    policy.optimizer.load_state_dict({**policy.optimizer.state_dict(), "state": memory})


def _memory(state: AgentState, parameters: list[torch.Tensor]) -> dict[int, dict[str, Any]]:
    """What the optimiser remembers of each weight, by number; nothing before the first step."""
    counts = state.group("optimiser")
    prefix = "optimiser."
    arrays = [name.removeprefix(prefix) for name in state.arrays if name.startswith(prefix)]
    memory: dict[int, dict[str, Any]] = {}
    for key in [*arrays, *counts.values]:
        index, _, name = key.partition(".")
        if not index.isdecimal() or int(index) >= len(parameters) or name not in KNOWN:
            raise CheckpointError(unfit(f"the optimiser has {key!r}"))
        entries = memory.setdefault(int(index), {})
        if key in counts.values:
            entries[name] = counts.whole(key, 0, 2**53)
        else:
            like = STEP if name == "step" else parameters[int(index)]
            low = 0 if name in SQUARES else -math.inf
            entries[name] = _tensor(state, f"{prefix}{key}", like, low)
    names = {frozenset(entries) for entries in memory.values()}
    if memory and (len(memory) != len(parameters) or len(names) != 1):
        raise CheckpointError(unfit("the optimiser's memory is not that of all weights"))
    return memory


def _tensor(
    state: AgentState, name: str, like: torch.Tensor, low: float = -math.inf
) -> torch.Tensor:
    wanted = like.detach().numpy()
    return torch.from_numpy(np.array(state.array(name, wanted.dtype, wanted.shape, low)))
