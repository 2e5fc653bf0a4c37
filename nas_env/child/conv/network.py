"""Convolutional architectures as ``torch.nn`` modules (section 3.3).

Inputs are concatenated in depth; smaller maps are padded centrally with zeros first. Layers that
nothing reads are concatenated before the classifier: global average pooling and one linear layer.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas_env.child.conv.layers import (
    BATCH_NORM_EPSILON,
    ContrastNormalisation,
    ConvolutionBlock,
    SamePooling,
)
from nas_env.space.conv_architecture import (
    BatchNormalisation,
    ConvArchitecture,
    Convolution,
    Layer,
    Pooling,
)


class ConvNet(nn.Module):
    """The child of a ``ConvArchitecture``, for images of any size.

    Args:
        architecture: the network up to its classifier.
        image_channels: channels of the images.
        classes: outputs of the classifier.
        batch_norm_epsilon: of the batch normalisation after each convolution; a layer that is one
            has its own.
    """

    def __init__(
        self,
        architecture: ConvArchitecture,
        image_channels: int = 3,
        classes: int = 10,
        batch_norm_epsilon: float = BATCH_NORM_EPSILON,
    ) -> None:
        super().__init__()
        self.architecture = architecture
        self.layers = nn.ModuleList()
        channels = [image_channels]  # of the image and of each layer's output
        for layer in architecture.layers:
            read = sum(channels[source] for source in layer.inputs)
            self.layers.append(_layer_module(layer, read, architecture, batch_norm_epsilon))
            channels.append(layer.filters if isinstance(layer, Convolution) else read)
        self.classifier = nn.Linear(sum(channels[n] for n in architecture.outputs), classes)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, images: Tensor) -> Tensor:
        """(batch, image_channels, height, width) images -> (batch, classes) logits."""
        maps: dict[int, Tensor] = {0: images}
        joined: dict[tuple[int, ...], Tensor] = {}  # concatenations, by what they concatenate
        for number, layer in enumerate(self.architecture.layers, 1):
            if layer.inputs not in joined:
                joined[layer.inputs] = concatenate([maps[source] for source in layer.inputs])
            maps[number] = self.layers[number - 1](joined[layer.inputs])
            if number in self.architecture.pool_after:
                joined.clear()
                for source in self.architecture.needed_after(number):
                    maps[source] = F.max_pool2d(maps[source], 2, ceil_mode=True)
        return self._classify([maps[number] for number in self.architecture.outputs])

    def _classify(self, outputs: Sequence[Tensor]) -> Tensor:
        """Average each output over the padded size, then concatenate: the same, without copies.

        A sum rather than a mean, because its gradient is a broadcast view: it takes no memory and
        follows the layout of the map, where a mean's would break channels-last.
        """
        area = max(x.shape[2] for x in outputs) * max(x.shape[3] for x in outputs)
        features = torch.cat([x.sum((2, 3)) for x in outputs], dim=1) / area  # (batch, channels)
        logits: Tensor = self.classifier(features)
        return logits


def concatenate(maps: Sequence[Tensor]) -> Tensor:
    """Join (batch, channels, height, width) maps in depth, centred on the largest size."""
    if len(maps) == 1:
        return maps[0]
    height, width = max(x.shape[2] for x in maps), max(x.shape[3] for x in maps)
    return torch.cat([_padded(x, height, width) for x in maps], dim=1)


def _padded(x: Tensor, height: int, width: int) -> Tensor:
    rows, columns = height - x.shape[2], width - x.shape[3]
    if rows == 0 == columns:
        return x
    left, top = columns // 2, rows // 2
    return F.pad(x, (left, columns - left, top, rows - top))


def _layer_module(
    layer: Layer, channels: int, architecture: ConvArchitecture, epsilon: float
) -> nn.Module:
    if isinstance(layer, Convolution):
        block_size, batch_norm = architecture.block_size, architecture.batch_norm
        return ConvolutionBlock(layer, channels, block_size, batch_norm, epsilon)
    if isinstance(layer, Pooling):
        return SamePooling(layer)
    if isinstance(layer, BatchNormalisation):
        return nn.BatchNorm2d(channels, eps=layer.epsilon)
    return ContrastNormalisation(layer.window)
