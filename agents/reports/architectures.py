"""The architectures in runs, each once, and how they are shown: drawn, as text, in a line."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from agents.records.episode import Episode
from agents.records.run_record import RunRecord, direction_in
from nas_env.errors import NasEnvError
from nas_env.rendering.picture import Picture
from nas_env.space.architecture_json import architecture_from_json
from nas_env.tasks.drawing import draw_figure, draw_text
from nas_env.tasks.kinds import kind_of

LINE = 54
"""Characters of an architecture in a table."""


@dataclass(frozen=True)
class Found:
    """An architecture that a run trained: the first child that had it.

    Attributes:
        episode: that child.
        record: its run.
        metric: mean of the metric over the times it was trained.
        reward: mean of the reward over the same.
        times: how many children of all runs had it.
        direction: what ranks it among the others; see ``agents.records.direction``.
    """

    episode: Episode
    record: RunRecord
    metric: float
    reward: float
    times: int
    direction: int

    @property
    def value(self) -> float:
        """What ranks: the metric, or the reward where ``direction`` is 0."""
        return self.metric if self.direction else self.reward

    @property
    def gain(self) -> float:
        """The same, turned so that more is better."""
        return self.direction * self.metric if self.direction else self.reward

    @property
    def svg(self) -> str:
        """The picture; ``""`` where nobody can draw it."""
        picture = picture_of(self.episode)
        return "" if picture is None else picture.svg()

    @property
    def text(self) -> str:
        """The drawing in text, or the tokens."""
        return describe(self.episode)

    @property
    def line(self) -> str:
        """A line to click on."""
        return in_short(self.episode)

    @property
    def facts(self) -> str:
        """What it is worth and what it costs."""
        child = f"child {self.episode.number} of {self.record.name}"
        if self.times > 1:
            child = f"mean of {self.times:,} children, the first {child}"
        facts = f"{self.record.metric_name} {self.metric:.4f}, reward {self.reward:.4g}, {child}"
        if self.episode.parameters:
            facts += f", {self.episode.parameters:,} parameters"
        return facts + (f", {self.episode.macs:,} MACs" if self.episode.macs else "")


def different_architectures(records: Sequence[RunRecord]) -> list[Found]:
    """Every architecture that was trained to its end, best first; equals in order of training."""
    direction = direction_in(records)
    first: dict[str, Found] = {}
    measured: dict[str, list[tuple[float, float]]] = {}
    for record in records:
        for episode in record.episodes:
            if episode.metric is not None:
                key = episode.architecture or json.dumps(episode.tokens)
                first.setdefault(key, Found(episode, record, 0.0, 0.0, 0, direction))
                measured.setdefault(key, []).append((episode.metric, episode.reward))
    found = []
    for key, one in first.items():
        times = len(measured[key])
        metric, reward = (sum(values) / times for values in zip(*measured[key], strict=True))
        found.append(replace(one, metric=metric, reward=reward, times=times))
    return sorted(found, key=lambda one: -one.gain)


def pareto_front(costs: Sequence[float], gains: Sequence[float]) -> list[int]:
    """Indices of what nothing beats in both, cheapest first.

    Args:
        costs: less is better.
        gains: of the same things; more is better.
    """
    order = sorted(range(len(costs)), key=lambda i: (costs[i], -gains[i]))
    front: list[int] = []
    for index in order:
        if not front or gains[index] > gains[front[-1]]:
            front.append(index)
    return front


def describe(episode: Episode) -> str:
    """An episode's architecture as text: a drawing, or its tokens where nobody can draw it."""
    architecture = _architecture(episode)
    if architecture is None:
        return "tokens " + " ".join(map(str, episode.tokens))
    return draw_text(architecture)


def picture_of(episode: Episode) -> Picture | None:
    """An episode's architecture as a picture; None where nobody can draw it."""
    architecture = _architecture(episode)
    return None if architecture is None else draw_figure(architecture)


def in_short(episode: Episode) -> str:
    """An episode's architecture in one line."""
    architecture = _architecture(episode)
    if architecture is None:
        return "tokens"
    line = kind_of(architecture).summary(architecture)
    return line if len(line) <= LINE else f"{line[: LINE - 3]}..."


def _architecture(episode: Episode) -> Any:
    """None for an architecture of a kind that nobody knows here."""
    try:
        return architecture_from_json(json.loads(episode.architecture))
    except (NasEnvError, ValueError):
        return None
