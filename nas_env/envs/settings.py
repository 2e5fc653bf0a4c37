"""The keyword arguments of every id, as dataclasses: one place for names, defaults and checks.

All values survive JSON, so lists are taken where tuples are meant.
"""

import difflib
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, TypeVar

import numpy as np

from nas_env.envs.lazy_evaluator import LazyEvaluator
from nas_env.errors import ConfigurationError, UnknownArgumentError
from nas_env.evaluation.evaluation import MetricName
from nas_env.evaluation.evaluator import Evaluator, MetricFunction, Task
from nas_env.evaluation.factory import EXECUTORS, make_evaluator
from nas_env.evaluation.reward import Reward
from nas_env.space.layout import SearchSpace
from nas_env.system.machine import available_cores

SettingsT = TypeVar("SettingsT", bound="ChildSettings")


@dataclass(frozen=True)
class ChildSettings(ABC):
    """How and where children are trained: arguments of every id.

    A family of ids (convolutional networks, cells) adds the arguments of its search space, and says
    which space, task, metric and reward belong together.

    Attributes:
        recipe: name (``"paper"``, ``"fast"``, ``"quick"``), dict of changes, or recipe.
        dataset: name, or path of a folder.
        data_dir: folder that holds, or will hold, the data sets known by name; None = the default.
        evaluator: ``"local"``, ``"process"``, a callable ``(architecture, seed) -> metric``, or an
            ``Evaluator``; None = ``"local"`` in a single environment, ``"process"`` in a vector
            environment.
        workers: worker processes of ``"process"``; None = as many as are of use.
        store: path of the SQLite file that keeps every metric; None = this environment's memory.
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ...
    """

    metric_name: ClassVar[MetricName]
    recipes: ClassVar[tuple[str, ...]]  # the names of the family's recipes

    recipe: Any = "quick"
    dataset: str = ""
    data_dir: str | None = None
    evaluator: str | MetricFunction | Evaluator | None = None
    workers: int | None = None
    store: str | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        self._check_evaluator()
        name = self.recipe.get("name", "quick") if isinstance(self.recipe, dict) else self.recipe
        known = name in self.recipes if isinstance(name, str) else hasattr(name, "digest")
        if not known:
            raise ConfigurationError(
                f"recipe is {name!r}; allowed: {', '.join(map(repr, self.recipes))}, or a dict of "
                f"changes to one of them, such as {{'name': 'quick', 'epochs': 2}}."
            )
        if not isinstance(self.dataset, str) or not self.dataset:
            raise ConfigurationError(
                f"dataset is {self.dataset!r}; it must be the name of a data set, or a folder."
            )
        for field in ("data_dir", "store", "device"):
            value = getattr(self, field)
            if not isinstance(value, str) and (value is not None or field == "device"):
                allowed = "'auto', 'cpu' or 'cuda'" if field == "device" else "a path or None"
                raise ConfigurationError(f"{field} is {value!r}; it must be {allowed}.")
        if self.workers is not None and (type(self.workers) is not int or self.workers < 1):
            raise ConfigurationError(
                f"workers is {self.workers!r}; it must be at least 1, or None for all cores."
            )

    def _check_evaluator(self) -> None:
        if self.evaluator is None or self.evaluator in EXECUTORS:
            return
        if not callable(self.evaluator) and not hasattr(self.evaluator, "evaluate"):
            raise ConfigurationError(
                f"evaluator is {self.evaluator!r}; allowed: {', '.join(map(repr, EXECUTORS))}, a "
                f"callable (architecture, seed) -> metric, or an Evaluator."
            )

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
                near = difflib.get_close_matches(name, allowed, 1)
                hint = f" Did you mean {near[0]!r}?" if near else ""
                raise UnknownArgumentError(
                    f"{cls.__name__} got an unexpected keyword argument {name!r}.{hint} Allowed: "
                    f"{', '.join(allowed)}, render_mode."
                )
        return cls(**{name: _frozen(value) for name, value in arguments.items()})

    @abstractmethod
    def search_space(self) -> SearchSpace[Any]:
        """The space these settings describe.

        Raises:
            ConfigurationError: settings that give no space.
        """

    @abstractmethod
    def make_task(self) -> Task:
        """How a child is trained; nothing is loaded yet."""

    @abstractmethod
    def reward(self) -> Reward:
        """``metric -> reward``."""

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


def _frozen(value: Any) -> Any:
    """Plain Python: lists as JSON gives them, paths and numbers of NumPy as users do."""
    if isinstance(value, list | np.ndarray):
        return tuple(_frozen(item) for item in value)
    if isinstance(value, np.generic):
        return value.item()
    return os.fspath(value) if isinstance(value, os.PathLike) else value
