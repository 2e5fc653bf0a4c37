"""Layers of convolutional children: 'same' padding and normalisation against direct formulas."""

import itertools
import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from nas_env.child.conv.layers import (
    ContrastNormalisation,
    ConvolutionBlock,
    SameConvolution,
    SamePooling,
)
from nas_env.space.conv_architecture import Convolution, Pooling, PoolingOperation

SIDES = (1, 2, 3, 5, 8)


def pool_directly(x: Tensor, operation: str, size: int, stride: int) -> Tensor:
    """Each window by itself, clipped to the image."""
    height, width = x.shape[2:]
    rows = []
    for top in range(0, height, stride):
        row = []
        for left in range(0, width, stride):
            first, second = max(0, top - (size - 1) // 2), max(0, left - (size - 1) // 2)
            window = x[:, :, first : top + size // 2 + 1, second : left + size // 2 + 1]
            row.append(window.amax((2, 3)) if operation == "max" else window.mean((2, 3)))
        rows.append(torch.stack(row, dim=-1))
    return torch.stack(rows, dim=-2)


@pytest.mark.parametrize("operation", ["max", "average"])
@pytest.mark.parametrize(("size", "stride"), [*itertools.product((1, 2, 3, 4, 7), (1, 2, 3, 5))])
def test_pooling_sees_only_what_lies_inside_the_image(
    operation: PoolingOperation, size: int, stride: int
) -> None:
    pooling = SamePooling(Pooling(operation, size, stride))
    for height, width in itertools.product(SIDES, (1, 4, 8)):
        x = torch.randn(2, 3, height, width) - 1.0
        expected = pool_directly(x, operation, size, stride)
        torch.testing.assert_close(pooling(x), expected)


@pytest.mark.parametrize(("size", "stride"), [*itertools.product((1, 2, 3, 4, 7), (1, 2, 3, 9))])
def test_convolutions_put_out_the_ceiling_of_side_by_stride(size: int, stride: int) -> None:
    convolution = SameConvolution(1, 1, (size, 3), (stride, 1))
    for side in SIDES:
        out = convolution(torch.randn(1, 1, side, 4))
        assert out.shape == (1, 1, math.ceil(side / stride), 4)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7])
def test_convolutions_are_centred(size: int) -> None:
    convolution = SameConvolution(1, 1, (size, size))
    with torch.no_grad():
        convolution.weight.zero_()
        convolution.weight[0, 0, (size - 1) // 2, (size - 1) // 2] = 1.0
    x = torch.randn(1, 1, 5, 6)
    torch.testing.assert_close(convolution(x), x)


def test_weights_start_as_he_over_the_fan_out() -> None:
    torch.manual_seed(0)
    convolution = SameConvolution(64, 64, (5, 7), bias=True)
    expected = math.sqrt(2.0 / (64 * 5 * 7))
    assert abs(float(convolution.weight.detach().std()) / expected - 1) < 0.02
    assert convolution.bias is not None
    assert not convolution.bias.any()


def test_a_block_is_densely_connected_inside_and_its_last_convolution_strides() -> None:
    block = ConvolutionBlock(Convolution(3, 5, 6, 2, 1), channels=4, block_size=3)
    x = torch.randn(2, 4, 8, 8)
    first, second, third = zip(block.convolutions, block.norms, strict=True)
    one = first[1](first[0](x)).relu()
    two = second[1](second[0](torch.cat([x, one], 1))).relu()
    three = third[1](third[0](torch.cat([x, one, two], 1))).relu()
    torch.testing.assert_close(block(x), three)
    assert three.shape == (2, 6, 4, 8)


def normalise_directly(x: Tensor, size: int) -> Tensor:
    """Jarrett et al. 2009 with an explicit two-dimensional window, border weights renormalised."""
    offsets = torch.arange(size) - size // 2
    line = torch.exp(-0.5 * (offsets / (size / 4)) ** 2)
    kernel = torch.outer(line, line).expand(1, x.shape[1], size, size)

    def average(values: Tensor) -> Tensor:
        inside = F.conv2d(torch.ones_like(values), kernel, padding=size // 2)
        return F.conv2d(values, kernel, padding=size // 2) / inside

    centred = x - average(x)
    sigma = average(centred**2).sqrt()
    return centred / torch.maximum(sigma, sigma.mean((1, 2, 3), keepdim=True))


@pytest.mark.parametrize("size", [3, 5, 9])
def test_contrast_normalisation_is_the_published_formula(size: int) -> None:
    x = torch.randn(3, 4, 8, 6) * 5 + 2
    torch.testing.assert_close(ContrastNormalisation(size)(x), normalise_directly(x, size))


def test_contrast_normalisation_ignores_brightness_and_contrast() -> None:
    x, layer = torch.randn(2, 3, 8, 8), ContrastNormalisation(5)
    torch.testing.assert_close(layer(x * 7.0 + 3.0), layer(x), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (2, 1, 1, 1)])
def test_contrast_normalisation_of_a_flat_image_is_finite_with_finite_gradients(
    shape: tuple[int, ...],
) -> None:
    x = torch.ones(shape, requires_grad=True)
    out = ContrastNormalisation(9)(x)
    out.square().sum().backward()
    assert x.grad is not None
    assert torch.isfinite(out).all()
    assert torch.isfinite(x.grad).all()


def test_contrast_normalisation_gradients_are_right() -> None:
    layer = ContrastNormalisation(3).double()
    x = torch.randn(1, 2, 4, 4, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(layer, (x,))
