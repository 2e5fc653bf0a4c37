"""A game of writing tokens, without environments: for tests of agents alone."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from agents.agent import Agent, Batch, Problem
from nas_env.space.layout import Layout, Position

Reward = Callable[[NDArray[np.int64]], float]


def conv_layout(num_layers: int) -> Layout:
    """Height, width and filters per layer, then the bits of the layer's anchor."""
    layout: list[Position] = []
    for layer in range(1, num_layers + 1):
        layout += [
            Position("filter_height", (1, 3, 5, 7), layer=layer),
            Position("filter_width", (1, 3, 5, 7), layer=layer),
            Position("filters", (24, 36, 48), layer=layer),
        ]
        layout += [Position("skip", (0, 1), "skip", layer, source) for source in range(1, layer)]
    return tuple(layout)


@dataclass
class Game:
    """Plays whole episodes of a layout and rewards the tokens."""

    layout: Layout
    reward: Reward = lambda tokens: 0.0
    with_layout: bool = True
    publishes: bool = False
    """Whether agents may think ahead: masks of the problem, and tokens left in observations."""

    @property
    def problem(self) -> Problem:
        actions = max(len(position.options) for position in self.layout)
        layout = self.layout if self.with_layout else None
        return Problem(len(self.layout), actions, layout, self.masks if self.publishes else None)

    def masks(self, tokens: NDArray[np.int64], positions: NDArray[np.int64]) -> NDArray[np.bool_]:
        return np.stack([self.mask(int(position)) for position in positions])

    def mask(self, position: int) -> NDArray[np.bool_]:
        return np.arange(self.problem.num_actions) < len(self.layout[position].options)

    def play(self, agent: Agent, episodes: int, length: int | None = None) -> Batch:
        length = length or len(self.layout)
        tokens = np.zeros((episodes, len(self.layout)), np.int64)
        for position in range(length):
            observations = self.observe(tokens, np.full(episodes, position))
            if self.publishes:
                observations["remaining"] = np.full(episodes, length - position)
            chosen = agent.act(observations)
            assert self.mask(position)[chosen].all(), "the agent chose a masked token"
            tokens[:, position] = chosen
        tokens = tokens[:, :length]
        masks = np.stack([self.mask(position) for position in range(length)])
        return Batch(
            tokens,
            np.repeat(masks[None], episodes, axis=0),
            np.full(episodes, length),
            np.array([self.reward(row) for row in tokens], np.float64),
        )

    def observe(
        self, tokens: NDArray[np.int64], positions: NDArray[np.int64]
    ) -> dict[str, NDArray[np.int64]]:
        chosen = np.arange(len(self.layout)) < positions[:, None]
        masks = np.stack([self.mask(int(position)) for position in positions])
        return {
            "tokens": np.where(chosen, tokens + 1, 0),
            "position": positions,
            "action_mask": masks.astype(np.int64),
        }


@pytest.fixture
def game() -> type[Game]:
    return Game


@pytest.fixture
def layout() -> Callable[[int], Layout]:
    return conv_layout
