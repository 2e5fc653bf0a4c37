"""Opening the environment of a search, and describing it for the run's configuration."""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, astuple, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import gymnasium as gym
from gymnasium.vector import VectorEnv

import nas_env
from agents.registry import unknown
from agents.search.play import AnyEnv
from nas_env.envs.lazy_evaluator import LazyEvaluator
from nas_env.envs.settings import ChildSettings
from nas_env.errors import ConfigurationError
from nas_env.evaluation.evaluator import TellsOfChildren
from nas_env.evaluation.named_reward import NamedReward, reward_json
from nas_env.space.layout import Layout
from nas_env.system.folders import user_path

RESOURCES = ("evaluator", "workers", "store", "data_dir", "device", "render_mode")
"""Keyword arguments that say where children are trained, not what they are."""
STORE = "store.sqlite"
"""Name of the store that all runs in one folder share."""


def open_environment(
    env: str | AnyEnv | Callable[[], AnyEnv],
    num_envs: int,
    run_dir: str | Path | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> AnyEnv:
    """The environment that ``run_search`` was given, made where it must be.

    An id of ours becomes a vector environment, so that children of a batch train side by side; with
    a run folder its store lies beside the folder, so that nothing finished is lost.

    Raises:
        ConfigurationError: an unknown id, or something that is no environment.
    """
    if isinstance(env, gym.Env | VectorEnv):
        return env
    if callable(env):
        made = env()
        if not isinstance(made, gym.Env | VectorEnv):
            raise ConfigurationError(f"The factory returned no environment but {made!r}.")
        return made
    if not isinstance(env, str):
        raise ConfigurationError(
            f"env must be an id, an environment or a function that makes one, got {env!r}."
        )
    spec = find_spec(env)
    options = dict(arguments or {})
    if run_dir is not None and spec.id in our_ids():
        options.setdefault("store", str(user_path(run_dir).resolve().parent / STORE))
    try:
        if spec.vector_entry_point is not None:
            return gym.make_vec(spec, num_envs=num_envs, **options)
        return gym.make(spec, **options)
    except (TypeError, ImportError, gym.error.Error) as error:  # another package's environment
        given = ", ".join(f"{name}={value!r}" for name, value in options.items()) or "none"
        raise ConfigurationError(
            f"{env} cannot be made: {error}. Arguments: {given}. Give only those that it takes, or "
            f"choose one of ours: {', '.join(our_ids())}."
        ) from error


def open_evaluator(env: AnyEnv) -> None:
    """Open what children need, where the environment is ours: now, not with the first child.

    Raises:
        StoreError: the store cannot be opened or written.
    """
    evaluator = getattr(env.unwrapped, "evaluator", None)
    if isinstance(evaluator, LazyEvaluator):
        evaluator.open()


@contextlib.contextmanager
def children_counted(env: AnyEnv, count: Callable[[], None]) -> Iterator[None]:
    """Call ``count`` as each child of a batch finishes, where the environment's evaluator tells.

    Args:
        env: an environment; the evaluators of ours tell, a foreign one's children come at once.
        count: what to call, once per child.
    """
    evaluator = getattr(env.unwrapped, "evaluator", None)
    if not isinstance(evaluator, TellsOfChildren):
        yield
        return
    before, evaluator.on_finished = evaluator.on_finished, lambda _: count()
    try:
        yield
    finally:
        evaluator.on_finished = before


def find_spec(env_id: str) -> Any:
    """Gymnasium's specification of an id; ``module:id`` imports the module that registers it.

    Raises:
        ConfigurationError: no such id, with the near miss.
    """
    module, _, name = env_id.rpartition(":")
    try:
        if module:
            import_module(module)
        return gym.spec(name)
    except (gym.error.Error, ModuleNotFoundError) as error:
        known = our_ids()
        raise ConfigurationError(unknown("environment", env_id, known)) from error


def our_ids() -> list[str]:
    """The ids that this project registers."""
    package = nas_env.__name__
    return [
        name
        for name, spec in gym.registry.items()
        if isinstance(spec.entry_point, str) and spec.entry_point.startswith(f"{package}.")
    ]


def describe_environment(env: AnyEnv) -> dict[str, Any]:
    """What the run's configuration says of an environment: its name, arguments, metric."""
    spec = getattr(env, "spec", None)
    inner: Any = env.unwrapped
    arguments = {} if spec is None else dict(spec.kwargs)
    for key in ("max_episode_steps", "vectorization_mode", "vector_kwargs", "num_envs"):
        arguments.pop(key, None)
    if "dataset" in arguments:  # images in memory: their digest and shape
        settings = getattr(inner, "settings", None)
        arguments["dataset"] = getattr(settings, "recorded_dataset", arguments["dataset"])
    return {
        "env": type(inner).__name__ if spec is None else spec.id,
        "metric_name": str(getattr(inner, "metric_name", "metric")),
        "environment": {k: plain(v) for k, v in arguments.items() if k not in RESOURCES},
        "resources": {k: plain(v) for k, v in arguments.items() if k in RESOURCES},
    }


def pinned_numerics(env: AnyEnv) -> dict[str, Any]:
    """The arithmetic that children of an environment of ours are trained in, chosen for its device.

    Returns:
        ``{"numerics": ...}``, or nothing where a user's function measures children.
    """
    settings = getattr(env.unwrapped, "settings", None)
    if not isinstance(settings, ChildSettings) or settings.family == "other":
        return {}
    if settings.evaluator is not None and not isinstance(settings.evaluator, str):
        return {}
    numerics = getattr(getattr(settings.make_task(), "recipe", None), "numerics", None)
    return {"numerics": numerics} if isinstance(numerics, str) else {}


def own_positions(env: AnyEnv, layout: Layout | None) -> dict[str, Any]:
    """What tokens mean in an environment that is not ours, for drawing the run later on.

    Returns:
        ``{"positions": [[name, options, kind, layer, source], ...]}``, or nothing for our ids,
        which can be made again, and for environments that do not tell.
    """
    spec = getattr(env, "spec", None)
    if layout is None or (spec is not None and spec.id in our_ids()):
        return {}
    return {"positions": [plain(list(astuple(position))) for position in layout]}


def plain(value: Any) -> Any:
    """A JSON-able stand-in: the value itself, a dataclass's fields, or for a function its name."""
    if isinstance(value, NamedReward):
        return reward_json(value)
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    try:
        return json.loads(json.dumps(value))
    except TypeError:
        return getattr(value, "__qualname__", type(value).__name__)
