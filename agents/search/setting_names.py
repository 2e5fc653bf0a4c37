"""The settings that have flags of their own: of every environment of ours and of every agent.

Nothing is listed here: the settings classes are asked.
"""

from dataclasses import fields

from agents.registry import registered_agents
from nas_env.envs.settings import ChildSettings, settings_of
from nas_env.meanings import Setting, settings_in
from nas_env.registration import REGISTRATIONS

SHARED = {field.name for field in fields(ChildSettings)} - {"failure_reward"}
"""Arguments of every id that are options of the search itself."""


def environment_settings() -> dict[str, list[tuple[str, Setting]]]:
    """Argument -> (settings class, setting) of each family of ids that has it."""
    found: dict[str, list[tuple[str, Setting]]] = {}
    for cls in _families():
        for setting in settings_in(cls):
            if setting.name not in SHARED:
                found.setdefault(setting.name, []).append((cls.__name__, setting))
    return found


def agent_settings_by_name() -> dict[str, list[tuple[str, Setting]]]:
    """Hyper-parameter -> (agent, setting) of each agent that has it."""
    found: dict[str, list[tuple[str, Setting]]] = {}
    for name, row in registered_agents().items():
        cls = row.settings_class()
        for setting in settings_in(cls) if cls else ():
            found.setdefault(setting.name, []).append((name, setting))
    return found


def environment_setting_names() -> tuple[str, ...]:
    """Names of ``environment_settings``."""
    return tuple(environment_settings())


def agent_setting_names() -> tuple[str, ...]:
    """Names of ``agent_settings_by_name``."""
    return tuple(agent_settings_by_name())


def _families() -> list[type[ChildSettings]]:
    """Settings classes of all ids of ours, each once."""
    found = (settings_of(registration.id) for registration in REGISTRATIONS)
    return [cls for cls in dict.fromkeys(found) if cls is not None]
