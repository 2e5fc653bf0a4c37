"""The command line of a search, made from the settings classes: flags, help, sweep spelling.

tyro reads dataclasses. The groups of ``agents.search.options`` become one help group each; two more
are made of what environments and agents declare, so that a new field of theirs is a flag at once.
A wandb sweep spells every value as text: ``--progress=False``, ``--filters=[24, 36]``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, make_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import tyro

from agents.search.options import GROUPS, TrainOptions
from agents.search.setting_names import agent_settings_by_name, environment_settings
from agents.search.words import command_words
from nas_env.checks import Kind, shown
from nas_env.errors import ConfigurationError
from nas_env.meanings import Setting, settings_in
from nas_env.system.reading import reason, strict_json

TITLES = {
    "compare": "what is compared",
    "what": "what",
    "budget": "how long",
    "place": "where",
    "watching": "watching",
    "environment": "the environment's arguments",
    "agent": "the agent's settings",
}
EXPLAINED = {
    **{name: (kind.__doc__ or "").partition("\n")[0] for name, kind in GROUPS.items()},
    "compare": "Agents, seeds and budget.",
    "environment": "Where none is given, what the id or the preset says. Each belongs to some ids.",
    "agent": "Where none is given, the preset's (agents/presets.py), else the default named here.",
}
ALIASES = {"evaluator": ("--executor",), "run_dir": ("--folder",)}
"""What flags were called before."""
TRUTH = {"true": True, "false": False}
_METAVARS = {int: "INT", float: "FLOAT", str: "TEXT", Path: "PATH", bool: "{True,False}"}


@dataclass(frozen=True)
class Flag:
    """One flag.

    Attributes:
        name: of the option.
        hint: its type.
        default: what it is where the flag is not given.
        help: what it means.
        aliases: other spellings.
    """

    name: str
    hint: Any
    default: Any
    help: str
    aliases: tuple[str, ...] = ()

    @property
    def annotation(self) -> Any:
        """The type as tyro wants it: with its help, without what says nothing."""
        extras: dict[str, Any] = {"help": self.help, "aliases": list(self.aliases) or None}
        if self.default is None:
            extras["help_behavior_hint"] = ""
            extras["metavar"] = _metavar(self.hint)
        return Annotated[self.hint, tyro.conf.arg(**extras)]


def parse_options(
    arguments: Sequence[str], default: TrainOptions | None = None, program: str | None = None
) -> TrainOptions:
    """The options that a command line asks for.

    Args:
        arguments: the command line, also as a sweep spells it.
        default: options of the run to resume, which flags are laid over.
        program: how the command is called, for its help.

    Raises:
        SystemExit: ``--help``, or a flag that is none; the parser has explained it.
        ConfigurationError: a value that cannot be.
    """
    groups = {name: settings_flags(kind) for name, kind in GROUPS.items()}
    groups |= {"environment": environment_flags(), "agent": agent_flags()}
    before = (default or TrainOptions()).flat()
    about = (TrainOptions.__doc__ or "").partition("\n")[0]
    options = TrainOptions.of(**parse_flags(groups, arguments, about, before, program))
    options.check()
    return options


def parse_flags(
    groups: Mapping[str, list[Flag]],
    arguments: Sequence[str],
    about: str,
    before: Mapping[str, Any] | None = None,
    program: str | None = None,
) -> dict[str, Any]:
    """Option -> value, of all groups together.

    Args:
        groups: name (see ``TITLES``) -> its flags.
        arguments: the command line, also as a sweep spells it.
        about: what the command does.
        before: values where a flag is not given, instead of its default.
        program: how the command is called, for its help.
    """
    values = before or {}
    made = {
        name: make_dataclass(
            TITLES[name],
            [(f.name, f.annotation, values.get(f.name, f.default)) for f in flags],
            namespace={"__doc__": EXPLAINED[name]},
            frozen=True,
        )
        for name, flags in groups.items()
    }
    fields = [(_identifier(TITLES[name]), kind, kind()) for name, kind in made.items()]
    found: Any = tyro.cli(
        make_dataclass("Options", fields, frozen=True),
        args=plain_flags(arguments, groups),
        prog=program,
        description=about,
        config=(tyro.conf.OmitArgPrefixes,),
    )
    return {key: value for group in vars(found).values() for key, value in vars(group).items()}


def _identifier(title: str) -> str:
    return title.replace(" ", "_").replace("'", "")


def settings_flags(cls: type[Any]) -> list[Flag]:
    """The flags of a group of options."""
    hints = get_type_hints(cls)
    return [
        Flag(s.name, hints[s.name], s.default, _sentence(s.meaning), ALIASES.get(s.name, ()))
        for s in settings_in(cls)
    ]


def environment_flags() -> list[Flag]:
    """A flag for every argument of our environments that is not an option of the search itself."""
    return [
        Flag(name, _hint([s for _, s in owners]), None, _sentence(owners[0][1].meaning))
        for name, owners in environment_settings().items()
    ]


def agent_flags() -> list[Flag]:
    """A flag for every hyper-parameter of every agent, saying whose it is and its default."""
    return [
        Flag(name, _hint([s for _, s in owners]), None, _by_owner(owners))
        for name, owners in agent_settings_by_name().items()
    ]


def _by_owner(owners: Sequence[tuple[str, Setting]]) -> str:
    """Whose it is: ``reinforce: of Adam (default 0.0006). ppo: of the optimiser ...``."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for agent, setting in owners:
        told = setting.meaning.partition(". ")[0].rstrip(".")
        grouped.setdefault((told, f"{setting.default}"), []).append(agent)
    return " ".join(
        f"{', '.join(agents)}: {meaning} (default {default})."
        for (meaning, default), agents in grouped.items()
    )


