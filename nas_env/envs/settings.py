"""The keyword arguments of every id, as dataclasses: one place for names, defaults and checks.

All values survive JSON, so lists are taken where tuples are meant.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from importlib import import_module
from typing import Annotated, Any, ClassVar, TypeVar

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import EnvSpec, load_env_creator

from nas_env.checks import at_least, between, check_settings, near_miss, require, shown
from nas_env.data.datasets import Dataset, data_given
from nas_env.envs.lazy_evaluator import LazyEvaluator
from nas_env.errors import UnknownArgumentError
from nas_env.evaluation.evaluation import MetricName
from nas_env.evaluation.evaluator import Evaluator, MetricFunction, Task
from nas_env.evaluation.factory import EXECUTORS, make_evaluator
from nas_env.evaluation.named_reward import Reward, chosen_reward, reward_json
from nas_env.space.layout import SearchSpace
from nas_env.system.machine import available_cores
from nas_env.tasks.kind import Family, Kind

SettingsT = TypeVar("SettingsT", bound="ChildSettings")


@dataclass(frozen=True)
class ChildSettings(ABC):
    """How and where children are trained: arguments of every id.

    A family of ids (convolutional networks, cells) names its kind of child, which has metric, task
    and recipes, and adds the arguments of its search space and its own reward.

    Attributes:
        recipe: name (``"paper"``, ``"fast"``, ``"quick"``), dict of changes, or recipe.
        dataset: name, path of a folder, images in memory (``(images, labels)``, a torch
            ``Dataset``), or a dict of these and settings: ``{"folder": "pets", "image_size": 32}``.
        reward: what a child is worth: a name (``"accuracy_cubed"``), a dict of a name and its
            settings (``{"name": "cost_aware", "cost": "macs", "target": 2e7}``), or a function
            ``metric -> reward``; None = the paper's of the metric.
        data_dir: folder that holds, or will hold, the data sets known by name; None = the default.
        evaluator: ``"local"``, ``"process"``, a callable ``(architecture, seed) -> metric``, or an
            ``Evaluator``; None = ``"local"`` in a single environment, ``"process"`` in a vector
            environment.
        workers: worker processes of ``"process"``; None = as many as are of use.
        store: path of the SQLite file that keeps every metric; None = this environment's memory.
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ...
        failure_reward: reward of a child that failed; None = that of the worst metric.
    """

    kind: ClassVar[Kind[Any]]

    recipe: Any = "quick"
    dataset: Any = ""
    reward: Any = None
    data_dir: str | None = None
    evaluator: str | MetricFunction | Evaluator | None = None
    workers: Annotated[int | None, at_least(1)] = None
    store: str | None = None
    device: str = "auto"
    failure_reward: Annotated[float | None, between(-1e9, 1e9)] = None

    def __post_init__(self) -> None:
        """Check every field."""
        check_settings(self)
        allowed = "text that names a data set or a folder, or images in memory"
        require(self.dataset not in (None, ""), "dataset", self.dataset, allowed)
        self._check_evaluator()
        name = self.recipe.get("name", "quick") if isinstance(self.recipe, dict) else self.recipe
        known = name in self.recipes if isinstance(name, str) else hasattr(name, "digest")
        allowed = f"one of {', '.join(map(repr, self.recipes))}"
        changes = "a dict of changes to one of them, such as {'name': 'quick', 'epochs': 2}"
        require(known, "recipe", name, f"{allowed}, or {changes}")
        if self.reward is not None:
            chosen_reward(self.reward, self.metric_name)

    def _check_evaluator(self) -> None:
        given = self.evaluator
        known = given is None or (isinstance(given, str) and given in EXECUTORS)
        names = ", ".join(map(repr, EXECUTORS))
        others = "a callable (architecture, seed) -> metric, or an Evaluator"
        called = callable(given) or hasattr(given, "evaluate")
        require(known or called, "evaluator", given, f"one of {names}, {others}")

    @property
    def metric_name(self) -> MetricName:
        """What children are measured by."""
        return self.kind.metric_name

    @property
    def recipes(self) -> tuple[str, ...]:
        """Names of recipes."""
        return self.kind.recipes

    @property
    def looks_up(self) -> bool:
        """Whether children were trained beforehand, so that nothing is trained."""
        return False

    @property
    def family(self) -> Family:
        """Of presets for a search; ``"other"`` where nothing is trained."""
        return "other" if self.looks_up else self.kind.family

    @classmethod
    def of(cls: type[SettingsT], arguments: Mapping[str, Any]) -> SettingsT:
        """Settings from keyword arguments.

        Raises:
            UnknownArgumentError: an unknown name.
            ConfigurationError: a value that cannot be used.
        """
        allowed = [field.name for field in fields(cls)]
        for name in arguments:
            if name not in allowed:
                hint = near_miss(name, allowed)
                raise UnknownArgumentError(
                    f"{cls.__name__} got an unexpected keyword argument {shown(name)}.{hint} "
                    f"Allowed: {', '.join(allowed)}, render_mode."
                )
        data = {"dataset": data_given(arguments["dataset"])} if "dataset" in arguments else {}
        return cls(**{name: _frozen(value) for name, value in {**arguments, **data}.items()})

    @property
    def recorded_dataset(self) -> Any:
        """The data set as a run's configuration tells it: JSON."""
        given = self.dataset
        return given.recorded or given.name if isinstance(given, Dataset) else given

    @abstractmethod
    def search_space(self) -> SearchSpace[Any]:
        """The space these settings describe.

        Raises:
            ConfigurationError: settings that give no space.
        """

    def make_task(self) -> Task:
        """How a child is trained; nothing is loaded yet."""
        return self.kind.make_task(self.dataset, self.data_dir, self.recipe, self.device)

    @abstractmethod
    def default_reward(self) -> Reward:
        """The reward where none is given."""

    def reward_function(self) -> Reward:
        """What a child's evaluation is worth."""
        if self.reward is None:
            return self.default_reward()
        return chosen_reward(self.reward, self.metric_name)

    def reward_json(self) -> Any:
        """The reward with all of its settings, as JSON; None where none is given."""
        return None if self.reward is None else reward_json(self.reward_function())

    def make_evaluator(self) -> Evaluator:
        """Cache, store and executor over the task."""
        executor = str(self.evaluator or "local")
        return make_evaluator(self.make_task(), executor, workers=self.workers, store=self.store)

    def evaluator_or_callable(self) -> Evaluator | MetricFunction:
        """What the environment holds: nothing is loaded before the first child."""
        if self.evaluator is not None and not isinstance(self.evaluator, str):
            return self.evaluator
        return LazyEvaluator(self.make_evaluator, self.metric_name)

    def for_batches(self: SettingsT, num_envs: int) -> SettingsT:
        """The same with a vector environment's defaults: worker processes, no more than of use."""
        if self.evaluator not in (None, "process"):
            return self
        workers = self.workers or max(1, min(num_envs, available_cores()))
        return replace(self, evaluator="process", workers=workers)


def settings_of(env: str | EnvSpec) -> type[ChildSettings] | None:
    """The keyword arguments of an environment, as their class; None for one that is not of ours.

    ``settings_of(id).of(spec.kwargs)`` tells data set, kind of child, family of presets and whether
    children are looked up, without making the environment.

    Args:
        env: an id, perhaps ``module:id``, or its specification.

    Raises:
        gymnasium.error.Error: there is no such id.
    """
    if isinstance(env, str):
        module, _, name = env.rpartition(":")
        if module:
            import_module(module)
        env = gym.spec(name)
    entry = env.entry_point
    made = load_env_creator(entry) if isinstance(entry, str) else entry
    found = getattr(made, "settings_type", None)
    return found if isinstance(found, type) and issubclass(found, ChildSettings) else None


def _frozen(value: Any) -> Any:
    """Plain Python: lists as JSON gives them, paths and numbers of NumPy as users do."""
    if isinstance(value, list | np.ndarray):
        return tuple(_frozen(item) for item in value)
    if isinstance(value, np.generic):
        return value.item()
    return os.fspath(value) if isinstance(value, os.PathLike) else value
