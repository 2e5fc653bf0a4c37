"""Adam's memory as named arrays."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from agents.agent import AgentState

MOMENTS = ("step", "exp_avg", "exp_avg_sq")


def optimiser_arrays(optimiser: torch.optim.Adam, module: nn.Module) -> dict[str, NDArray[Any]]:
    """``adam.MOMENT.PARAMETER`` for every parameter; empty before the first step."""
    return {
        f"adam.{moment}.{name}": optimiser.state[parameter][moment].numpy().copy()
        for name, parameter in module.named_parameters()
        for moment in MOMENTS
        if parameter in optimiser.state
    }


def load_optimiser(optimiser: torch.optim.Adam, module: nn.Module, state: AgentState) -> None:
    """Put back what ``optimiser_arrays`` returned.

    Raises:
        CheckpointError: some of a parameter's moments are missing, or cannot be.
    """
    optimiser.state.clear()
    if not any(name.startswith("adam.") for name in state.arrays):
        return
    for name, parameter in module.named_parameters():
        shape, dtype = tuple(parameter.shape), parameter.detach().numpy().dtype
        arrays = {
            "step": state.array(f"adam.step.{name}", np.float32, (), low=1),
            "exp_avg": state.array(f"adam.exp_avg.{name}", dtype, shape),
            "exp_avg_sq": state.array(f"adam.exp_avg_sq.{name}", dtype, shape, low=0),
        }
        optimiser.state[parameter] = {
            moment: torch.from_numpy(np.array(array)) for moment, array in arrays.items()
        }
