"""The options of a search: what a command line, a sweep or a stored run asks for, in groups.

Arguments of environments and hyper-parameters of agents are no fields here: they stand in the
settings classes of those, and are kept as the mapping of what was given.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from agents.search.setting_names import agent_setting_names, environment_setting_names
from nas_env.checks import above, at_least, check_settings
from nas_env.evaluation.named_reward import reward_from_text
from nas_env.system.folders import user_path
from nas_env.training.recipe_choice import recipe_from_text

Tracker = Literal["no", "wandb", "tensorboard"]


@dataclass(frozen=True)
class What:
    """What is searched, and by whom.

    Attributes:
        agent: who searches: reinforce, random, evolution, screen, gp or hybrid; of
            Stable-Baselines3 ppo, a2c, maskable_ppo or recurrent_ppo; or one that another
            distribution brings.
        env: id of the environment. Default: NAS-CIFAR10-v0 if CIFAR-10 is on disk or can be
            downloaded, else NAS-Digits-v0.
        preset: budget, recipe and hyper-parameters that belong together: quick (two CPU cores,
            minutes), fast (one GPU, hours) or paper; agents/presets.py holds all numbers.
        recipe: how children are trained: quick, fast, paper, or a JSON object of changes such as
            '{"name": "quick", "epochs": 2}'. Default: the preset's.
        dataset: name, or path of a folder with your own images (train/CLASS/*.png) or text, or a
            JSON object such as '{"folder": "pets", "image_size": 32}', which brings images to one
            size. Default: the environment's.
        reward: what a child is worth: a name such as accuracy or accuracy_cubed, or a JSON object
            with settings such as '{"name": "cost_aware", "cost": "macs", "target": 2e7}'. Default:
            the paper's of the metric.
        arguments: further keyword arguments of the environment as a JSON object: for ids that are
            not ours, whose arguments have no flags.
        seed: run seed: the same seed gives the same search.
    """

    agent: str = "reinforce"
    env: str | None = None
    preset: str = "quick"
    recipe: str | None = None
    dataset: str | None = None
    reward: str | None = None
    arguments: str | None = None
    seed: Annotated[int, at_least(0)] = 0

    def recipe_value(self) -> str | dict[str, Any] | None:
        """The recipe's name, or its changes as a dict.

        Raises:
            ConfigurationError: it looks like JSON but is not.
        """
        return None if self.recipe is None else recipe_from_text(self.recipe)

    def reward_value(self) -> str | dict[str, Any] | None:
        """The reward's name, or its settings as a dict.

        Raises:
            ConfigurationError: it looks like JSON but is not.
        """
        return None if self.reward is None else reward_from_text(self.reward)


@dataclass(frozen=True)
class Budget:
    """How long.

    Attributes:
        children: stop after so many children. Default: the preset's.
        hours: stop after so many hours, all resumes together. Default: the preset's; no limit if
            it has none.
        children_per_update: architectures per update of the agent (m). Default: the preset's.
        resume: continue the run in --run-dir with its own settings; other settings given are
            refused, except a larger budget and where children are trained.
        retry_failed: first forget stored failures that may pass (out of memory, timeout, lost
            worker, error), so that those children are trained again.
    """

    children: Annotated[int | None, at_least(1)] = None
    hours: Annotated[float | None, above(0)] = None
    children_per_update: Annotated[int | None, at_least(1)] = None
    resume: bool = False
    retry_failed: bool = False


@dataclass(frozen=True)
class Place:
    """Where.

    Attributes:
        run_dir: folder to record the run in. Default: runs/ENV-AGENT-SEED-TIME.
        store: SQLite file that keeps every finished child, shared by all runs. Default:
            store.sqlite beside the run folder.
        data_dir: folder where data sets known by name are, or are downloaded to. Default:
            NAS_ENV_DATA, else the cache folder.
        evaluator: where children are trained: process (workers, with hard limits) or local (this
            process).
        workers: worker processes. Default: as many as there are cores, at most one per child of an
            update.
        device: auto, cpu, cuda, cuda:1, ...
    """

    run_dir: Path | None = None
    store: Path | None = None
    data_dir: Path | None = None
    evaluator: str = "process"
    workers: Annotated[int | None, at_least(1)] = None
    device: str = "auto"

    def __post_init__(self) -> None:
        """Paths as people write them."""
        for name in _PATHS:
            given = getattr(self, name)
            object.__setattr__(self, name, None if given is None else user_path(given))


@dataclass(frozen=True)
class Watching:
    """What is shown and recorded besides the run folder.

    Attributes:
        progress: show progress: a bar on a terminal, lines elsewhere.
        track: also record the search with wandb (Weights & Biases; offline where no account is set
            up) or tensorboard. --track alone means wandb. A run that a sweep starts is always
            recorded.
    """

    progress: bool = True
    track: Tracker = "no"


_PATHS = ("run_dir", "store", "data_dir")
_RENAMED = {"executor": "evaluator"}
"""Names in the configuration of older runs -> names today."""


@dataclass(frozen=True)
class TrainOptions:
    """Search for networks: an agent writes architectures, their children are trained.

    Attributes:
        what: what is searched, by whom.
        budget: how long.
        place: where.
        watching: what is shown.
        environment: arguments of the environment that were given.
        agent: hyper-parameters of the agent that were given.
    """

    what: What = field(default_factory=What)
    budget: Budget = field(default_factory=Budget)
    place: Place = field(default_factory=Place)
    watching: Watching = field(default_factory=Watching)
    environment: Mapping[str, Any] = field(default_factory=dict)
    agent: Mapping[str, Any] = field(default_factory=dict)

    def check(self) -> None:
        """Refuse what cannot be, before anything is opened.

        Raises:
            ConfigurationError: naming the option.
        """
        for name in GROUPS:
            check_settings(getattr(self, name))

    def changed(self, **values: Any) -> "TrainOptions":
        """The same with some options of the groups changed, by their own names."""
        groups = {
            name: replace(
                getattr(self, name),
                **{key: values.pop(key) for key in list(values) if key in names},
            )
            for name, names in _GROUP_FIELDS.items()
        }
        assert not values, f"no options {sorted(values)}"
        return replace(self, **groups)

    def flat(self) -> dict[str, Any]:
        """Every option by its own name, given arguments and hyper-parameters among them."""
        groups = {k: v for name in GROUPS for k, v in vars(getattr(self, name)).items()}
        return {**groups, **self.environment, **self.agent}

    def to_json(self) -> dict[str, Any]:
        """JSON-able, for the run's configuration."""
        return {k: str(v) if isinstance(v, Path) else _plain(v) for k, v in self.flat().items()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "TrainOptions":
        """Read what ``to_json`` wrote, also of older versions; what is not known is left out."""
        given = {_RENAMED.get(name, name): value for name, value in values.items()}
        if isinstance(given.get("track"), bool):
            given["track"] = "wandb" if given["track"] else "no"
        for name in _PATHS:
            given[name] = None if given.get(name) is None else Path(given[name])
        return cls.of(**given)

    @classmethod
    def of(cls, **values: Any) -> "TrainOptions":
        """From flat names; unknown ones, and arguments that are None, are left out."""
        groups: dict[str, Any] = {
            name: kind(**{key: values[key] for key in _GROUP_FIELDS[name] if key in values})
            for name, kind in GROUPS.items()
        }
        rest = {k: _frozen(v) for k, v in values.items() if v is not None}
        environment = {k: rest[k] for k in environment_setting_names() if k in rest}
        agent = {k: rest[k] for k in agent_setting_names() if k in rest}
        return cls(**groups, environment=environment, agent=agent)

    def repeat_command(self, program: str = "nas-env train") -> str:
        """The command line that gives this search again, in another folder."""
        default, words = TrainOptions().flat(), shlex.split(program)
        for name, value in self.flat().items():
            if value is None or value == default.get(name) or name in ("run_dir", "store"):
                continue
            flag = f"--{name.replace('_', '-')}"
            if isinstance(value, bool) and name in default:
                words.append(flag if value else f"--no-{flag[2:]}")
            else:
                words += [flag, *map(str, value if isinstance(value, tuple) else (value,))]
        return shlex.join(words)


GROUPS: dict[str, Any] = {"what": What, "budget": Budget, "place": Place, "watching": Watching}
_GROUP_FIELDS = {name: {one.name for one in fields(kind)} for name, kind in GROUPS.items()}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
