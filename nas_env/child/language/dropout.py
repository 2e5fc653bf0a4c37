"""The kinds of dropout of a recurrent language model, and their masks.

Zaremba et al. (2014) drop what goes up (input, between layers, output), afresh at every step, never
what goes along time. Gal and Ghahramani (2016) fix every mask over the sequence and so can drop
along time too, and whole words of the embedding.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from nas_env.checks import at_least, below, check_settings

Probability = Annotated[float, at_least(0), below(1)]


@dataclass(frozen=True)
class LanguageDropout:
    """Probabilities of dropping, each in [0, 1).

    Attributes:
        embedding: a word, wherever it stands in one text of the batch; always fixed over the
            sequence.
        input: an element of the first layer's input.
        between: an element of what one layer passes to the next.
        recurrent: an element of h_{t-1} on its way into h_t; always fixed over the sequence.
        output: an element of the last layer's output.
        variational: masks of input, between and output are fixed over the sequence as well (Gal);
            False draws them for every step (Zaremba).
    """

    embedding: Probability = 0.0
    input: Probability = 0.0
    between: Probability = 0.0
    recurrent: Probability = 0.0
    output: Probability = 0.0
    variational: bool = False

    def __post_init__(self) -> None:
        """Check every field."""
        check_settings(self, "dropout")


ZAREMBA_MEDIUM = LanguageDropout(input=0.5, between=0.5, output=0.5)
GAL_MEDIUM = LanguageDropout(0.2, 0.35, 0.35, 0.2, 0.35, variational=True)
GAL_LARGE = LanguageDropout(0.3, 0.5, 0.5, 0.3, 0.5, variational=True)


def keep_mask(like: Tensor, shape: tuple[int, ...], drop: float) -> Tensor:
    """A mask of 0 and 1 / (1 - drop): multiplying by it keeps the expectation."""
    keep = 1.0 - drop
    return torch.empty(shape, dtype=like.dtype, device=like.device).bernoulli_(keep).div_(keep)


def drop_elements(values: Tensor, drop: float, variational: bool) -> Tensor:
    """Drop elements of a (steps, batch, size) sequence, at every step or the same ones at all."""
    if drop == 0.0:
        return values
    steps, batch, size = values.shape
    return values * keep_mask(values, (1 if variational else steps, batch, size), drop)


def drop_words(embedded: Tensor, tokens: Tensor, vocabulary_size: int, drop: float) -> Tensor:
    """Drop some words of the vocabulary from each text of the batch, wherever they stand.

    Args:
        embedded: (steps, batch, size).
        tokens: (steps, batch) the words that were embedded.
        vocabulary_size: number of words.
        drop: probability that a word is dropped.
    """
    if drop == 0.0:
        return embedded
    kept = keep_mask(embedded, (vocabulary_size, tokens.shape[1]), drop)
    return embedded * kept.gather(0, tokens)[..., None]  # (steps, batch, 1)
