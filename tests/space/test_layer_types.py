"""LayerTypesSpace: types, their own hyper-parameters and nothing else."""

from typing import Any

import numpy as np
import pytest

from nas_env.errors import ConfigurationError, InvalidArchitectureError, InvalidTokenError
from nas_env.space.conv_architecture import (
    BatchNormalisation,
    ConvArchitecture,
    Convolution,
    LocalContrastNormalisation,
    Pooling,
)
from nas_env.space.layer_types import LAYER_TYPES, LayerTypesSpace

FIELDS = [
    "layer_type",
    "filter_height",
    "filter_width",
    "filters",
    "pool_size",
    "pool_stride",
    "window",
    "epsilon",
]


def test_the_learning_rate_comes_first_then_each_layers_type() -> None:
    layout = LayerTypesSpace().layout
    assert (layout[0].name, layout[0].layer) == ("learning_rate", 0)
    assert [position.name for position in layout[1:9]] == FIELDS
    assert [position.name for position in layout[9:18]] == [*FIELDS, "skip"]


def test_size_counts_only_hyper_parameters_that_exist() -> None:
    # 64 convolutions, 2 x 4 poolings, 4 contrast and 2 batch normalisations; 4 learning rates.
    assert LayerTypesSpace(6).size == 4 * 78**6 * 2**15
    assert LayerTypesSpace(6, strides=(1, 2, 3)).size == 4 * (64 * 9 + 14) ** 6 * 2**15


@pytest.mark.parametrize(
    ("tokens", "layer"),
    [
        ([0, 1, 3, 2, 0, 0, 0, 0], Convolution(3, 7, 48)),
        ([1, 0, 0, 0, 1, 0, 0, 0], Pooling("max", 3, 1)),
        ([2, 0, 0, 0, 0, 1, 0, 0], Pooling("average", 2, 2)),
        ([3, 0, 0, 0, 0, 0, 3, 0], LocalContrastNormalisation(9)),
        ([4, 0, 0, 0, 0, 0, 0, 1], BatchNormalisation(1e-3)),
    ],
)
def test_each_type_reads_its_own_hyper_parameters(tokens: list[int], layer: Any) -> None:
    decoded = LayerTypesSpace(1).decode([2, *tokens])
    assert decoded == ConvArchitecture((layer,), batch_norm=False, learning_rate=0.1)


def test_hyper_parameters_of_other_types_are_masked_to_token_0() -> None:
    space = LayerTypesSpace(1)
    own = {0: {1, 2, 3}, 1: {4, 5}, 2: {4, 5}, 3: {6}, 4: {7}}
    for layer_type in range(len(LAYER_TYPES)):
        tokens = np.zeros((9, len(space.layout)), np.int64)
        tokens[:, 1] = layer_type
        masks = space.masks(tokens, np.arange(9))
        free = {index - 1 for index in range(2, 9) if masks[index].sum() > 1}
        assert free == own[layer_type]
        assert masks[:, 0].all()


def test_a_hyper_parameter_of_another_type_is_an_invalid_token() -> None:
    with pytest.raises(InvalidTokenError, match=r"Token 1 .*\(filter_height of layer 1\)"):
        LayerTypesSpace(1).decode([0, 1, 1, 0, 0, 0, 0, 0, 0])


@pytest.mark.parametrize("bad", [-1, 5, 2**40])
def test_a_layer_type_out_of_range_is_an_invalid_token(bad: int) -> None:
    with pytest.raises(InvalidTokenError, match="layer_type of layer 1"):
        LayerTypesSpace(1).decode([0, bad, 0, 0, 0, 0, 0, 0, 0])


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        (ConvArchitecture((Convolution(3, 3, 36),), batch_norm=False), "learning_rate .*None"),
        (
            ConvArchitecture((Convolution(3, 3, 36),), batch_norm=False, learning_rate=0.3),
            "learning_rate of the architecture is 0.3; allowed: 0.025, 0.05, 0.1, 0.2",
        ),
        (ConvArchitecture((Convolution(3, 3, 36),), learning_rate=0.1), "batch_norm is True"),
        (
            ConvArchitecture((Pooling("max", 4, 1),), batch_norm=False, learning_rate=0.1),
            "pool_size of layer 1 is 4; allowed: 2, 3",
        ),
        (
            ConvArchitecture((Convolution(3, 3, 36, 1, 2),), batch_norm=False, learning_rate=0.1),
            "stride_width of layer 1 is 2",
        ),
    ],
)
def test_encoding_what_the_space_lacks_says_what_and_what_is_allowed(
    architecture: ConvArchitecture, message: str
) -> None:
    with pytest.raises(InvalidArchitectureError, match=message):
        LayerTypesSpace().encode(architecture)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"windows": (3, 4)}, "windows must be .* odd, got .3, 4."),
        ({"epsilons": (0.0,)}, "epsilons must be .* above 0"),
        ({"learning_rates": ()}, "learning_rates must be a non-empty list"),
        ({"learning_rates": (0.1, float("nan"))}, "learning_rates"),
        ({"learning_rates": (1, 1.0)}, "different"),
        ({"pool_sizes": (2, "3")}, "pool_sizes"),
    ],
)
def test_arguments_that_give_no_space_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        LayerTypesSpace(**arguments)
