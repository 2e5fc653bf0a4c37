"""Adam's memory as named arrays."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from nas_env.errors import CheckpointError

MOMENTS = ("step", "exp_avg", "exp_avg_sq")


def optimiser_arrays(optimiser: torch.optim.Adam, module: nn.Module) -> dict[str, NDArray[Any]]:
    """``adam.MOMENT.PARAMETER`` for every parameter; empty before the first step."""
    return {
        f"adam.{moment}.{name}": optimiser.state[parameter][moment].numpy().copy()
        for name, parameter in module.named_parameters()
        for moment in MOMENTS
        if parameter in optimiser.state
    }


def load_optimiser(
    optimiser: torch.optim.Adam, module: nn.Module, arrays: Mapping[str, NDArray[Any]]
) -> None:
    """Put back what ``optimiser_arrays`` returned.

    Raises:
        CheckpointError: some of a parameter's moments are missing.
    """
    optimiser.state.clear()
    if not any(name.startswith("adam.") for name in arrays):
        return
    for name, parameter in module.named_parameters():
        try:
            optimiser.state[parameter] = {
                moment: torch.from_numpy(np.array(arrays[f"adam.{moment}.{name}"]))
                for moment in MOMENTS
            }
        except KeyError as error:
            raise CheckpointError(f"The checkpoint lacks {error}.") from error
