"""A text as windows for truncated back-propagation through time: views, nothing copied per step.

The text is cut into ``batch`` streams of equal length that are read side by side, time-major:

    targets[t, b] = text[b * n + t],   inputs[t, b] = the token before it,   n = len(text) // batch

Before the very first token stands an end of line, so every token is predicted once.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from nas_env.errors import InvalidDatasetError


@dataclass(frozen=True)
class Window:
    """Some steps of all streams.

    Attributes:
        inputs: (steps, streams) int64.
        targets: (steps, streams) int64.
    """

    inputs: Tensor
    targets: Tensor


@dataclass(frozen=True)
class Streams:
    """A text cut into streams.

    Attributes:
        inputs: (n, batch) int64, contiguous.
        targets: (n, batch) int64, contiguous.
        rest: the step that only the first streams have, or None if the text divides evenly.
    """

    inputs: Tensor
    targets: Tensor
    rest: Window | None = None

    def windows(self, steps: int) -> Iterator[Window]:
        """All windows in order, of ``steps`` steps each but for a shorter last one.

        The rest, if there is one, comes last: it needs the state of its streams alone.
        """
        pairs = zip(torch.split(self.inputs, steps), torch.split(self.targets, steps), strict=True)
        yield from (Window(inputs, targets) for inputs, targets in pairs)
        if self.rest is not None:
            yield self.rest


def training_streams(text: Tensor, batch: int, end_of_line: int) -> Streams:
    """Streams for training; the last ``len(text) % batch`` tokens are left out, as is usual.

    Args:
        text: (n,) int64 tokens.
        batch: number of streams.
        end_of_line: token that stands before the first.

    Raises:
        InvalidDatasetError: not one token for each stream.
    """
    length = len(text) // batch
    if length == 0:
        raise InvalidDatasetError(
            f"The text has {len(text)} tokens, too few for {batch} streams side by side. Lower "
            "batch_size, or give more text."
        )
    inputs = _before(text, end_of_line)
    size = length * batch
    return Streams(
        inputs[:size].view(batch, length).t().contiguous(),
        text[:size].view(batch, length).t().contiguous(),
    )


def evaluation_streams(text: Tensor, batch: int, end_of_line: int) -> Streams:
    """Streams for validation: every token is predicted exactly once, some streams one longer.

    Args:
        text: (n,) int64 tokens.
        batch: number of streams; no more are made than there are tokens.
        end_of_line: token that stands before the first.
    """
    batch = min(batch, len(text))
    length, longer = divmod(len(text), batch)
    order = torch.arange(batch, device=text.device)
    starts = order * length + order.clamp(max=longer)  # (batch,)
    steps = torch.arange(length, device=text.device)
    places = steps[:, None] + starts  # (length, batch)
    inputs = _before(text, end_of_line)
    last = starts[:longer] + length  # (longer,)
    rest = Window(inputs[last][None], text[last][None]) if longer else None
    return Streams(inputs[places], text[places], rest)


def _before(text: Tensor, end_of_line: int) -> Tensor:
    """The token before each."""
    return torch.cat([text.new_tensor([end_of_line]), text[:-1]])
