"""``print(space)`` says how deep, how large, and what is decided."""

from typing import Any

import pytest

from nas_env.space.cell import CellSpace
from nas_env.space.choices import ChoiceSpace
from nas_env.space.conv import ConvSpace
from nas_env.space.layer_types import LayerTypesSpace
from nas_env.space.layout import SearchSpace


@pytest.mark.parametrize(
    ("space", "said"),
    [
        (
            ChoiceSpace({"units": [16, 32], "act": ["relu", "tanh", "elu"]}),
            "ChoiceSpace: 2 tokens, 6 architectures; units: 16 | 32, act: relu | tanh | elu",
        ),
        (
            ConvSpace(1, 1, 1, filter_sizes=(1, 3), filters=(8,)),
            "ConvSpace: 3 tokens, 4 architectures; filter_height: 1 | 3, filter_width: 1 | 3, "
            "filters: 8",
        ),
        (
            ConvSpace(),
            "ConvSpace: 6 layers (1 to 20), 33 tokens, about 10^15 architectures;",
        ),
        (CellSpace(2), "CellSpace: base number 2, 3 nodes, 10 tokens, 36,864 architectures;"),
        (
            LayerTypesSpace(2),
            "LayerTypesSpace: 2 layers (1 to 20), 18 tokens, 48,672 arch",
        ),
    ],
)
def test_a_space_says_what_it_is_in_a_line(space: SearchSpace[Any], said: str) -> None:
    assert repr(space).startswith(said)
    assert str(space) == repr(space)
    assert "\n" not in repr(space)
