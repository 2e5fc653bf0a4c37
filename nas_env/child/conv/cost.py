"""What a convolutional child costs, from the architecture alone: no torch, no module built.

Conventions: a multiply-accumulate (MAC) is one product of a convolution or of the classifier, zeros
of the padding included; normalisation, pooling and ReLU count as none. Parameters are the learnable
ones. ``ConvNet`` builds exactly this; a test compares the two.
"""

from collections.abc import Sequence

from nas_env.child.cost import Cost
from nas_env.space.conv_architecture import (
    BatchNormalisation,
    ConvArchitecture,
    Convolution,
    Layer,
    Pooling,
)

Shape = tuple[int, int, int]
"""(channels, height, width) of a feature map."""


def conv_cost(
    architecture: ConvArchitecture, image_shape: Shape = (3, 32, 32), classes: int = 10
) -> Cost:
    """Parameters, MACs and feature maps of the network ``ConvNet`` builds.

    Args:
        architecture: the network.
        image_shape: (channels, height, width) of one image.
        classes: outputs of the classifier.
    """
    maps: list[Shape] = [image_shape]
    joined: set[tuple[int, ...]] = set()  # layers with the same inputs share a concatenation
    total = Cost(0, 0, 0)
    for number, layer in enumerate(architecture.layers, 1):
        shape, cost = _read([maps[source] for source in layer.inputs])
        if layer.inputs not in joined:
            joined.add(layer.inputs)
            total += cost
        shape, cost = _layer(layer, shape, architecture)
        total += cost
        maps.append(shape)
        if number in architecture.pool_after:
            joined.clear()
            for source in architecture.needed_after(number):
                maps[source] = _pooled(maps[source], 2)
                total += Cost(0, 0, _elements(maps[source]))
    features = sum(maps[source][0] for source in architecture.outputs)
    return total + Cost((features + 1) * classes, features * classes, 0)


def _read(shapes: Sequence[Shape]) -> tuple[Shape, Cost]:
    """Concatenated in depth, after zero padding to the largest height and width."""
    channels = sum(shape[0] for shape in shapes)
    joined = (channels, max(shape[1] for shape in shapes), max(shape[2] for shape in shapes))
    return joined, Cost(0, 0, _elements(joined) if len(shapes) > 1 else 0)


def _layer(layer: Layer, shape: Shape, architecture: ConvArchitecture) -> tuple[Shape, Cost]:
    if isinstance(layer, Convolution):
        return _block(layer, shape, architecture)
    if isinstance(layer, Pooling):
        pooled = _pooled(shape, layer.stride)
        return pooled, Cost(0, 0, _elements(pooled))
    if isinstance(layer, BatchNormalisation):
        return shape, Cost(2 * shape[0], 0, _elements(shape))
    return shape, Cost(0, 0, _elements(shape))


def _block(layer: Convolution, shape: Shape, architecture: ConvArchitecture) -> tuple[Shape, Cost]:
    """``block_size`` convolutions: all read the block's input and each other, the last strides."""
    total, inside = Cost(0, 0, 0), [shape]
    for index in range(1, architecture.block_size + 1):
        joined, cost = _read(inside)
        last = index == architecture.block_size
        stride = (layer.stride_height, layer.stride_width) if last else (1, 1)
        out = (layer.filters, _ceil(joined[1], stride[0]), _ceil(joined[2], stride[1]))
        weights = layer.filter_height * layer.filter_width * joined[0] * layer.filters
        # Batch normalisation has scale and offset, and its input is kept besides its output.
        norm = 2 if architecture.batch_norm else 1
        macs = weights * out[1] * out[2]
        total += cost + Cost(weights + norm * layer.filters, macs, norm * _elements(out))
        inside.append(out)
    return inside[-1], total


def _pooled(shape: Shape, stride: int) -> Shape:
    return shape[0], _ceil(shape[1], stride), _ceil(shape[2], stride)


def _ceil(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)


def _elements(shape: Shape) -> int:
    return shape[0] * shape[1] * shape[2]
