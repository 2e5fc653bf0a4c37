"""A small space whose metric is known, and an episode of given tokens."""

from collections.abc import Sequence
from typing import Any

from nas_env import ArchitectureEnv, ChoiceSpace

WIDTHS: dict[str, list[Any]] = {
    "width": [8, 16, 32],
    "activation": ["relu", "tanh"],
    "depth": [1, 2, 3, 4],
}


def width_times_depth(architecture: Any, seed: int) -> float:
    return float(architecture["width"] * architecture["depth"])


def make_choices(**arguments: Any) -> ArchitectureEnv:
    return ArchitectureEnv(ChoiceSpace(WIDTHS), width_times_depth, **arguments)


def play(env: ArchitectureEnv, tokens: Sequence[int]) -> tuple[Any, float, bool, bool, Any]:
    env.reset()
    for token in tokens[:-1]:
        env.step(token)
    return env.step(tokens[-1])
