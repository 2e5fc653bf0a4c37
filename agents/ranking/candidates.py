"""Recipes to compare, as a command line gives them, and the networks they train.

A recipe is identified by what it states beyond the defaults of its class, not by the keys of the
project's stores: a recipe that gains a field with a harmless default is still the same one, so
trainings of last month still count.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from functools import cached_property
from typing import Any

import gymnasium as gym
import numpy as np

from agents.search.environment import find_spec
from nas_env.envs.settings import ChildSettings
from nas_env.envs.task_env import TaskEnv
from nas_env.errors import ConfigurationError
from nas_env.evaluation.seeding import compact_json
from nas_env.tasks.child_task import ChildTask
from nas_env.training.recipe_choice import recipe_from_text

NOT_OF_A_METRIC = ("name", "time_limit_s")


@dataclass(frozen=True)
class Candidate:
    """One recipe.

    Attributes:
        given: as the user wrote it.
        task: trains with it, without a limit of time.
    """

    given: str
    task: ChildTask[Any, Any, Any]

    @cached_property
    def stated(self) -> dict[str, Any]:
        """What differs from the defaults of the recipe's class: its identity."""
        recipe = self.task.recipe
        stated = {}
        values = asdict(recipe)
        for field in fields(recipe):
            default = field.default
            if default is MISSING and field.default_factory is not MISSING:
                default = asdict(field.default_factory())
            if field.name not in NOT_OF_A_METRIC and values[field.name] != default:
                stated[field.name] = values[field.name]
        return stated

    @property
    def full(self) -> dict[str, Any]:
        """Every setting."""
        return asdict(self.task.recipe)

    @cached_property
    def key(self) -> str:
        """16 hex digits of ``stated``."""
        return digest(self.stated)

    def seed(self, network: tuple[int, ...], repeat: int) -> int:
        """A child's own seed: of network, recipe and repeat, whatever the arithmetic."""
        stated = {name: value for name, value in self.stated.items() if name != "numerics"}
        return int(digest([list(network), stated, repeat]), 16) >> 1


def digest(value: Any) -> str:
    """16 hex digits of the SHA-256 of a JSON-able value."""
    return hashlib.sha256(compact_json(value).encode()).hexdigest()[:16]


def settings_of(env: str, arguments: Mapping[str, Any]) -> ChildSettings:
    """The settings of an id whose children are trained.

    Raises:
        ConfigurationError: no such id, or one that trains nothing.
    """
    find_spec(env)
    made = gym.make(env, **arguments)
    try:
        if not isinstance(made.unwrapped, TaskEnv):
            raise ConfigurationError(f"{env} trains no children: no recipe can be measured on it.")
        return made.unwrapped.settings
    finally:
        made.close()


def candidate(text: str, settings: ChildSettings, numerics: str | None = None) -> Candidate:
    """The recipe that a text means: a name, or a JSON object of changes.

    Args:
        text: such as ``quick`` or ``{"name": "quick", "resolution": 8, "width": 0.5}``.
        settings: of the environment.
        numerics: for a recipe that names none.

    Raises:
        ConfigurationError: unknown name or setting, or a value out of range.
    """
    read = recipe_from_text(text)
    changes: dict[str, Any] = {"name": read} if isinstance(read, str) else dict(read)
    if numerics is not None:
        changes.setdefault("numerics", numerics)
    changes["time_limit_s"] = None  # by the wall clock: on a busy machine it would decide
    task = replace(settings, recipe=changes, device="cpu").make_task()
    assert isinstance(task, ChildTask)
    made = Candidate(text, task)
    made.key  # noqa: B018 - a mistyped recipe fails before any child trains
    return made


def draw_networks(settings: ChildSettings, count: int, seed: int) -> list[tuple[int, ...]]:
    """Different random members of the space; more of them begin with the same ones."""
    space = settings.search_space()
    found: dict[str, tuple[int, ...]] = {}
    for attempt in range(100 * count):
        tokens = space.sample(np.random.default_rng([seed, attempt]))
        found.setdefault(json.dumps(space.decode(tokens).canonical().to_json()), tokens)
        if len(found) == count:
            return list(found.values())
    raise ConfigurationError(
        f"networks is {count}; only {len(found)} different ones were found in this space. Ask for "
        "fewer."
    )
