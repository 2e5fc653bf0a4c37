"""Softmax cross-entropy over a large vocabulary, with as few passes over the logits as possible.

At the paper's sizes most of a small child's time is the (tokens, V) matrix of logits. The generic
route (linear, log_softmax, nll_loss) writes it three times and keeps two copies. Here the logits
become probabilities and then their own gradient, all in place:

    p = softmax(h W^T + b),   loss = -sum_n log p[n, y_n]
    d loss / d logits = p - onehot(y)
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from nas_env.child.cell.matrix_product import product


def softmax_loss(hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    """Summed negative log-likelihood in nats.

    A probability too small for the number format counts as the smallest normal number (87 nats in
    float32); its gradient is exact all the same.

    Args:
        hidden: (n, H) outputs of the last layer.
        weight: (V, H) softmax weights.
        bias: (V,) softmax bias.
        targets: (n,) int64 tokens to predict.

    Returns:
        A scalar; differentiable once, with respect to all but ``targets``.
    """
    device = hidden.device.type
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
        hidden, weight, bias = hidden.to(dtype), weight.to(dtype), bias.to(dtype)
    loss: Tensor = _SoftmaxLoss.apply(hidden, weight, bias, targets)
    return loss


class _SoftmaxLoss(torch.autograd.Function):
    """The autograd node behind ``softmax_loss``."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
        rows = targets[:, None]  # (n, 1)
        logits = product(hidden, weight.t()).add_(bias)  # (n, V)
        error = torch.softmax(logits, -1, out=logits)
        chosen = error.gather(1, rows)
        if chosen.dtype == torch.bfloat16:
            chosen = chosen.float()
        error.scatter_add_(1, rows, error.new_full((1, 1), -1.0).expand_as(rows))  # p - onehot
        ctx.save_for_backward(hidden, weight, error)
        return -chosen.clamp_min_(torch.finfo(chosen.dtype).tiny).log_().sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        hidden, weight, error = ctx.saved_tensors
        scale = gradients[0].to(error.dtype)
        # The scale goes on the small factors: no further pass over (n, V) or (V, H).
        d_hidden = product(error, weight).mul_(scale)
        d_weight = product(error.t(), hidden * scale)
        d_bias = error.t().mv(scale.expand(len(error)))
        return d_hidden, d_weight, d_bias, None
