"""The lines of a convolutional network's picture: who reads whom.

A line goes straight down to the next box, or as an arc around those between: to even layers on the
left, to odd ones on the right. It has the colour of the layer that reads.
"""

from collections.abc import Iterator, Sequence

from nas_env.rendering.conv_rows import NetworkRows
from nas_env.rendering.shapes import FAINT, SOFT, Box, Line, Point

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#aa3377", "#b58900", "#2a9fd6", "#6a4fb3", "#8c564b")
"""Of the layers that read, in turn: told apart by colour-blind people too."""
NEAREST = 16.0
"""From a box to the top of its shortest arc."""


class Lines:
    """Draws them.

    Args:
        network: finished or half written.
        boxes: of the image, the layers and the classifier.
        lane: distance between nested arcs.
        width: of an arc.
    """

    def __init__(
        self, network: NetworkRows, boxes: Sequence[Box], lane: float, width: float
    ) -> None:
        self.network, self.boxes, self.lane, self.width = network, boxes, lane, width
        self.end = len(network.layers) + 1

    def draw(self) -> Iterator[Line]:
        """A line for every link, dashed where the next tokens decide on it."""
        for row in self.network.layers:
            for source, link in sorted(row.links.items()):
                if link:
                    yield self._line(source, row.number, colour_of(row.number))
                elif link is None and row.number == self.network.current:
                    yield self._line(source, row.number, FAINT, dashed=True)
        for source in self.network.outputs or ():
            yield self._line(source, self.end, SOFT)

    def _line(self, source: int, target: int, colour: str, dashed: bool = False) -> Line:
        hint = f"{self._name(source)} to {self._name(target)}"
        if target - source > 1:
            points = self._arc(source, target)
            return Line(points, colour, self.width, dashed, not dashed, hint)
        above, below = self.boxes[source], self.boxes[target]
        x = above.x + above.width / 2
        points = ((x, above.y + above.height), (x, below.y - 1.0))
        return Line(points, colour, 1.8, dashed, True, hint)

    def _arc(self, source: int, target: int) -> tuple[Point, ...]:
        """Out of the lower half of a box, the longest highest; all into one point of another."""
        above, below = self.boxes[source], self.boxes[target]
        way = -1.0 if target % 2 == 0 else 1.0
        edge = above.x if way < 0 else above.x + above.width
        bulge = NEAREST + self.lane * (target - source - 1)
        height = (target - source) / (self.end - source + 1)  # in the lower half, 0 to 1
        y0 = above.y + above.height - 3 - height * (above.height / 2 - 3)
        y1 = below.y + min(below.height * 0.32, 13.0)
        x = edge + way * bulge * 4 / 3  # so far out, a cubic curve reaches the bulge
        return (edge, y0), (x, y0), (x, y1), (edge + way, y1)

    def _name(self, number: int) -> str:
        if number == 0:
            return "image"
        return "classifier" if number == self.end else f"layer {number}"


def colour_of(layer: int) -> str:
    """The colour of a layer and of the lines that end in it; differs from its neighbours'."""
    return COLOURS[(layer // 2 + 4 * (layer % 2)) % len(COLOURS)]
