"""A run that was read: its folder once, for reports, comparisons and tracking alike."""

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from agents.records.direction import KNOWN, direction_of
from agents.records.episode import Episode, best_of
from agents.records.log import FURTHER, read_rows, unreadable
from agents.records.run_folder import UPDATES, RunFolder
from nas_env.errors import ConfigurationError, RunFolderError
from nas_env.evaluation.named_reward import reward_text


@dataclass(frozen=True)
class RunRecord:
    """One run folder.

    Attributes:
        folder: where it was read.
        config: ``config.json``.
        episodes: ``episodes.csv``.
        updates: ``updates.csv``: column -> number of an update -> value; see ``read_updates``.
    """

    folder: Path
    config: dict[str, Any]
    episodes: tuple[Episode, ...]
    updates: dict[str, dict[int, float]]

    @property
    def env(self) -> str:
        """Id of the environment."""
        return str(self.config["env"])

    @property
    def agent(self) -> str:
        """Name of the agent."""
        return str(self.config["agent"])

    @property
    def seed(self) -> int:
        """Run seed."""
        return int(self.config["seed"])

    @property
    def name(self) -> str:
        """Agent and seed."""
        return f"{self.agent}, seed {self.seed}"

    @property
    def metric_name(self) -> str:
        """``accuracy``, ``perplexity``, or ``metric``."""
        return str(self.config.get("metric_name", "metric"))

    @cached_property
    def metrics(self) -> tuple[float | None, ...]:
        """Of each child in order; None: it failed."""
        return tuple(episode.metric for episode in self.episodes)

    @cached_property
    def rewards(self) -> tuple[float, ...]:
        """Of each child in order."""
        return tuple(episode.reward for episode in self.episodes)

    @property
    def elapsed_s(self) -> float | None:
        """Seconds of the whole search, all resumes together."""
        return next(reversed(self.updates.get("elapsed_s", {}).values()), None)

    @property
    def reward(self) -> str:
        """The reward that was asked for, in short; ``""`` = the environment's own."""
        environment = self.config.get("environment")
        given = environment.get("reward") if isinstance(environment, dict) else None
        return "" if given is None else reward_text(given)

    @property
    def options(self) -> dict[str, Any]:
        """What makes two runs of one agent two experiments, the budget and the seed apart.

        Its hyper-parameters; and of the search the batch size, the depth schedule, and arguments of
        the environment: recipe (``recipe.epochs``), data set, reward, what belongs to the space.
        """
        options = self.config.get("agent_options")
        environment = self.config.get("environment")
        arguments = environment if isinstance(environment, dict) else {}
        return {
            **(options if isinstance(options, dict) else {}),
            **{name: self.config.get(name) for name in ("children_per_update", "schedule")},
            **_flat({**arguments, "reward": self.reward or None}, ""),
            "layout": self.config.get("layout"),
        }


def _flat(value: Any, prefix: str) -> dict[str, Any]:
    """Nested arguments as ``outer.inner``."""
    if not isinstance(value, dict):
        return {prefix: value} if prefix else {}
    rows = [_flat(inner, f"{prefix}.{key}".lstrip(".")) for key, inner in value.items()]
    return {name: inner for row in rows for name, inner in row.items()}


def read_run(folder: str | Path) -> RunRecord:
    """Read a run folder.

    Raises:
        RunFolderError: it is none, cannot be read, or has no episodes yet.
    """
    opened = RunFolder(folder)
    config = opened.read_config()
    missing = sorted({"env", "agent", "seed"} - config.keys())
    if missing or not isinstance(config["seed"], int):
        raise RunFolderError(
            f"{opened.path / 'config.json'} is not that of a run: {', '.join(missing) or 'seed'} "
            "missing or of another kind. Name a folder that a search wrote."
        )
    opened.check_logs()
    if not (episodes := opened.episodes()):
        raise RunFolderError(
            f"{folder} has no episodes yet: nothing to report. Wait for the first update of the "
            "search, or continue it with --resume."
        )
    updates = read_updates(opened.path / UPDATES)
    return RunRecord(opened.path, config, tuple(episodes), updates)


def direction_in(records: Sequence[RunRecord]) -> int:
    """What ranks the children of all of these runs; see ``direction_of``.

    Different rewards cannot be compared: what such runs have in common is the metric.
    """
    if len({record.reward for record in records}) > 1:
        return KNOWN.get(records[0].metric_name, 0)
    metrics = [metric for record in records for metric in record.metrics]
    rewards = [reward for record in records for reward in record.rewards]
    return direction_of(records[0].metric_name, metrics, rewards)


def best_in(records: Sequence[RunRecord]) -> Episode | None:
    """The best among the children that had the highest reward of their runs."""
    direction = direction_in(records)
    bests = [best for record in records if (best := best_of(record.episodes))]
    return max(
        bests,
        key=lambda e: direction * (e.metric or 0.0) if direction else e.reward,
        default=None,
    )


def read_updates(path: Path) -> dict[str, dict[int, float]]:
    """Columns of ``updates.csv``: name -> number of the row, from 1 -> value.

    Empty cells and NaN (PPO's explained variance where all rewards are equal) are left out.

    Raises:
        RunFolderError: it cannot be read.
    """
    columns: dict[str, dict[int, float]] = {}
    try:
        for number, row in enumerate(read_rows(path), 1):
            further = json.loads(row.pop(FURTHER, "") or "{}")
            for name, text in {**row, **further}.items():
                if text != "" and math.isfinite(value := float(text)):
                    columns.setdefault(name, {})[number] = value
    except (ValueError, TypeError) as error:
        raise unreadable(path, ValueError(str(error))) from error
    return columns


def group_runs(records: Sequence[RunRecord]) -> dict[str, list[RunRecord]]:
    """Runs of one environment by agent and everything that defines the experiment, by seed.

    The label is the agent's name; with what differs where an agent is there with several:
    ``reinforce:learning_rate=0.02``, ``reinforce:recipe.epochs=4``.

    Raises:
        ConfigurationError: no runs, several environments, or a seed twice in one group.
    """
    environments = sorted({record.env for record in records})
    if len(environments) != 1:
        raise ConfigurationError(
            f"Runs of one environment are compared, got {', '.join(environments) or 'none'}: name "
            "the run folders of one, and of another in a second call."
        )
    groups: dict[tuple[str, str], list[RunRecord]] = {}
    for record in records:
        key = record.agent, json.dumps(record.options, sort_keys=True)
        groups.setdefault(key, []).append(record)
    for group in groups.values():
        _check_seeds(group)
        group.sort(key=lambda record: record.seed)
    firsts = [group[0] for group in groups.values()]
    return {
        _label(group[0], [one for one in firsts if one.agent == group[0].agent]): group
        for group in groups.values()
    }


def _check_seeds(group: Sequence[RunRecord]) -> None:
    seed, count = Counter(record.seed for record in group).most_common(1)[0]
    if count > 1:
        twice = ", ".join(str(record.folder) for record in group if record.seed == seed)
        raise ConfigurationError(
            f"{count} runs of {group[0].agent} with the same options have seed {seed}: {twice}. "
            "The same seed counts once: leave out all but one."
        )


def _label(record: RunRecord, others: Sequence[RunRecord]) -> str:
    """The agent's name, with the options in which it differs from other runs of that agent."""
    differing = [
        f"{name}={json.dumps(record.options.get(name))}"
        for name in sorted({name for one in others for name in one.options})
        if any(one.options.get(name) != record.options.get(name) for one in others)
    ]
    return f"{record.agent}:{','.join(differing)}" if differing else record.agent
