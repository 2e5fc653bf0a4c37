"""Networks without shortcuts: Network in Network and All-CNN, without their dropout.

Sources: Lin et al. 2014 (arXiv 1312.4400), with the sizes of the authors' CIFAR-10 definition;
Springenberg et al. 2015 (1412.6806, Table 1, All-CNN-C). Convolutions have a bias and no batch
normalisation, as published.
"""

from torch import Tensor, nn


def _convolution(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Conv2d:
    module = nn.Conv2d(inputs, outputs, size, stride, size // 2)
    nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    nn.init.zeros_(module.bias)  # type: ignore[arg-type]
    return module


class _Averaged(nn.Module):
    """Layers whose last convolution has a channel for each class, then their mean over pixels."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, classes) logits."""
        logits: Tensor = self.layers(images).mean((2, 3))
        return logits


def network_in_network(channels: int = 3, classes: int = 10) -> nn.Module:
    """Three convolutions, each followed by two 1x1 ones; pooling of 3x3 and stride 2 between."""
    layers: list[nn.Module] = []
    inputs = channels
    for number, (size, widths) in enumerate(
        [(5, (192, 160, 96)), (5, (192, 192, 192)), (3, (192, 192, classes))]
    ):
        for place, width in enumerate(widths):
            layers += [_convolution(inputs, width, size if place == 0 else 1), nn.ReLU()]
            inputs = width
        if number == 0:
            layers.append(nn.MaxPool2d(3, 2, 1))
        elif number == 1:
            layers.append(nn.AvgPool2d(3, 2, 1))
    return _Averaged(*layers[:-1])


def all_cnn(channels: int = 3, classes: int = 10) -> nn.Module:
    """All-CNN-C: strided convolutions in the place of pooling."""
    table = (
        *((96, 3, 1), (96, 3, 1), (96, 3, 2)),
        *((192, 3, 1), (192, 3, 1), (192, 3, 2)),
        *((192, 3, 1), (192, 1, 1), (classes, 1, 1)),
    )
    layers: list[nn.Module] = []
    inputs = channels
    for width, size, stride in table:
        layers += [_convolution(inputs, width, size, stride), nn.ReLU()]
        inputs = width
    return _Averaged(*layers[:-1])
