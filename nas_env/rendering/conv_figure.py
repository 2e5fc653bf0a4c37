"""Convolutional networks drawn like the paper's Figure 7: a column of boxes, arcs for the skips.

FH and FW are the height and width of the filters, N is their number, SH and SW are the strides. An
arc has the colour of the layer that reads; layers with several inputs concatenate them in depth.
"""

from dataclasses import dataclass

from nas_env.rendering.conv_lines import Lines, colour_of
from nas_env.rendering.conv_rows import LayerRow, NetworkRows
from nas_env.rendering.picture import Picture, sheet
from nas_env.rendering.shapes import (
    FAINT,
    INK,
    PAPER,
    SOFT,
    Box,
    Item,
    Line,
    Text,
    centred,
    fitted,
    text_width,
)
from nas_env.rendering.table import UNKNOWN, in_words

WIDTH, NARROW, END = 262.0, 204.0, 26.0
"""Width of a layer's box with and without strides; height of the image's and classifier's."""
HEIGHT, GAP, POOL = 40.0, 15.0, 44.0
BLOCK = 34.0
"""Room for the convolutions inside a block."""
MARGIN, HEAD, FOOT = 18.0, 44.0, 60.0
SHOWN = 8
"""Most convolutions of a block that are drawn one by one."""
FILLS = {"conv": "#eef4fb", "max pool": "#fdf0e3", "average pool": "#fdf0e3"}
NORMALISATION, CURRENT = "#eaf6ef", "#fff7d6"
LEGEND = ("FH x FW filters, N of them", "Arcs: the layers that a layer reads.")
STRIDES = ", strides SH x SW"


@dataclass(frozen=True)
class Frame:
    """What must not change from one picture of an episode to the next.

    Attributes:
        strides: whether strides are shown.
        span: layers that the longest arc bridges, at most.
    """

    strides: bool
    span: int


def frame_of(network: NetworkRows) -> Frame:
    """The smallest frame of a finished network."""
    pairs = [(n.number, source) for n in network.layers for source in n.inputs]
    end = len(network.layers) + 1
    pairs += [(end, source) for source in network.outputs or ()]
    strides = any("x" in n.stride and n.stride != "1x1" for n in network.layers)
    return Frame(strides, max(target - source for target, source in pairs))


def conv_picture(network: NetworkRows, frame: Frame, footer: str | None = None) -> Picture:
    """Draw a network.

    Args:
        network: finished or half written.
        frame: what the size of the picture is chosen for.
        footer: the last line, for which room is kept if it is ``""``; None = a legend.
    """
    return _Column(network, frame).picture(footer)


