"""Cost from the architecture alone equals what the built module has and does."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nas_env.child.conv.cost import conv_cost
from nas_env.child.conv.network import ConvNet
from nas_env.child.cost import Cost
from nas_env.space.conv import ConvSpace
from nas_env.space.conv_architecture import ConvArchitecture, Convolution
from nas_env.space.layer_types import LayerTypesSpace
from nas_env.space.layered import LayeredSpace

CONVOLUTIONAL: dict[str, LayeredSpace] = {
    "conv": ConvSpace(filters=(4, 6, 9)),
    "strides": ConvSpace(filters=(4, 6, 9), strides=(1, 2, 3)),
    "pooling": ConvSpace(5, filters=(4, 6, 9), block_size=3, pool_after=(2, 3)),
    "strided_blocks": ConvSpace(4, filters=(4, 6), strides=(1, 2), block_size=2, pool_after=(2,)),
    "even_filters": ConvSpace(4, filter_sizes=(2, 4), filters=(4, 6), strides=(1, 3)),
}
SPACES = {**CONVOLUTIONAL, "layer_types": LayerTypesSpace(filters=(4, 6, 9))}


def measured(net: ConvNet, images: torch.Tensor) -> tuple[int, int]:
    """Parameters, and MACs of the convolutions and the classifier that a forward pass runs."""
    macs = 0

    def count(module: nn.Module, _: Any, out: torch.Tensor) -> None:
        nonlocal macs
        assert isinstance(module, nn.Conv2d | nn.Linear)
        macs += out[0].numel() * module.weight[0].numel()

    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(count)
    net(images)
    return sum(weight.numel() for weight in net.parameters()), macs


@pytest.mark.parametrize("name", SPACES)
@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    shape=st.tuples(st.integers(1, 4), st.integers(1, 12), st.integers(1, 12)),
    classes=st.integers(1, 12),
)
def test_parameters_and_macs_are_the_built_modules(
    name: str, seed: int, shape: tuple[int, int, int], classes: int
) -> None:
    torch.set_num_threads(1)
    space = SPACES[name]
    architecture = space.decode(space.sample(np.random.default_rng(seed)))
    cost = conv_cost(architecture, shape, classes)
    net = ConvNet(architecture, shape[0], classes).eval()
    assert (cost.parameters, cost.macs) == measured(net, torch.randn(1, *shape))


@pytest.mark.parametrize("name", ["conv", "strides", "pooling", "strided_blocks"])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_activations_are_what_autograd_keeps(name: str, batch_norm: bool) -> None:
    torch.set_num_threads(1)
    space, batch = CONVOLUTIONAL[name], 3
    for seed in range(5):
        decoded = space.decode(space.sample(np.random.default_rng(seed)))
        architecture = ConvArchitecture(
            decoded.layers, decoded.block_size, decoded.pool_after, batch_norm
        )
        images = torch.randn(batch, 3, 12, 11)
        kept: dict[int, int] = {}

        def keep(tensor: torch.Tensor, kept: dict[int, int] = kept) -> torch.Tensor:
            if tensor.dim() == 4 and tensor.is_floating_point() and not tensor.is_leaf:
                kept[tensor.untyped_storage().data_ptr()] = tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            logits = ConvNet(architecture)(images)
        cost = conv_cost(architecture, (3, 12, 11))
        share = sum(kept.values()) / (cost.activation_elements * batch)
        # A pooled map that is only concatenated is written but not kept.
        assert 0.9 < share <= 1 if architecture.pool_after else share == 1
        assert logits.shape == (batch, 10)


def test_one_layer_by_hand() -> None:
    architecture = ConvArchitecture((Convolution(3, 5, 8, 2, 3),))
    cost = conv_cost(architecture, (3, 32, 32), 10)
    weights = 3 * 5 * 3 * 8
    assert cost == Cost(
        parameters=weights + 2 * 8 + 8 * 10 + 10,
        macs=weights * 16 * 11 + 8 * 10,
        activation_elements=2 * 8 * 16 * 11,  # the convolution's output, then the ReLU's
    )


def test_blocks_of_large_filters_come_to_the_sizes_of_table_1() -> None:
    # Table 1: 7.1M parameters, 37.4M with 40 more filters in each convolution, for a network that
    # is not published. The ratio of the two gives 30 filters on average; 7x7 filters, which the
    # search prefers (section 4.1), and every other skip give both sizes.
    layers = tuple(
        Convolution(
            7, 7, (24, 36)[number % 2], inputs=tuple(range(number % 2 + 1, number, 2)) or (0,)
        )
        for number in range(1, 14)
    )
    small = ConvArchitecture(layers, block_size=3, pool_after=(4, 8))
    wide = small.with_more_filters(40)
    assert conv_cost(small).parameters == pytest.approx(7.1e6, rel=0.1)
    assert conv_cost(wide).parameters == pytest.approx(37.4e6, rel=0.1)


@pytest.mark.parametrize("name", SPACES)
def test_random_architectures_have_sane_cost(name: str) -> None:
    space = SPACES[name]
    for row in space.sample_batch(np.random.default_rng(9), 500)[:, : space.length()].tolist():
        cost = conv_cost(space.decode(row))
        assert 0 < cost.parameters < 50e6
        assert 0 < cost.macs < 50e9
        assert 0 < cost.activation_elements < math.inf
