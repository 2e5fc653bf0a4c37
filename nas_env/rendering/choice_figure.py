"""A list of choices as a picture: a name a row, its options as tags, the chosen one filled.

For a user's own search space, of which nothing else is known; also any text, line by line.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nas_env.rendering.choice_text import absent_positions
from nas_env.rendering.picture import Picture, sheet
from nas_env.rendering.shapes import (
    FAINT,
    INK,
    PAPER,
    SOFT,
    Box,
    Item,
    Text,
    centred,
    fitted,
    text_width,
)
from nas_env.space.layout import SearchSpace

WIDTH, MARGIN, HEAD, FOOT = 640.0, 20.0, 44.0, 40.0
TAG, ROW, GAP = 24.0, 34.0, 8.0
NAMES = 210.0
"""Most room for names."""
LINE, LINES = 17.0, 200
"""Height of a line of text; most of them."""
CHOSEN, CURRENT = "#cfe3f7", "#fff7d6"


@dataclass(frozen=True)
class Choice:
    """One row.

    Attributes:
        name: what is chosen.
        options: in words.
        chosen: which of them; None = open.
        current: whether it is the one that comes next.
        absent: whether it does not exist beside what was chosen before.
    """

    name: str
    options: tuple[str, ...]
    chosen: int | None = None
    current: bool = False
    absent: bool = False


def choice_picture(title: str, choices: Sequence[Choice], footer: str = "") -> Picture:
    """Draw choices; the picture's size does not depend on what is chosen."""
    names = min(NAMES, max(text_width(choice.name[:100], 12) for choice in choices))
    start = MARGIN + names + 14
    items: list[Item] = [Text(WIDTH / 2, 27, fitted(title, 13, WIDTH), 13, INK, "middle", True)]
    y = HEAD
    for choice in choices:
        name = fitted(choice.name, 12, names + 1)
        if choice.current:
            items.append(Box(start - 10, y + 4, 3, TAG, "#e0b000", "#e0b000", line=0, radius=1))
        items.append(Text(start - 14, y + 21, name, 12, INK, "end", choice.current))
        x = start
        for number, option in enumerate(choice.options):
            words = fitted(option, 12, WIDTH - MARGIN - start - 20)
            width = max(30.0, text_width(words, 12) + 18)
            if x > start and x + width > WIDTH - MARGIN:
                x, y = start, y + TAG + 6
            items += _tag(Box(x, y + 4, width, TAG), words, number, choice)
            x += width + GAP
        y += ROW
    items.append(Text(WIDTH / 2, y + 26, fitted(footer, 12, WIDTH), 12, INK, "middle"))
    return sheet(WIDTH, y + FOOT, items, title)


def _tag(box: Box, words: str, number: int, choice: Choice) -> list[Item]:
    place = (box.x, box.y, box.width, box.height)
    if number == choice.chosen and not choice.absent:
        return [Box(*place, CHOSEN, "#0072b2", 1.4, 12), centred(box, words, 12)]
    open_ = choice.chosen is None
    fill = CURRENT if choice.current else PAPER
    return [
        Box(*place, fill, SOFT if choice.current else FAINT, 1.0, 12, dashed=open_),
        centred(box, words, 12, SOFT),
    ]


def positions_picture(
    space: SearchSpace[Any], tokens: Sequence[int], num_layers: int, footer: str
) -> Picture:
    """The tokens of any space, finished or not, each position as a choice."""
    positions = space.layout[: space.length(num_layers)]
    absent = absent_positions(space, tokens)
    choices = [
        Choice(
            f"{position.name} {position.layer}" if position.layer else position.name,
            tuple(str(option) for option in position.options),
            tokens[index] if index < len(tokens) else None,
            index == len(tokens),
            index in absent,
        )
        for index, position in enumerate(positions)
    ]
    return choice_picture(f"{len(tokens)} of {len(positions)} tokens chosen", choices, footer)


def text_picture(text: str) -> Picture:
    """Lines of text, for a kind of architecture that only says in words what it is."""
    lines = [fitted(line, 12, WIDTH - 2 * MARGIN) for line in text.splitlines()] or [""]
    if len(lines) > LINES:
        lines = [*lines[:LINES], f"... and {len(lines) - LINES:,} more lines"]
    items = [Text(MARGIN, MARGIN + LINE * (n + 0.7), line) for n, line in enumerate(lines)]
    return sheet(WIDTH, 2 * MARGIN + LINE * len(lines), items, lines[0])