def _sentence(meaning: str) -> str:
    return meaning[:1].upper() + meaning[1:]


def _hint(settings: Sequence[Setting]) -> Any:
    """The type of a flag whose setting may belong to several classes: None = not given."""
    kinds = [setting.kind for setting in settings if setting.kind is not None]
    types = {_type(kind) for kind in kinds}
    chosen = next(iter(types)) if len(types) == 1 else float if types <= {int, float} else str
    return chosen | None


def _type(kind: Kind) -> Any:
    if kind.entries is not None:
        return tuple[_type(kind.entries), ...]  # type: ignore[misc]
    return kind.type or str


def _without_none(hint: Any) -> Any:
    if get_origin(hint) in (Union, UnionType):
        inner = [one for one in get_args(hint) if one is not NoneType]
        return inner[0] if len(inner) == 1 else hint
    return hint


def _metavar(hint: Any) -> str:
    inner = _without_none(hint)
    if get_origin(inner) is tuple:
        entry = _METAVARS[get_args(inner)[0]]
        return f"{entry} [{entry} ...]"
    return _METAVARS.get(inner, "VALUE")


def plain_flags(arguments: Sequence[str], groups: Mapping[str, list[Flag]]) -> list[str]:
    """Spell what a sweep writes as the parser reads it.

    ``--flag=True`` becomes ``--flag`` and ``--flag=False`` ``--no-flag``, ``--filters=[24, 36]``
    ``--filters 24 36``; ``--track`` alone, or true, means wandb.

    Raises:
        ConfigurationError: a switch with another value, a list that is none, a word that no parser
            can be given.
    """
    flags = {flag.name: flag for group in groups.values() for flag in group}
    words: list[str] = []
    given = command_words(arguments)
    for index, word in enumerate(given):
        following = given[index + 1] if index + 1 < len(given) else "--"
        words += _spelled(word, flags, following)
    return words


def _spelled(word: str, flags: dict[str, Flag], following: str) -> list[str]:
    given, equals, value = word.partition("=")
    name = given.removeprefix("--").replace("-", "_")
    if not given.startswith("--"):
        return [word]
    if name == "no_track":
        return ["--track", "no"]
    if name == "track" and not equals and following.startswith("-"):
        return ["--track", "wandb"]
    if not equals or name not in flags:
        return [word]
    if name == "track" and value.lower() in TRUTH:
        return ["--track", "wandb" if TRUTH[value.lower()] else "no"]
    if flags[name].hint is bool:
        if value.lower() not in TRUTH:
            raise ConfigurationError(f"{given} must be True or False, got {shown(value)}.")
        return [f"--{'' if TRUTH[value.lower()] else 'no-'}{name.replace('_', '-')}"]
    if get_origin(_without_none(flags[name].hint)) is tuple and value.startswith("["):
        try:
            return [given, *map(str, strict_json(value))]
        except ValueError as error:
            raise ConfigurationError(
                f"{given} must be a list, got {shown(value)}: {reason(error)}."
            ) from error
    return [word]
