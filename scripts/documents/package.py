"""README for places that show neither the pictures nor the other files of the repository.

An index of packages renders the readme of a distribution alone: relative links and pictures break.
"""

import re

HEAD = "<!-- Made of README.md by python scripts/build_docs.py -->\n"
_PICTURE = re.compile(r"!\[([^\]]*)\]\([^)]+\)|<img [^>]*alt=\"([^\"]*)\"[^>]*>")
_LINK = re.compile(r"\[([^\]]+)\]\((?!https?:)([^)]+)\)")


def package_text(readme: str) -> str:
    """The text with each picture described in words, and each link to a file as the file's name."""
    text = _PICTURE.sub(lambda found: f"*{found[1] or found[2]}.*", readme)
    return HEAD + _LINK.sub(lambda found: _named(found[1], found[2]), text)


def _named(shown: str, file: str) -> str:
    return f"`{file}`" if shown.strip("`") == file else f"{shown} (`{file}`)"
