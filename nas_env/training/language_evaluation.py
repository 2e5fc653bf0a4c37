"""The metric of a language model: perplexity on a text, every token counted once."""

import math

import torch
from torch import Tensor

from nas_env.child.language.model import LanguageModel, State
from nas_env.training.language_windows import Streams

EVALUATION_ROWS = 1024
"""Tokens of one window of an evaluation: bounds the matrix of logits."""


@torch.no_grad()
def perplexity_of(child: LanguageModel, streams: Streams) -> float:
    """Exponential of the mean negative log-likelihood, with carried state, no dropout, float32."""
    training = child.training
    child.eval()
    batch = streams.inputs.shape[1]
    total = torch.zeros((), dtype=torch.float64, device=streams.inputs.device)
    tokens, state = 0, None
    for window in streams.windows(max(1, EVALUATION_ROWS // batch)):
        if window is streams.rest and state is not None:
            state = first_streams(state, window.inputs.shape[1])
        loss, state = child.loss(window.inputs, window.targets, state)
        total += loss
        tokens += window.targets.numel()
    child.train(training)
    return perplexity_from(total.item(), tokens)


def first_streams(state: State, count: int) -> State:
    """The state of the first ``count`` streams."""
    return tuple(
        layer[:, :count].contiguous()
        if isinstance(layer, Tensor)
        else tuple(part[:, :count].contiguous() for part in layer)
        for layer in state
    )


def perplexity_from(loss: float, tokens: int) -> float:
    """exp(loss / tokens), infinite where that overflows."""
    try:
        return math.exp(loss / tokens)
    except OverflowError:
        return math.inf
