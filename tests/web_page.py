"""What every HTML page of this project promises, found by reading it as a browser would."""

from collections import Counter
from html.parser import HTMLParser

EMPTY = {"meta", "rect", "path", "circle", "polygon", "br", "img", "link", "input", "hr"}
"""Elements that may stand without an end tag: those of HTML that are empty, and SVG shapes."""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: Counter[str] = Counter()
        self.problems: list[str] = []
        self.pictures = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if "id" in given:
            self.ids[given["id"] or ""] += 1
        if tag == "svg" and "svg" not in self.open:
            self.pictures += 1
            named = given.get("role") == "img" and given.get("aria-label")
            if not named and given.get("aria-hidden") != "true":
                self.problems.append(f"picture {self.pictures} has no name and is not hidden")
        for name in ("src", "href", "srcset", "action", "data", "xlink:href"):
            if name in given and not (given[name] or "").startswith("#"):
                self.problems.append(f"<{tag}> loads or leads to {given[name]}")
        self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open[-1] != tag and self.open[-1] in EMPTY:
            self.open.pop()
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> closes what is not open")


def problems_of(page: str) -> list[str]:
    """What is wrong with a page; nothing for one whose tags close, whose ids differ, whose
    pictures have a name or are hidden from readers, and which neither loads nor links anything.
    """
    reader = _Reader()
    reader.feed(page)
    reader.close()
    left = [f"<{tag}> is not closed" for tag in reader.open if tag not in EMPTY]
    twice = [f"the id {name} is there {n} times" for name, n in reader.ids.items() if n > 1]
    return reader.problems + left + twice
