"""The layers of convolutional children, each on one concatenated input.

'Same' padding throughout: the output has ceil(side / stride) rows and columns, for every filter
size, stride and image of at least one pixel.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas_env.space.conv_architecture import Convolution, Pooling

BATCH_NORM_EPSILON = 1e-5
"""Added to the variance that batch normalisation divides by, unless a recipe says otherwise."""
CONTRAST_FLOOR = 1e-4
"""Smallest local deviation that local contrast normalisation divides by."""


class ConvolutionBlock(nn.Module):
    """``block_size`` densely connected convolutions, each followed by (batch norm and) ReLU.

    Convolution k reads the block's input and the k-1 outputs before it; the last output is the
    block's and takes the stride. With ``block_size`` 1 it is one ordinary layer.
    """

    def __init__(
        self,
        layer: Convolution,
        channels: int,
        block_size: int = 1,
        batch_norm: bool = True,
        epsilon: float = BATCH_NORM_EPSILON,
    ) -> None:
        super().__init__()
        convolutions, norms = [], []
        for index in range(block_size):
            stride = (
                (layer.stride_height, layer.stride_width) if index == block_size - 1 else (1, 1)
            )
            convolutions.append(
                SameConvolution(
                    channels + index * layer.filters,
                    layer.filters,
                    (layer.filter_height, layer.filter_width),
                    stride,
                    bias=not batch_norm,
                )
            )
            norm = nn.BatchNorm2d(layer.filters, epsilon) if batch_norm else nn.Identity()
            norms.append(norm)
        self.convolutions = nn.ModuleList(convolutions)
        self.norms = nn.ModuleList(norms)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, filters, ceil(h / stride), ...)."""
        inside = [x]
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            joined = inside[0] if len(inside) == 1 else torch.cat(inside, dim=1)
            # In place: neither convolution nor batch norm needs its own output for its gradient.
            inside.append(F.relu(norm(convolution(joined)), inplace=True))
        return inside[-1]


class SameConvolution(nn.Conv2d):
    """Convolution with 'same' padding, He initialisation over the fan-out, zero bias."""

    def __init__(
        self,
        channels: int,
        filters: int,
        size: tuple[int, int],
        stride: tuple[int, int] = (1, 1),
        bias: bool = False,
    ) -> None:
        padding = ((size[0] - 1) // 2, (size[1] - 1) // 2)
        super().__init__(channels, filters, size, stride, padding, bias=bias)
        # An even filter has no centre: one more row or column of zeros below and to the right.
        self.extra = (0, 1 - size[1] % 2, 0, 1 - size[0] % 2)

    def reset_parameters(self) -> None:
        """He et al. 2015 over the fan-out, as in the DenseNet settings that the paper follows."""
        nn.init.kaiming_normal_(self.weight, mode="fan_out", nonlinearity="relu")
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, filters, ceil(h / stride), ...)."""
        return super().forward(F.pad(x, self.extra) if any(self.extra) else x)


class SamePooling(nn.Module):
    """Maximum or average over windows, of what lies inside the image."""

    def __init__(self, layer: Pooling) -> None:
        super().__init__()
        self.average = layer.operation == "average"
        self.size, self.stride = layer.size, layer.stride

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, channels, ceil(h / stride), ...)."""
        if self.size % 2 == 1:
            return self._centred(x)
        if self.size == self.stride and x.shape[2] % self.size == 0 == x.shape[3] % self.size:
            return self._pool(x, 0)
        before, after = (self.size - 1) // 2, self.size // 2
        sides = (before, after, before, after)
        if not self.average:
            return self._pool(F.pad(x, sides, value=float("-inf")), 0)
        inside = F.pad(torch.ones_like(x[:1, :1]), sides)
        return self._pool(F.pad(x, sides), 0) / self._pool(inside, 0)

    def _centred(self, x: Tensor) -> Tensor:
        return self._pool(x, self.size // 2)

    def _pool(self, x: Tensor, padding: int) -> Tensor:
        if self.average:
            return F.avg_pool2d(x, self.size, self.stride, padding, count_include_pad=False)
        return F.max_pool2d(x, self.size, self.stride, padding)


class ContrastNormalisation(nn.Module):
    """Local contrast normalisation (Jarrett et al. 2009, section 2), without parameters.

    With a Gaussian window w of sum 1 over all channels and the positions inside the image:
    v = x - sum(w x), then y = v / max(sigma, mean(sigma)), sigma = sqrt(sum(w v^2)).
    """

    window: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        offsets = torch.arange(size) - size // 2
        # The window spans two standard deviations to each side.
        gaussian = torch.exp(-0.5 * (offsets / (size / 4)) ** 2)
        self.register_buffer("window", gaussian / gaussian.sum(), persistent=False)  # (size,)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> the same shape."""
        # Not in bfloat16: the differences of close numbers would cancel.
        with torch.autocast(x.device.type, enabled=False):
            full = x.to(torch.promote_types(x.dtype, torch.float32))
            weights = self._blur(torch.ones_like(full[:1, :1]))  # part of w inside the image
            centred = full - self._blur(full.mean(1, keepdim=True)) / weights
            variance = self._blur(centred.square().mean(1, keepdim=True)) / weights
            sigma = variance.clamp_min(CONTRAST_FLOOR**2).sqrt()  # (batch, 1, height, width)
            floor = sigma.mean((2, 3), keepdim=True)
            return (centred / torch.maximum(sigma, floor)).to(x.dtype)

    def _blur(self, x: Tensor) -> Tensor:
        """Separable convolution of (batch, 1, height, width) with the window, zeros outside."""
        half = len(self.window) // 2
        rows = F.conv2d(x, self.window.view(1, 1, -1, 1), padding=(half, 0))
        return F.conv2d(rows, self.window.view(1, 1, 1, -1), padding=(0, half))
