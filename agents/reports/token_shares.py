"""What a search chose over time, from its episodes alone: the same for every agent.

The share of the last W children that chose an option estimates the probability that the agent gave
to it, with a standard error of at most 0.5 / sqrt(W), where the agent samples each child from its
policy (REINFORCE, random search). For evolution it is what the children of that time were like.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

import nas_env  # noqa: F401 - registers the ids
from agents.records.episode import Episode
from nas_env.errors import ConfigurationError
from nas_env.rendering.heat_map import draw_shares
from nas_env.rendering.picture import Picture
from nas_env.space.layout import Layout, Position, SearchSpace

COLUMNS = 64
"""Most points in time that are shown."""
SMALLEST, LARGEST = 16, 200
"""Children in a window: an eighth of the search within these."""


@dataclass(frozen=True)
class TokenHistory:
    """The tokens of a search.

    Attributes:
        layout: what they mean.
        space: the search space, None where the run does not tell.
        tokens: (children, positions) -1 where the child's episode was shorter.
        free: (children, positions) whether the child had a choice there.
        metric_name: what was measured.
    """

    layout: Layout
    space: SearchSpace[Any] | None
    tokens: NDArray[np.int64]
    free: NDArray[np.bool_]
    metric_name: str = "metric"

    @property
    def window(self) -> int:
        """W, the children that a share is taken over."""
        return min(LARGEST, max(SMALLEST, len(self.tokens) // 8))

    def moments(self, count: int = COLUMNS) -> list[int]:
        """Numbers of the children after which the search is looked at, the last one included."""
        last = len(self.tokens)
        first = min(self.window, last)
        return sorted({round(n) for n in np.linspace(first, last, count)})

    def shares(self, number: int) -> NDArray[np.float64]:
        """(positions, options) shares among the last W of the first ``number`` children.

        Options that a position lacks, and positions where no child had a choice, are NaN.
        """
        recent = slice(max(0, number - self.window), number)
        tokens, free = self.tokens[recent], self.free[recent]  # (W, positions)
        options = max(len(position.options) for position in self.layout)
        chosen = (tokens[:, :, None] == np.arange(options)) & free[:, :, None]
        counts, total = chosen.sum(axis=0), free.sum(axis=0)[:, None]
        with np.errstate(invalid="ignore"):
            shares: NDArray[np.float64] = counts / np.where(total, total, np.nan)
        for index, position in enumerate(self.layout):
            shares[index, len(position.options) :] = np.nan
        return shares


def read_history(config: Mapping[str, Any], episodes: Sequence[Episode]) -> TokenHistory:
    """The tokens of a run and what they mean, as far as its folder tells.

    Raises:
        ConfigurationError: there are no episodes.
    """
    if not episodes:
        raise ConfigurationError("There are no episodes yet: nothing was chosen.")
    length = max(len(episode.tokens) for episode in episodes)
    tokens = np.full((len(episodes), length), -1)
    for row, episode in zip(tokens, episodes, strict=True):
        row[: len(episode.tokens)] = episode.tokens
    space, metric_name = _space(config, tokens), str(config.get("metric_name", "metric"))
    if space is None:
        layout = _recorded_layout(config, tokens)
        return TokenHistory(layout, None, tokens, tokens >= 0, metric_name)
    layout = space.layout[:length]
    return TokenHistory(layout, space, tokens, _free(space, tokens), metric_name)


def draw_history(history: TokenHistory, title: str) -> Picture:
    """The heat map: a row an option, a column a moment of the search."""
    moments = history.moments()
    shares = np.stack([history.shares(number) for number in moments])
    window = min(history.window, len(history.tokens))
    remark = (
        f"Share of the last {window} child{'ren' * (window != 1)} that chose each "
        "option, of those that had the choice"
    )
    closed = np.isnan(shares[:, :, 0])  # (moments, positions)
    shown = ~closed.all(axis=0)
    remark += "; grey: none had it." if closed[:, shown].any() else "."
    return draw_shares(history.layout, shares, moments, title, remark)


def _space(config: Mapping[str, Any], tokens: NDArray[np.int64]) -> SearchSpace[Any] | None:
    """The run's search space; None for one that cannot be made from the configuration."""
    name = str(config.get("env"))
    if name not in gym.registry:  # "module:id" would import what a stranger's folder names
        return None
    try:
        env = gym.make(name, **config.get("environment", {}))
        space = env.unwrapped.search_space  # type: ignore[attr-defined]
        for row in tokens:
            space.depth_of(row[row >= 0].tolist())
    except Exception:  # whatever a user's own environment raises: the tokens can be shown anyhow
        return None
    return space if isinstance(space, SearchSpace) else None


def _free(space: SearchSpace[Any], tokens: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Where each child could choose between several options."""
    free = tokens >= 0
    length = tokens.shape[1]
    padded = np.zeros((length, len(space.layout)), np.int64)
    for row, known in zip(tokens, free, strict=True):
        padded[:, :length] = np.where(known, row, 0)
        known &= space.masks(padded, np.arange(length)).sum(axis=1) > 1
    return free


def _recorded_layout(config: Mapping[str, Any], tokens: NDArray[np.int64]) -> Layout:
    """Positions as the run recorded them, or else by number."""
    try:
        layout = tuple(
            Position(str(name), tuple(options), kind, int(layer), source)
            for name, options, kind, layer, source in config["positions"]
        )
        sizes = [len(position.options) for position in layout[: tokens.shape[1]]]
        if (tokens.max(axis=0) < sizes).all():
            return layout[: tokens.shape[1]]
    except (KeyError, TypeError, ValueError):
        pass  # an older run, or an environment that does not tell
    return tuple(
        Position(f"position {index}", tuple(f"token {n}" for n in range(int(column.max()) + 1)))
        for index, column in enumerate(tokens.T, 1)
    )
