"""DenseNet and DenseNet-BC for small images (Huang et al. 2016, arXiv 1608.06993, section 3).

Three blocks in which each layer reads all before it and adds ``growth`` channels; between them a
1x1 convolution and average pooling. BC: a 1x1 convolution to 4 growth channels before each 3x3, and
half the channels after each block. Without dropout, as with augmentation.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.residual_networks import convolution


class DenseNet(nn.Module):
    """3 n + 4 layers (BC: 6 n + 4).

    Args:
        depth: number of layers.
        growth: channels that each adds (k).
        bottleneck: BC.
        channels: of the images.
        classes: of the classifier.
    """

    def __init__(
        self,
        depth: int,
        growth: int,
        bottleneck: bool = False,
        channels: int = 3,
        classes: int = 10,
    ) -> None:
        super().__init__()
        layers = (depth - 4) // (6 if bottleneck else 3)
        width = 2 * growth if bottleneck else 16
        self.first = convolution(channels, width, 3)
        parts: list[nn.Module] = []
        for block in range(3):
            for _ in range(layers):
                parts.append(_DenseLayer(width, growth, bottleneck))
                width += growth
            if block < 2:
                parts.append(_Transition(width, width // 2 if bottleneck else width))
                width = width // 2 if bottleneck else width
        self.parts = nn.Sequential(*parts)
        self.norm = nn.BatchNorm2d(width)
        self.classifier = nn.Linear(width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, classes) logits."""
        features = F.relu(self.norm(self.parts(self.first(images)))).mean((2, 3))
        logits: Tensor = self.classifier(features)
        return logits


class _DenseLayer(nn.Module):
    def __init__(self, width: int, growth: int, bottleneck: bool) -> None:
        super().__init__()
        inside = 4 * growth if bottleneck else width
        self.squeeze = (
            nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(), convolution(width, inside, 1))
            if bottleneck
            else nn.Identity()
        )
        self.norm = nn.BatchNorm2d(inside)
        self.convolution = convolution(inside, growth, 3)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, width, h, w) -> (batch, width + growth, h, w)."""
        return torch.cat([x, self.convolution(F.relu(self.norm(self.squeeze(x))))], dim=1)


class _Transition(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(inputs)
        self.convolution = convolution(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs, h, w) -> (batch, outputs, ceil(h / 2), ceil(w / 2))."""
        x = self.convolution(F.relu(self.norm(x)))
        return F.avg_pool2d(x, 2, ceil_mode=True)
