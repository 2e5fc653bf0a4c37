"""The most likely architecture over a search, as an animation (GIF) that any browser plays.

Likely by the shares of ``token_shares``: of the last W children the one whose tokens most of
the others share, so it is an architecture that was trained, and valid.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from agents.records.episode import Episode
from agents.reports.token_shares import TokenHistory
from nas_env.rendering.choice_figure import Choice, choice_picture
from nas_env.rendering.picture import Picture
from nas_env.tasks.drawing import draw_tokens_figure

FRAMES, FRAME_MS, LAST_MS = 40, 400, 3000
"""Most frames, how long each is shown, and how long the last."""
PALETTE = 64
"""Colours of a frame: enough for smooth edges, and small."""


@dataclass(frozen=True)
class Shot:
    """One frame.

    Attributes:
        number: children trained so far.
        child: index of the most likely of the last of them.
    """

    number: int
    child: int


def shots(history: TokenHistory, count: int = FRAMES) -> list[Shot]:
    """The most likely child at each moment."""
    return [Shot(number, most_likely(history, number)) for number in history.moments(count)]


def most_likely(history: TokenHistory, number: int) -> int:
    """Index of the most likely of the last W of ``number`` children; the latest of equals.

    Its log-likelihood is the sum of the logarithms of the shares of its tokens. Children of
    another depth than the last one are not compared with it.
    """
    start = max(0, number - history.window)
    tokens = history.tokens[start:number]  # (W, positions)
    logs = np.log(np.nan_to_num(history.shares(number), nan=1.0).clip(1e-9))
    known = history.free[start:number]
    rows = np.arange(tokens.shape[1])
    likelihood = np.where(known, logs[rows, np.where(known, tokens, 0)], 0.0).sum(axis=1)  # (W,)
    lengths = (tokens >= 0).sum(axis=1)
    likelihood[lengths != lengths[-1]] = -np.inf
    return start + len(likelihood) - 1 - int(np.argmax(likelihood[::-1]))


def write_film(history: TokenHistory, episodes: Sequence[Episode], path: str | Path) -> Path:
    """Write the animation.

    Raises:
        OSError: the file cannot be written.
    """
    taken = shots(history)
    pictures = [_picture(history, episodes, shot) for shot in taken]
    width = max(picture.width for picture in pictures)
    height = max(picture.height for picture in pictures)
    frames = [_frame(picture.padded(width, height).array()) for picture in pictures]
    times = [FRAME_MS] * (len(frames) - 1) + [LAST_MS]
    frames[0].save(
        *(path, "GIF"), save_all=True, append_images=frames[1:], duration=times, loop=0, disposal=1
    )
    return Path(path)


def _frame(pixels: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(pixels).quantize(PALETTE, dither=Image.Dither.NONE)


def _picture(history: TokenHistory, episodes: Sequence[Episode], shot: Shot) -> Picture:
    episode = episodes[shot.child]
    metric = "failed"
    if episode.metric is not None:
        metric = f"{history.metric_name} {episode.metric:.4f}"
    start = max(0, shot.number - history.window) + 1
    footer = f"likeliest of children {start}-{shot.number}: child {episode.number}, {metric}"
    if history.space is not None:
        depth = history.space.depth_of(episode.tokens)
        return draw_tokens_figure(history.space, episode.tokens, depth, footer)
    choices = [
        Choice(position.name, tuple(map(str, position.options)), token)
        for position, token in zip(history.layout, episode.tokens, strict=False)
    ]
    return choice_picture(f"{len(choices)} choices", choices, footer)
