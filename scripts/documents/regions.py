"""Generated parts of pages that are otherwise written by hand.

A part stands between ``<!-- KIND NAME -->`` and ``<!-- end -->``; all between is replaced.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from nas_env.errors import ConfigurationError

Maker = Callable[[str], str]
_REGION = re.compile(r"<!-- (\w+)(?: ([\w-]+))? -->\n.*?<!-- end -->", flags=re.DOTALL)


def refilled(text: str, makers: Mapping[str, Maker]) -> str:
    """The text with each part of a known kind made anew; parts of other kinds stay.

    Raises:
        ConfigurationError: a part has no end.
    """
    opened = len(re.findall(r"^<!-- (?!end -->)", text, flags=re.MULTILINE))
    if opened != len(_REGION.findall(text)):
        raise ConfigurationError(
            f"{opened} generated parts begin, {len(_REGION.findall(text))} end: close each with "
            "<!-- end -->."
        )

    def make(found: re.Match[str]) -> str:
        kind, name = found[1], found[2] or ""
        if kind not in makers:
            return found[0]
        head = found[0].partition("\n")[0]
        return f"{head}\n{makers[kind](name)}\n<!-- end -->"

    return _REGION.sub(make, text)


def names(text: str, kind: str) -> list[str]:
    """Names of the parts of one kind, in order."""
    return [name for found, name in _REGION.findall(text) if found == kind]


def write_changed(path: Path, text: str) -> None:
    """Write a file that differs, and say so; leave one that is right alone."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path)


def stale(files: Mapping[Path, str]) -> list[str]:
    """Names of the files that are not as they should be."""
    return [
        path.name
        for path, text in files.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