class _Column:
    """One drawing: where every box is, and what has been drawn."""

    def __init__(self, network: NetworkRows, frame: Frame) -> None:
        self.network, self.frame = network, frame
        self.width = WIDTH if frame.strides else NARROW
        depth = len(network.layers)
        self.lane = min(13.0, max(6.0, 230.0 / max(frame.span, 1)))  # between nested arcs
        self.side = 26.0 + (self.lane * frame.span if frame.span > 1 else 0.0)
        title = text_width("99 blocks of 9 densely connected convolutions (999 layers)", 13)
        least = title if network.block_size > 1 else 320.0
        self.total = max(self.width + 2 * (self.side + MARGIN), least + 2 * MARGIN)
        self.left = (self.total - self.width) / 2
        self.items: list[Item] = []
        self.boxes = self._boxes(depth)  # of the image, the layers, the classifier

    def _boxes(self, depth: int) -> list[Box]:
        y, boxes = HEAD, []
        drawn = 1 < self.network.block_size
        for number in range(depth + 2):
            end = number in (0, depth + 1)
            height = END if end else HEIGHT + (BLOCK if drawn else 0.0)
            boxes.append(Box(self.left, y, self.width, height, PAPER, SOFT, radius=6.0))
            y += height + GAP + (POOL if number in self.network.pool_after else 0.0)
        return boxes

    def picture(self, footer: str | None) -> Picture:
        network = self.network
        title = fitted(network.title, 13, self.total - 2 * MARGIN)
        self.items.append(Text(self.total / 2, 27, title, 13, INK, "middle", True))
        lines = Lines(network, self.boxes, self.lane, 1.4 if self.frame.span <= 24 else 1.0)
        self.items += lines.draw()
        for number in network.pool_after:
            self._pooling(number)
        self._end(0, "image")
        for row in network.layers:
            self._layer(row)
        self._end(len(network.layers) + 1, "classifier")
        bottom = self.boxes[-1].y + self.boxes[-1].height
        self._foot(bottom, footer)
        return sheet(self.total, bottom + FOOT, self.items, network.title)

    def _foot(self, bottom: float, footer: str | None) -> None:
        size, colour, lines = 12.0, INK, [footer or ""]
        if footer is None:
            first, second = LEGEND
            strides = STRIDES if self.frame.strides else ""
            size, colour, lines = 11.0, SOFT, [f"{first}{strides}.", second]
        for number, line in enumerate(lines):
            words, y = fitted(line, size, self.total - 2 * MARGIN), bottom + 29 + 15 * number
            self.items.append(Text(self.total / 2, y, words, size, colour, "middle"))

    def _end(self, number: int, name: str) -> None:
        box = self.boxes[number]
        ready = number == 0 or self.network.outputs is not None
        faint = Box(box.x, box.y, box.width, box.height, PAPER, FAINT, radius=13, dashed=True)
        solid = Box(box.x, box.y, box.width, box.height, "#f0f2f5", SOFT, radius=13)
        self.items.append(solid if ready else faint)
        self.items.append(centred(box, name, 12, INK if ready else SOFT))

    def _pooling(self, number: int) -> None:
        """A line that every map crosses on its way down."""
        above = self.boxes[number]
        y = above.y + above.height + (GAP + POOL) / 2
        ends = ((MARGIN / 2, y), (self.total - MARGIN / 2, y))
        self.items.append(Line(ends, "#c77a1e", 1.2, dashed=True))
        pill = Box(
            self.left + self.width / 2 - 62, y - 11, 124, 22, "#fdf0e3", "#c77a1e", radius=11
        )
        self.items.append(pill)
        self.items.append(centred(pill, "max pool 2x2", 11))

    def _layer(self, row: LayerRow) -> None:
        box = self.boxes[row.number]
        known = any(cell not in ("", UNKNOWN, "?x?", "conv") for cell in row.cells)
        current = row.number == self.network.current
        fill = FILLS.get(row.name, NORMALISATION) if known else PAPER
        colour = colour_of(row.number) if known or current else FAINT
        self.items.append(
            Box(
                *(box.x, box.y, box.width, box.height),
                fill=CURRENT if current else fill,
                stroke=colour,
                line=2.2 if current else 1.4,
                radius=6.0,
                dashed=not (known or current),
                hint=self._hint(row),
            )
        )
        ink = INK if known or current else SOFT
        y = box.y + 17
        self.items.append(
            Text(box.x + 25, y, str(row.number), 12, colour_of(row.number), "end", True)
        )
        for x, word in self._words(row):
            self.items.append(Text(box.x + x, y, word, 12, ink))
        reads = self._reads(row)
        if reads:
            self.items.append(Text(box.x + 40, box.y + 32, reads, 10, SOFT))
        if self.network.block_size > 1:
            self._block(box, row, colour)

    def _words(self, row: LayerRow) -> list[tuple[float, str]]:
        """The first line of a box: where each word starts."""
        if row.name != "conv":
            stride = f", stride {row.stride.partition('x')[0]}" if row.stride else ""
            size = "" if row.name == UNKNOWN else f" {row.size}"
            return [(40.0, f"{row.name}{size}{stride if size else ''}")]
        height, _, width = row.size.partition("x")
        values = [("FH", height), ("FW", width), ("N", row.filters)]
        starts = [40.0, 92.0, 148.0] if not self.frame.strides else [40.0, 84.0, 130.0]
        if self.frame.strides:
            high, _, wide = row.stride.partition("x")
            values += [("SH", high or "1"), ("SW", wide or "1")]
            starts += [174.0, 216.0]
        return [(x, f"{name} {value}") for x, (name, value) in zip(starts, values, strict=True)]

    def _hint(self, row: LayerRow) -> str:
        words = ", ".join(word for _, word in self._words(row))
        return f"layer {row.number}: {words}; reads {in_words(row.inputs) or 'nothing yet'}"

    def _reads(self, row: LayerRow) -> str:
        if not row.inputs:
            return ""
        room = self.width - 48
        words = f"reads {in_words(row.inputs)}"
        if row.open_links:
            words += ", ..."
        if text_width(words, 10) <= room:
            return words
        count = len([source for source in row.inputs if source])
        return f"reads {count} of {row.number - 1} layers"

    def _block(self, box: Box, row: LayerRow, colour: str) -> None:
        """The convolutions inside a block, each reading the block's input and all before it."""
        size = self.network.block_size
        top = box.y + HEIGHT + 6
        if size > SHOWN:
            words = f"{size} such convolutions, densely connected"
            self.items.append(Text(box.x + 34, top + 12, words, 10, SOFT))
            return
        gap = 13.0 if size <= 4 else 7.0
        start, room = box.x + 16, box.width - 32
        width = (room - gap * (size - 1)) / size
        first = (row.number - 1) * size + 1
        small = [
            Box(start + k * (width + gap), top, width, 18, PAPER, colour, 1.1, 3)
            for k in range(size)
        ]
        for k, one in enumerate(small):
            middle = top + 9
            if k:
                ends = ((one.x - gap, middle), (one.x - 0.5, middle))
                self.items.append(Line(ends, colour, 1.2, arrow=True))
            for earlier in range(k - 1):
                x0 = small[earlier].x + width / 2 + 4
                x1, low = one.x + width / 2 - 4 * (k - 1 - earlier), top + 18
                sag = 8.0 + 2 * (k - earlier - 2)
                self.items.append(
                    Line(((x0, low), (x0, low + sag), (x1, low + sag), (x1, low)), colour, 1.2)
                )
        for k, one in enumerate(small):
            self.items += [one, centred(one, str(first + k), 10, SOFT)]
