"""Residual networks for small images: ResNet, pre-activation ResNet, Wide ResNet.

Sources: He et al. 2015 (arXiv 1512.03385, section 4.2), He et al. 2016 (1603.05027, section 4 and
appendix), Zagoruyko & Komodakis 2016 (1605.07146, Table 1). Three stages, the second and third with
half the side and twice the channels; global average pooling; no dropout.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def convolution(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Conv2d:
    """Padded, without bias, He initialisation over the fan-out."""
    module = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)
    nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return module


class ResNet(nn.Module):
    """6 n + 2 layers; a shortcut that changes its shape takes every second pixel and adds zeros."""

    def __init__(self, depth: int, channels: int = 3, classes: int = 10) -> None:
        super().__init__()
        blocks = (depth - 2) // 6
        self.first = nn.Sequential(convolution(channels, 16, 3), nn.BatchNorm2d(16), nn.ReLU())
        stages: list[nn.Module] = []
        inputs = 16
        for width in (16, 32, 64):
            for _ in range(blocks):
                stages.append(_Block(inputs, width, 2 if inputs != width else 1))
                inputs = width
        self.stages = nn.Sequential(*stages)
        self.classifier = nn.Linear(64, classes)

    def forward(self, images: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, classes) logits."""
        logits: Tensor = self.classifier(self.stages(self.first(images)).mean((2, 3)))
        return logits


class _Block(nn.Module):
    """Two convolutions beside a shortcut without parameters (option A)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride, self.added = stride, outputs - inputs
        self.convolution1 = convolution(inputs, outputs, 3, stride)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.convolution2 = convolution(outputs, outputs, 3)
        self.norm2 = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs, h, w) -> (batch, outputs, ceil(h / stride), ceil(w / stride))."""
        inner = self.norm2(self.convolution2(F.relu(self.norm1(self.convolution1(x)))))
        half = self.added // 2
        shortcut = x[:, :, :: self.stride, :: self.stride]
        return F.relu(inner + F.pad(shortcut, (0, 0, 0, 0, half, self.added - half)))


class PreActivation(nn.Module):
    """Batch normalisation and ReLU before each convolution; the sum is not touched.

    Args:
        blocks: of each of the three stages.
        widths: output channels of each stage.
        bottleneck: 1x1, 3x3, 1x1 with a quarter of the channels inside; else two 3x3.
        channels: of the images.
        classes: of the classifier.
    """

    def __init__(
        self,
        blocks: int,
        widths: tuple[int, int, int],
        bottleneck: bool,
        channels: int = 3,
        classes: int = 10,
    ) -> None:
        super().__init__()
        self.first = convolution(channels, 16, 3)
        stages: list[nn.Module] = []
        inputs = 16
        for stage, width in enumerate(widths):
            for block in range(blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                stages.append(_PreActivationBlock(inputs, width, stride, bottleneck))
                inputs = width
        self.stages = nn.Sequential(*stages)
        self.norm = nn.BatchNorm2d(inputs)
        self.classifier = nn.Linear(inputs, classes)

    def forward(self, images: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, classes) logits."""
        features = F.relu(self.norm(self.stages(self.first(images)))).mean((2, 3))
        logits: Tensor = self.classifier(features)
        return logits


class _PreActivationBlock(nn.Module):
    """The first one of a stage projects its normalised input (1x1) where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int, bottleneck: bool) -> None:
        super().__init__()
        inside = outputs // 4 if bottleneck else outputs
        sizes = (1, 3, 1) if bottleneck else (3, 3)
        ends = [inputs, *[inside] * (len(sizes) - 1), outputs]
        # The stride is that of the first 3x3 convolution.
        strides = [stride if place == sizes.index(3) else 1 for place in range(len(sizes))]
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in ends[:-1])
        self.convolutions = nn.ModuleList(
            convolution(a, b, size, step)
            for a, b, size, step in zip(ends[:-1], ends[1:], sizes, strides, strict=True)
        )
        changes = inputs != outputs  # with every stride of 2, too
        self.projection = convolution(inputs, outputs, 1, stride) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs, h, w) -> (batch, outputs, ceil(h / stride), ceil(w / stride))."""
        inner = F.relu(self.norms[0](x))
        shortcut = x if self.projection is None else self.projection(inner)
        inner = self.convolutions[0](inner)
        for norm, layer in zip(list(self.norms)[1:], list(self.convolutions)[1:], strict=True):
            inner = layer(F.relu(norm(inner)))
        return torch.add(inner, shortcut)


def pre_activation_resnet(depth: int, channels: int = 3, classes: int = 10) -> PreActivation:
    """9 n + 2 layers with bottlenecks (He et al. 2016)."""
    return PreActivation((depth - 2) // 9, (64, 128, 256), True, channels, classes)


def wide_resnet(depth: int, factor: int, channels: int = 3, classes: int = 10) -> PreActivation:
    """6 n + 4 layers, ``factor`` times as wide (Zagoruyko & Komodakis 2016)."""
    widths = (16 * factor, 32 * factor, 64 * factor)
    return PreActivation((depth - 4) // 6, widths, False, channels, classes)
