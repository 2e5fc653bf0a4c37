"""The paper's convolutional search spaces: filters, strides, skips, blocks (sections 3.1 to 4.1).

The values that the published spaces choose from are in section 4.1.

We read "13 layers where each layer prediction is a fully connected block of 3 layers" so: the three
convolutions of a block have the predicted shape and are densely connected, and later layers read
only the last. Blocks of 7x7 filters with 30 filters on average and every other skip then have
the 7.1M and, with 40 more filters, 37.4M parameters of Table 1 within 10%. The two poolings act on
every map that crosses them, as DenseNet's transitions do: if they halved only the block before
them, skips across would pad its maps back to full size, and the wide network could not be as fast
as the DenseNet that the paper compares it with.
"""

from collections.abc import Sequence

from nas_env.checks import checked
from nas_env.space.conv_architecture import ConvArchitecture, Convolution, Layer
from nas_env.space.layered import (
    BlockSize,
    Depth,
    LayeredSpace,
    Places,
    Sides,
    convolution_fields,
)


class ConvSpace(LayeredSpace):
    """Networks of convolutions with skip connections.

    Tokens of layer N: filter_height, filter_width, (stride_height, stride_width, if there is more
    than one stride to choose from), filters, then one skip decision for each of layers 1..N-1.

    Args:
        num_layers: depth unless an episode asks for another.
        max_layers: the deepest that an episode may ask for; fixes the layout.
        min_layers: the shallowest.
        filter_sizes: heights and widths of filters, in pixels.
        filters: numbers of filters.
        strides: strides in each direction.
        skip_connections: False makes a chain of layers, without skip decisions.
        block_size: each decision is a block of this many densely connected convolutions.
        pool_after: layers (blocks) after which a 2x2 pooling halves the feature maps; networks that
            are not deeper than that do without it.

    Raises:
        ConfigurationError: an argument that gives no search space.
    """

    def __init__(
        self,
        num_layers: int = 6,
        max_layers: int = 20,
        min_layers: int = 1,
        filter_sizes: Sequence[int] = (1, 3, 5, 7),
        filters: Sequence[int] = (24, 36, 48, 64),
        strides: Sequence[int] = (1,),
        skip_connections: bool = True,
        block_size: int = 1,
        pool_after: Sequence[int] = (),
    ) -> None:
        self._strides = checked("strides", strides, Sides)
        checked("block_size", block_size, BlockSize)
        self.block_size = block_size
        self.pool_after = tuple(sorted(checked("pool_after", pool_after, Places)))
        fields = convolution_fields(filter_sizes, self._strides, filters)
        super().__init__((), fields, Depth(num_layers, max_layers, min_layers), skip_connections)

    def _layer_choices(self) -> int:
        choices = 1
        for _, options in self._fields:
            choices *= len(options)
        return choices

    def _decode_layer(self, tokens: Sequence[int], inputs: tuple[int, ...]) -> Layer:
        values = [options[token] for token, (_, options) in zip(tokens, self._fields, strict=True)]
        stride = self._strides[0]
        height, width, *strides, filters = (int(value) for value in values)
        stride_height, stride_width = strides or (stride, stride)
        return Convolution(height, width, filters, stride_height, stride_width, inputs)

    def _network(self, tokens: Sequence[int], layers: tuple[Layer, ...]) -> ConvArchitecture:
        return ConvArchitecture(layers, self.block_size, self._poolings(len(layers)))

    def _poolings(self, num_layers: int) -> tuple[int, ...]:
        return tuple(layer for layer in self.pool_after if layer < num_layers)

    def _encode_network(self, architecture: ConvArchitecture) -> tuple[int, ...]:
        poolings = self._poolings(len(architecture.layers))
        self._require("block_size", architecture.block_size, self.block_size)
        self._require("pool_after", architecture.pool_after, poolings)
        self._require("batch_norm", architecture.batch_norm, True)
        self._require("learning_rate", architecture.learning_rate, None)
        return ()

    def _encode_layer(self, number: int, layer: Layer) -> list[int]:
        owner = f"layer {number}"
        self._require(f"type of {owner}", type(layer).__name__, "Convolution")
        if len(self._strides) == 1:
            for name in ("stride_height", "stride_width"):
                self._require(f"{name} of {owner}", getattr(layer, name), self._strides[0])
        return [self._token(name, getattr(layer, name), owner) for name, _ in self._fields]
