"""The one table of agents, and how one is made from its name and options."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from importlib import import_module
from typing import Any

from agents.agent import Agent, Problem
from nas_env.errors import ConfigurationError

AGENTS = ("reinforce", "random", "evolution")
"""Ours. ``agent_names`` also has those that were registered."""

Named = str | type[Any] | None
"""A class, or "module:class" of one that is imported when it is needed."""

_TABLE: dict[str, tuple[Named, Named]] = {  # name -> (agent, settings)
    "reinforce": (
        "agents.reinforce.agent:ReinforceAgent",
        "agents.reinforce.settings:ReinforceSettings",
    ),
    "random": ("agents.random_search:RandomSearchAgent", None),
    "evolution": ("agents.evolution:EvolutionAgent", "agents.evolution:EvolutionSettings"),
}


def register_agent(name: str, agent: Named, settings: Named = None) -> None:
    """Make an agent known by name, to ``run_search`` and every script that this process runs.

    Args:
        name: its name.
        agent: subclass of ``Agent`` or its "module:class"; called as ``agent(problem, seed)``, or
            ``agent(problem, seed, settings)`` if it has settings.
        settings: frozen dataclass of its hyper-parameters, with defaults; None = it has none.

    Raises:
        ConfigurationError: another agent has that name.
    """
    if _TABLE.setdefault(name, (agent, settings)) != (agent, settings):
        raise ConfigurationError(f"There is an agent {name!r} already: choose another name.")


def register_agents(agents: Mapping[str, tuple[Named, Named]]) -> None:
    """``register_agent`` for a table of name -> (agent, settings)."""
    for name, (agent, settings) in agents.items():
        register_agent(name, agent, settings)


def agent_names() -> tuple[str, ...]:
    """All names, ours first."""
    return tuple(_TABLE)


def unknown_agent(name: Any) -> str:
    """Message for a name that no agent has."""
    message = unknown("agent", name, agent_names())
    if len(_TABLE) > len(AGENTS):
        return message
    return f"{message} Those of Stable-Baselines3: first register_agents(baselines.table.AGENTS)."


def make_agent(
    name: str, problem: Problem, seed: int = 0, options: Mapping[str, Any] | None = None
) -> Agent:
    """An agent by name.

    Args:
        name: one of ``agent_names()``.
        problem: what it will play.
        seed: seed of the search.
        options: hyper-parameters that differ from the defaults (``ReinforceSettings``,
            ``EvolutionSettings``).

    Raises:
        ConfigurationError: an unknown name or option, or a value that cannot be.
    """
    settings = agent_settings(name, options or {})
    make, made_with = _resolve(_TABLE[name][0]), [] if settings is None else [settings]
    agent: Agent = make(problem, seed, *made_with)
    return agent


def agent_settings(name: str, options: Mapping[str, Any]) -> Any:
    """The settings dataclass of an agent, None for one without hyper-parameters.

    Raises:
        ConfigurationError: an unknown name or option, or a value that cannot be.
    """
    settings = _settings_class(name)
    known = [field.name for field in fields(settings)] if settings else []
    for option in options:
        if option not in known:
            kind = f"hyper-parameter of agent {name!r}"
            raise ConfigurationError(unknown(kind, option, known))
    return settings(**options) if settings else None


def resolved_options(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """All hyper-parameters of an agent, defaults included; JSON-able."""
    settings = agent_settings(name, options)
    return asdict(settings) if settings else {}


def unknown(kind: str, name: Any, known: Sequence[str]) -> str:
    """The message for a name that is not known, with the near miss."""
    near = difflib.get_close_matches(str(name), known, 1, 0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    allowed = ", ".join(map(repr, known)) or "none"
    return f"Unknown {kind}: {name!r}.{hint} Allowed: {allowed}."


def _settings_class(name: str) -> Any:
    if name not in _TABLE:
        raise ConfigurationError(unknown_agent(name))
    return _resolve(_TABLE[name][1])


def _resolve(named: Named) -> Any:
    """The class itself."""
    if not isinstance(named, str):
        return named
    module, _, name = named.partition(":")
    return getattr(import_module(module), name)
