"""``agents.run_search``: the search as a function."""

from collections.abc import Callable
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import gymnasium as gym
from gymnasium.vector import VectorEnv

from agents.presets import find_preset
from agents.records.episode import SearchResult
from agents.records.run_folder import RunFolder
from agents.search.environment import find_spec, open_environment
from agents.search.play import AnyEnv
from agents.search.resolve import (
    depth_schedule,
    environment_arguments,
    family_of,
    family_of_environment,
    search_settings,
    settings_for,
    settings_given,
)
from agents.search.schedule import DepthSchedule
from agents.search.search import AgentFactory, Search
from nas_env.data.datasets import DatasetGiven, data_given
from nas_env.errors import ConfigurationError


def run_search(  # the contract's signature; everything optional has a name
    env: str | AnyEnv | Callable[[], AnyEnv],
    agent: str | AgentFactory = "reinforce",
    children: int | None = None,
    children_per_update: int | None = None,
    seed: int = 0,
    run_dir: str | Path | None = None,
    *,
    preset: str = "quick",
    hours: float | None = None,
    schedule: DepthSchedule | None = None,
    resume: bool = False,
    progress: bool = False,
    dataset: DatasetGiven = None,
    **agent_options: Any,
) -> SearchResult:
    """Search: let an agent write architectures and learn from what their children are worth.

    Args:
        env: an id, an environment, a vector environment, or a function that makes one. What is
            made here is closed here.
        agent: ``"reinforce"``, ``"random"``, ``"evolution"``, or another name of
            ``agents.registry.agent_names()`` such as ``"ppo"``; or your own: a subclass of
            ``Agent``, or a function ``(problem, seed) -> agent``.
        children: budget in children; None = the preset's, unless ``hours`` is given.
        children_per_update: architectures per update of the agent; None = the preset's: 8, but 10
            for recurrent cells under ``"paper"``.
        seed: run seed; the same seed gives the same episodes.
        run_dir: folder to record the run in; None = no record, no resume.
        preset: ``"quick"`` (minutes), ``"fast"`` (hours) or ``"paper"``, as on the command line:
            hyper-parameters, budget and depth schedule where none are given and, where ``env`` is
            an id, recipe and depth of its children. All numbers are in ``agents/presets.py``.
        hours: budget in hours, instead of or beside ``children``.
        schedule: depth of the children by how many there were; None = the preset's.
        resume: continue the run in ``run_dir`` with its settings.
        progress: show progress.
        dataset: where ``env`` is an id, what its children are trained on: a name, a path, or images
            in memory such as ``(images, labels)``; None = the environment's own.
        **agent_options: hyper-parameters that differ from the preset's, see ``ReinforceSettings``
            and ``EvolutionSettings``.

    Returns:
        All episodes and the best; those from before a resume included.

    Raises:
        ConfigurationError: an unknown name, or a value that cannot be.
        RunFolderError: the folder holds another run, or cannot be written.
        CheckpointError: the checkpoint to resume from is damaged.
    """
    budget = {"children": children, "hours": hours, "children_per_update": children_per_update}
    stored = RunFolder(run_dir).read_config(resume=True) if resume and run_dir is not None else {}
    settings_for(agent, find_preset(preset, "other"), agent_options, stored)  # before all is made
    made, family = _opened(env, preset, children_per_update, run_dir, stored, dataset)
    with nullcontext() if made is env else closing(made):
        chosen = find_preset(preset, family)
        own = settings_for(agent, chosen, agent_options, stored)
        depth = schedule or depth_schedule(chosen, made, stored)
        how = {"seed": seed, "schedule": depth, "resume": resume, "progress": progress}
        settings = search_settings(chosen, stored, **budget, **how)
        return Search(made, agent, settings, run_dir, own).run()


def _opened(
    env: str | AnyEnv | Callable[[], AnyEnv],
    preset: str,
    per_update: int | None,
    run_dir: str | Path | None,
    stored: dict[str, Any],
    dataset: DatasetGiven,
) -> tuple[AnyEnv, str]:
    """The environment, and its family of presets."""
    data = {} if dataset is None else {"dataset": data_given(dataset)}
    if not isinstance(env, str) or isinstance(env, gym.Env | VectorEnv):
        if data:
            raise ConfigurationError(
                "dataset goes with the id of an environment; give it to gym.make where you make "
                "one yourself."
            )
        made = open_environment(env, per_update or 8, run_dir)
        return made, family_of_environment(made)
    spec, arguments = find_spec(env), {**stored.get("environment", {}), **data}
    family = family_of(settings_given(spec, arguments))
    chosen = find_preset(preset, family)
    if not stored:
        arguments = environment_arguments(spec, chosen, data, stored)
    size = per_update or stored.get("children_per_update", chosen.children_per_update)
    return open_environment(env, size, run_dir, arguments), family
