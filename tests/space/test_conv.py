"""ConvSpace: the paper's token order, sizes and fallbacks."""

import math
from dataclasses import replace
from typing import Any

import pytest

from nas_env.errors import ConfigurationError, InvalidArchitectureError
from nas_env.space.conv import ConvSpace
from nas_env.space.conv_architecture import ConvArchitecture, Convolution, Pooling
from nas_env.space.published import FIGURE_7, NAS_CELL


@pytest.mark.parametrize("num_layers", [1, 6, 15, 20])
def test_size_is_the_papers_formula(num_layers: int) -> None:
    expected = (4 * 4 * 4) ** num_layers * 2 ** (num_layers * (num_layers - 1) // 2)
    assert ConvSpace(num_layers).size == ConvSpace().size_at(num_layers) == expected


def test_strides_multiply_each_layers_choices_by_nine() -> None:
    assert ConvSpace(6, strides=(1, 2, 3)).size == 9**6 * ConvSpace(6).size


def test_thirteen_blocks_of_three_stand_for_39_layers() -> None:
    space = ConvSpace(13, 13, filters=(6, 12, 24, 36), block_size=3, pool_after=(4, 8))
    assert space.size == 64**13 * 2**78
    assert math.isclose(space.size, 9.1e46, rel_tol=0.01)
    architecture = space.decode((0,) * space.length())
    assert len(architecture.layers) * architecture.block_size == 39
    assert architecture.pool_after == (4, 8)


def test_tokens_come_layer_by_layer_options_before_skips() -> None:
    names = [(p.name, p.layer, p.source) for p in ConvSpace(strides=(1, 2)).layout[:12]]
    options = ["filter_height", "filter_width", "stride_height", "stride_width", "filters"]
    assert names[:5] == [(name, 1, None) for name in options]
    assert names[5:10] == [(name, 2, None) for name in options]
    assert names[10] == ("skip", 2, 1)
    assert names[11] == ("filter_height", 3, None)


def test_tokens_mean_what_the_layout_says() -> None:
    decoded = ConvSpace(3).decode([0, 1, 2, 3, 2, 1, 1, 1, 1, 0, 1, 0])
    assert decoded == ConvArchitecture(
        (
            Convolution(1, 3, 48, inputs=(0,)),
            Convolution(7, 5, 36, inputs=(1,)),
            Convolution(3, 3, 24, inputs=(1,)),
        )
    )


def test_a_layer_without_inputs_reads_the_image() -> None:
    layers = ConvSpace(3).decode([0] * 12).layers
    assert [layer.inputs for layer in layers] == [(0,), (0,), (0,)]


def test_without_skip_connections_layers_form_a_chain() -> None:
    space = ConvSpace(4, skip_connections=False)
    assert space.length() == 12
    assert [layer.inputs for layer in space.decode([0] * 12).layers] == [(0,), (1,), (2,), (3,)]
    assert space.size == 64**4


def test_figure_7_is_in_the_space_it_was_found_in() -> None:
    space = ConvSpace(15)
    assert space.decode(space.encode(FIGURE_7)) == FIGURE_7


def test_a_shallow_network_has_only_the_poolings_between_its_blocks() -> None:
    space = ConvSpace(13, 13, block_size=3, pool_after=(8, 4))
    for num_layers, expected in ((4, ()), (5, (4,)), (8, (4,)), (9, (4, 8))):
        architecture = space.decode([0] * space.length(num_layers))
        assert architecture.pool_after == expected
        assert space.encode(architecture) == (0,) * space.length(num_layers)


def test_a_space_shallower_than_its_poolings_has_none() -> None:
    assert ConvSpace(3, 3, pool_after=(4, 8)).decode([0] * 12).pool_after == ()


def test_arguments_may_be_lists_as_json_gives_them() -> None:
    space = ConvSpace(2, filter_sizes=[1, 3], filters=[4], strides=[1, 2], pool_after=[1])
    assert space.layout[0].options == (1, 3)


CONVOLUTION = Convolution(3, 3, 36)


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        (NAS_CELL, "convolutional"),
        (ConvArchitecture((CONVOLUTION,) * 21), "21 layers.*1 to 20"),
        (ConvArchitecture((Convolution(3, 2, 36),)), "filter_width of layer 1 is 2.*1, 3, 5, 7"),
        (ConvArchitecture((Convolution(3, 3, 40),)), "filters of layer 1 is 40.*24, 36, 48, 64"),
        (ConvArchitecture((Convolution(3, 3, 36, 2, 1),)), "stride_height of layer 1 is 2.* 1"),
        (ConvArchitecture((Pooling("max", 2, 2),)), "type of layer 1 is Pooling.*Convolution"),
        (ConvArchitecture((CONVOLUTION,), block_size=3), "block_size is 3.* 1"),
        (ConvArchitecture((CONVOLUTION,), batch_norm=False), "batch_norm is False.*True"),
        (ConvArchitecture((CONVOLUTION,), learning_rate=0.1), "learning_rate is 0.1.*None"),
        (ConvArchitecture((CONVOLUTION,) * 2, pool_after=(1,)), r"pool_after is \(1,\)"),
        (
            ConvArchitecture((CONVOLUTION, replace(CONVOLUTION, inputs=(0, 1)))),
            r"Layer 2 reads \(0, 1\).*image",
        ),
    ],
)
def test_encoding_what_the_space_lacks_says_what_and_what_is_allowed(
    architecture: Any, message: str
) -> None:
    with pytest.raises(InvalidArchitectureError, match=message):
        ConvSpace().encode(architecture)


def test_encoding_a_skip_in_a_chain_space_is_refused() -> None:
    skipping = ConvArchitecture((CONVOLUTION, CONVOLUTION))
    with pytest.raises(InvalidArchitectureError, match=r"inputs of layer 2 is \(0,\).*\(1,\)"):
        ConvSpace(skip_connections=False).encode(skipping)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_layers": 0}, "num_layers must be a whole number of at least 1, got 0"),
        ({"num_layers": 2.0}, "num_layers must be .*, got 2.0"),
        ({"num_layers": 101, "max_layers": 101}, "at most 100, got 101"),
        ({"num_layers": 21}, "num_layers must be min_layers .1. to max_layers .20., got 21"),
        ({"min_layers": 7}, "num_layers must be min_layers .7. .*, got 6"),
        ({"filters": ()}, "filters must be a non-empty list"),
        ({"filters": 24}, "filters must be .*, got 24"),
        ({"filters": (24, 24)}, "filters must be .* different"),
        (
            {"filter_sizes": (0, 3)},
            "filter_sizes must be .* at most 1000, got .0, 3.",
        ),
        ({"filter_sizes": "13"}, "filter_sizes must be .*, got '13'"),
        ({"strides": (1, -2)}, "strides must be .*, got .1, -2."),
        ({"block_size": 0}, "block_size must be .*, got 0"),
        ({"block_size": 10**6}, "block_size must be .* at most 64, got 1000000"),
        ({"filters": (10**9,)}, "filters must be .* at most 100,000, got .1000000000"),
        ({"filter_sizes": (1, 5000)}, "filter_sizes must be .* at most 1000, got .1, 5000"),
        ({"pool_after": (4, 4)}, "pool_after must be a list of different"),
    ],
)
def test_arguments_that_give_no_space_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ConvSpace(**arguments)


@pytest.mark.parametrize("num_layers", [0, 21, 1.5])
def test_a_depth_out_of_range_names_the_range(num_layers: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"{num_layers}"):
        ConvSpace().length(num_layers)
