"""The words of a command line before any parser sees them. Imports next to nothing.

A parser compares an unknown flag with every flag it has, and draws what it was given into its
message: both take their time, and a terminal, where a word has a million characters.
"""

import sys
from collections.abc import Sequence
from typing import Any, TypeVar

import tyro

from nas_env.errors import ConfigurationError

LONGEST_WORD = 100_000
"""A JSON object of settings takes a hundredth of it."""
LONGEST_NAME = 80
_PATHS = ("--run-dir", "--folder", "--store", "--data-dir", "--output")


OptionsT = TypeVar("OptionsT")


def read_options(
    kind: type[OptionsT], arguments: Sequence[str] | None, about: str | None
) -> OptionsT:
    """The options that a command line asks for.

    Args:
        kind: a dataclass.
        arguments: the command line; None = that of this process.
        about: what the command does.

    Raises:
        SystemExit: ``--help``, or a flag that is none; the parser has explained it.
        ConfigurationError: as ``command_words``.
    """
    read: Any = tyro.cli(kind, args=command_words(arguments), description=about)
    options: OptionsT = read
    return options


def command_words(arguments: Sequence[str] | None) -> list[str]:
    """The words of a command line (None = that of this process), if a parser can be given them.

    Raises:
        ConfigurationError: a word or the name of a flag is too long, or not text, or a path is
            empty: it would mean the working folder.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    for word, following in zip(words, [*words[1:], "-"], strict=False):
        name, equals, value = word.partition("=")
        if len(word) > LONGEST_WORD or (word.startswith("--") and len(name) > LONGEST_NAME):
            raise ConfigurationError(
                f"A word of the command line has {len(word):,} characters: {word[:60]!r}... "
                f"Names of flags have at most {LONGEST_NAME}, values {LONGEST_WORD:,}."
            )
        if not _is_text(word):
            raise ConfigurationError(
                f"A word of the command line is not text in UTF-8: {word[:60]!r}. Rename the file, "
                "or name the folder that it is in."
            )
        if name.replace("_", "-") in _PATHS and (value if equals else following) == "":
            raise ConfigurationError(f"{name} is empty: name a file or folder ('.' is this one).")
    return words


def _is_text(word: str) -> bool:
    try:
        return b"\0" not in word.encode()
    except UnicodeEncodeError:
        return False
