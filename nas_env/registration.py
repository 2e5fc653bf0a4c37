"""The one table of environment ids."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym

CONV = "nas_env.envs.conv_env:ConvEnv"
CONV_VECTOR = "nas_env.envs.conv_env:ConvVectorEnv"
CELL = "nas_env.envs.cell_env:CellEnv"
CELL_VECTOR = "nas_env.envs.cell_env:CellVectorEnv"
TABLE = "nas_env.envs.table_env:TableEnv"
TABLE_VECTOR = "nas_env.envs.table_env:TableVectorEnv"


@dataclass(frozen=True)
class Registration:
    """One id.

    Attributes:
        id: the name for ``gym.make``.
        entry_point: class of the single environment; it fixes space family, reward and metric.
        vector_entry_point: the same for ``gym.make_vec``.
        arguments: what differs from the class's defaults.
    """

    id: str
    entry_point: str = CONV
    vector_entry_point: str = CONV_VECTOR
    arguments: Mapping[str, Any] = field(default_factory=dict)


REGISTRATIONS = (
    Registration("NAS-CIFAR10-v0", arguments={"dataset": "cifar10"}),
    Registration("NAS-CIFAR10-Strides-v0", arguments={"dataset": "cifar10", "strides": (1, 2, 3)}),
    Registration(
        "NAS-CIFAR10-Pooling-v0",
        arguments={
            "dataset": "cifar10",
            "num_layers": 13,
            "max_layers": 13,
            "filters": (6, 12, 24, 36),
            "block_size": 3,
            "pool_after": (4, 8),
        },
    ),
    Registration(
        "NAS-CIFAR10-LayerTypes-v0", arguments={"dataset": "cifar10", "layer_types": True}
    ),
    Registration("NAS-Digits-v0", arguments={"dataset": "digits"}),
    Registration("NAS-Digits-Table-v0", TABLE, TABLE_VECTOR, {"table": "digits"}),
    Registration("NAS-PTB-v0", CELL, CELL_VECTOR, {"dataset": "ptb"}),
    Registration(
        "NAS-PTB-MaxSin-v0",
        CELL,
        CELL_VECTOR,
        {
            "dataset": "ptb",
            "combinations": ("add", "elem_mult", "max"),
            "activations": ("identity", "tanh", "sigmoid", "relu", "sin"),
        },
    ),
    Registration("NAS-PyDocs-v0", CELL, CELL_VECTOR, {"dataset": "pydocs"}),
)


def register_environments() -> None:
    """Make every id known to Gymnasium; doing it again changes nothing."""
    for registration in REGISTRATIONS:
        if registration.id not in gym.registry:
            gym.register(
                registration.id,
                registration.entry_point,
                vector_entry_point=registration.vector_entry_point,
                kwargs=dict(registration.arguments),
            )
