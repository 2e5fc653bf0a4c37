"""The one table of agents, and how one is made from its name and options."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from agents.agent import Agent, Problem
from nas_env.errors import ConfigurationError

AGENTS = ("reinforce", "random", "evolution")


def make_agent(
    name: str, problem: Problem, seed: int = 0, options: Mapping[str, Any] | None = None
) -> Agent:
    """An agent by name.

    Args:
        name: one of ``AGENTS``.
        problem: what it will play.
        seed: seed of the search.
        options: hyper-parameters that differ from the defaults (``ReinforceSettings``,
            ``EvolutionSettings``).

    Raises:
        ConfigurationError: an unknown name or option, or a value that cannot be.
    """
    settings = agent_settings(name, options or {})
    if name == "reinforce":
        from agents.reinforce import ReinforceAgent

        return ReinforceAgent(problem, seed, settings)
    if name == "evolution":
        from agents.evolution import EvolutionAgent

        return EvolutionAgent(problem, seed, settings)
    from agents.random_search import RandomSearchAgent

    return RandomSearchAgent(problem, seed)


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
    if name == "reinforce":
        from agents.reinforce import ReinforceSettings

        return ReinforceSettings
    if name == "evolution":
        from agents.evolution import EvolutionSettings

        return EvolutionSettings
    if name == "random":
        return None
    raise ConfigurationError(unknown("agent", name, AGENTS))
