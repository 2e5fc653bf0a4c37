"""From names and numbers to what a search needs, once: preset, recipe, settings of the agent.

``run_search`` and the command line ask the same functions, so both have the same defaults. What a
run to be resumed was started with comes before any preset.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

from agents.agent import Agent, Problem
from agents.presets import Preset
from agents.registry import agent_settings
from agents.search.play import AnyEnv
from agents.search.schedule import DepthSchedule
from agents.search.search import SearchSettings
from nas_env.checks import shown
from nas_env.envs.settings import ChildSettings, settings_of
from nas_env.errors import ConfigurationError
from nas_env.system.reading import reason, strict_json
from nas_env.training.recipe_choice import recipe_from_text

Config = Mapping[str, Any]
"""``config.json`` of a run to be resumed; empty for a new one."""


def family_of(settings: ChildSettings | None) -> str:
    """The family of presets of an environment's children; ``other`` where nothing is trained."""
    return "other" if settings is None else settings.family


def settings_given(spec: Any, arguments: Mapping[str, Any]) -> ChildSettings | None:
    """The arguments of an environment of ours, registered ones among them.

    Raises:
        ConfigurationError: an argument that cannot be.
    """
    kind = settings_of(spec)
    return None if kind is None else kind.of({**spec.kwargs, **arguments})


def further_arguments(text: str | None) -> dict[str, Any]:
    """Keyword arguments of an environment from a JSON object.

    Raises:
        ConfigurationError: it is none.
    """
    try:
        found = {} if text is None else strict_json(text)
    except ValueError as error:
        found = reason(error)
    if not isinstance(found, dict):
        raise ConfigurationError(
            '--arguments must be a JSON object such as \'{"table": "my.npz"}\', got '
            f"{shown(text)}."
        )
    return found


def family_of_environment(env: AnyEnv) -> str:
    """The family of an environment that is there."""
    return family_of(getattr(env.unwrapped, "settings", None))


def environment_arguments(
    spec: Any, preset: Preset, given: Mapping[str, Any], stored: Config
) -> dict[str, Any]:
    """Keyword arguments of an environment by id: what was given, the preset's recipe and depth.

    The recipe is resolved in full and its numerics are chosen, and so is the reward. A run to be
    resumed keeps the recipe that it was started with, whatever its name means by now and whatever
    is fastest here.

    Raises:
        ConfigurationError: a recipe or an argument that cannot be.
        DatasetNotFoundError, InvalidDatasetError: before any worker starts.
    """
    given = {name: value for name, value in given.items() if value is not None}
    settings = settings_given(spec, given)
    if settings is not None and settings.reward is not None:
        given["reward"] = settings.reward_json()
    if settings is None or family_of(settings) == "other":
        return given
    names = {field.name for field in fields(settings)}
    if "num_layers" in names and "num_layers" not in {**given, **spec.kwargs}:
        given |= {} if preset.num_layers is None else {"num_layers": preset.num_layers}
    recipe = given.get("recipe", preset.recipe)
    pinned = stored.get("environment", {}).get("recipe")
    as_before = isinstance(pinned, dict) and recipe == _asked_before(stored, preset)
    if as_before:
        recipe = pinned
    elif isinstance(pinned, dict) and "numerics" in pinned:
        changes = {"name": recipe} if isinstance(recipe, str) else dict(recipe)
        recipe = {"numerics": pinned["numerics"], **changes}
    task: Any = replace(settings, recipe=recipe).make_task()
    task.key()
    return {**given, "recipe": recipe if as_before else task.recipe}


def _asked_before(stored: Config, preset: Preset) -> Any:
    """The recipe as the command line of the run to be resumed gave it."""
    command = stored.get("command")
    text = command.get("recipe") if isinstance(command, Mapping) else None
    return preset.recipe if text is None else recipe_from_text(text)


def search_settings(preset: Preset, stored: Config, **given: Any) -> SearchSettings:
    """Budget and steps: what was given, else those of the run to be resumed, else the preset's."""
    children, hours = given.pop("children"), given.pop("hours")
    if children is None and hours is None:
        source: Any = stored if "children" in stored else vars(preset)
        children, hours = source.get("children"), source.get("hours")
    per_update = given.pop("children_per_update")
    if per_update is None:
        per_update = stored.get("children_per_update", preset.children_per_update)
    return SearchSettings(children=children, hours=hours, children_per_update=per_update, **given)


def depth_schedule(preset: Preset, env: AnyEnv, stored: Config) -> DepthSchedule | None:
    """The schedule of the run to be resumed, else the preset's where the space is deep enough."""
    if "schedule" in stored:
        return DepthSchedule(**stored["schedule"]) if stored["schedule"] else None
    schedule, space = preset.schedule, getattr(env.unwrapped, "search_space", None)
    if schedule is None or space is None or space.max_layers < schedule.last:
        return None
    return schedule


def settings_for(
    agent: str | Callable[[Problem, int], Agent],
    preset: Preset,
    given: Mapping[str, Any],
    stored: Config,
) -> Any:
    """The agent's hyper-parameters: those given over the stored run's, or over the preset's.

    Returns:
        Its settings; None for an agent without any, and for a user's own.

    Raises:
        ConfigurationError: an unknown agent or option, a value that cannot be.
    """
    if isinstance(agent, str):
        agent_settings(agent, given)  # a wrong option is named as such
        before = stored.get("agent_options") if stored.get("agent") == agent else None
        return agent_settings(agent, {**(before or preset.options(agent)), **given})
    if not callable(agent):
        raise ConfigurationError(
            f"agent must be a name, a subclass of Agent or a function (problem, seed) -> agent, "
            f"got {agent!r}."
        )
    if given:
        raise ConfigurationError(
            f"Options {sorted(given)} go with an agent's name; give them to your own agent in a "
            "function (problem, seed) -> agent."
        )
    return None
