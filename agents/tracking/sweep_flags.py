"""Flags as a wandb sweep spells them: every value as text, ``--progress=False``."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from nas_env.errors import ConfigurationError

TRUTH = {"true": True, "false": False}


def plain_flags(arguments: Sequence[str], options: type[Any]) -> list[str]:
    """Spell ``--flag=True`` as ``--flag`` and ``--flag=False`` as ``--no-flag``.

    Args:
        arguments: a command line.
        options: the dataclass it is for; only its booleans are respelled.

    Raises:
        ConfigurationError: a boolean with another value.
    """
    switches = {field.name for field in fields(options) if field.type in (bool, "bool")}
    return [_plain(word, switches) for word in arguments]


def _plain(word: str, switches: set[str]) -> str:
    flag, equals, value = word.partition("=")
    name = flag.removeprefix("--").replace("-", "_")
    if not equals or not flag.startswith("--") or name not in switches:
        return word
    if value.lower() not in TRUTH:
        raise ConfigurationError(f"{flag} must be True or False, got {value!r}.")
    return f"--{'' if TRUTH[value.lower()] else 'no-'}{name.replace('_', '-')}"
