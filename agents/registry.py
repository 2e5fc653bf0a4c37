"""The one table of agents, and how one is made from its name and settings.

A distribution adds agents through the entry-point group ``nas_env.agents``: an entry names a table
of name -> ("module:class" of the agent, "module:class" of its settings or None), as
``baselines.table:AGENTS`` is. A program adds one with ``register_agent``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from agents.agent import Agent, Problem
from nas_env.checks import near_miss, shown
from nas_env.errors import ConfigurationError

Named = str | type[Any] | None
"""A class, or "module:class" of one that is imported when it is needed."""

GROUP = "nas_env.agents"
"""Entry points of distributions that bring agents."""


@dataclass(frozen=True)
class Registered:
    """One agent.

    Attributes:
        agent: subclass of ``Agent``; called as ``agent(problem, seed)``, or ``agent(problem, seed,
            settings)`` if it has settings.
        settings: frozen dataclass of its hyper-parameters, with defaults; None = it has none.
    """

    agent: Named
    settings: Named = None

    def settings_class(self) -> Any:
        """The dataclass itself, None for an agent without hyper-parameters."""
        return _resolve(self.settings)


_TABLE: dict[str, Registered] = {
    "reinforce": Registered(
        "agents.reinforce.agent:ReinforceAgent", "agents.reinforce.settings:ReinforceSettings"
    ),
    "random": Registered("agents.random_search:RandomSearchAgent"),
    "evolution": Registered(
        "agents.evolution:EvolutionAgent", "agents.evolution:EvolutionSettings"
    ),
    "screen": Registered(
        "agents.screening.screen:ScreenAgent", "agents.screening.settings:ScreenSettings"
    ),
    "gp": Registered("agents.screening.gp:GpAgent", "agents.screening.settings:GpSettings"),
    "hybrid": Registered(
        "agents.screening.hybrid:HybridAgent", "agents.screening.settings:HybridSettings"
    ),
}

AGENTS = tuple(_TABLE)
"""Ours. ``agent_names`` also has those of other distributions."""


def register_agent(name: str, agent: Named, settings: Named = None) -> None:
    """Make an agent known by name, to ``run_search`` and every command that this process runs.

    Args:
        name: its name.
        agent: subclass of ``Agent`` or its "module:class".
        settings: frozen dataclass of its hyper-parameters, with defaults; None = it has none.

    Raises:
        ConfigurationError: another agent has that name.
    """
    new = Registered(agent, settings)
    if registered_agents().get(name, new) != new:
        raise ConfigurationError(f"There is an agent {name!r} already: choose another name.")
    _TABLE[name] = new


def registered_agents() -> Mapping[str, Registered]:
    """All agents by name: ours, those of installed distributions, those registered here."""
    return {**_TABLE, **{name: row for name, row in _installed().items() if name not in _TABLE}}


def agent_names() -> tuple[str, ...]:
    """All names, ours first."""
    return tuple(registered_agents())


@cache
def _installed() -> dict[str, Registered]:
    """Agents of the entry points; ours come first where names are equal.

    Raises:
        ConfigurationError: an entry point that cannot be loaded, naming its distribution.
    """
    found: dict[str, Registered] = {}
    for entry in entry_points(group=GROUP):
        try:
            for name, (agent, settings) in entry.load().items():
                found.setdefault(name, Registered(agent, settings))
        except Exception as error:
            origin = getattr(entry.dist, "name", "unknown")
            raise ConfigurationError(
                f"The agents of the distribution {origin!r} ({entry.value}) cannot be loaded: "
                f"{error!r}. Update or uninstall it."
            ) from error
    return found


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
    return build_agent(name, problem, seed, agent_settings(name, options or {}))


def build_agent(name: str, problem: Problem, seed: int, settings: Any) -> Agent:
    """An agent by name with its settings, None for one without hyper-parameters."""
    make, made_with = _resolve(find_agent(name).agent), [] if settings is None else [settings]
    agent: Agent = make(problem, seed, *made_with)
    return agent


def find_agent(name: Any) -> Registered:
    """The row of a name.

    Raises:
        ConfigurationError: no agent has that name.
    """
    table = registered_agents()
    if name not in table:
        raise ConfigurationError(unknown("agent", name, tuple(table)))
    return table[name]


def agent_settings(name: str, options: Mapping[str, Any]) -> Any:
    """The settings of an agent, None for one without hyper-parameters.

    Raises:
        ConfigurationError: an unknown name or option, or a value that cannot be.
    """
    settings = find_agent(name).settings_class()
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
    allowed = ", ".join(map(repr, known)) or "none"
    hint = near_miss(name, known, 0.5)
    return f"Unknown {kind}: {shown(name)}.{hint} Allowed: {allowed}."


def _resolve(named: Named) -> Any:
    """The class itself."""
    if not isinstance(named, str):
        return named
    module, _, name = named.partition(":")
    return getattr(import_module(module), name)
