"""The settings of an agent as a table, read from the dataclass that declares them."""

from agents.registry import find_agent
from nas_env.meanings import Setting, settings_in


def settings_text(agent: str) -> str:
    """A line a setting: its name, default, what is allowed, and what it means.

    Raises:
        ConfigurationError: there is no such agent.
    """
    settings = find_agent(agent).settings_class()
    if settings is None:
        return "It has no settings."
    lines = ["| setting | default | allowed | meaning |", "|---|---|---|---|"]
    return "\n".join([*lines, *(_line(setting) for setting in settings_in(settings))])


def _line(setting: Setting) -> str:
    meaning = setting.meaning.replace("``", "`").replace("|", "\\|")
    return f"| `{setting.name}` | {setting.default} | {setting.allowed} | {meaning} |"
