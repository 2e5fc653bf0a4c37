"""A picture: shapes drawn once, written as SVG or as pixels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nas_env.errors import ConfigurationError
from nas_env.rendering.shapes import Item, Pixels, Sheet, moved

FORMATS = (".svg", ".png")


@dataclass(frozen=True)
class Picture(Sheet):
    """What ``nas_env.draw_figure`` returns; see ``Sheet``."""

    def svg(self) -> str:
        """The picture as SVG, complete in itself: no file or font is loaded."""
        from nas_env.rendering.svg import picture_svg

        return picture_svg(self)

    def array(self, scale: float = 1.0) -> Pixels:
        """The picture as pixels.

        Args:
            scale: pixels of the result for one of the picture.

        Returns:
            (height * scale, width * scale, 3) uint8, red, green, blue.

        Raises:
            ConfigurationError: no pixels, or too many.
        """
        from nas_env.rendering.raster import rasterise

        return rasterise(self, scale)

    def png(self, path: str | Path, scale: float = 2.0) -> None:
        """Write a PNG file, by default with twice the pixels, for sharp text.

        Raises:
            ConfigurationError: no pixels, or too many.
            OSError: the file cannot be written.
        """
        from nas_env.rendering.raster import png_bytes

        Path(path).write_bytes(png_bytes(self, scale))

    def save(self, path: str | Path) -> None:
        """Write an SVG or PNG file, by its name.

        Raises:
            ConfigurationError: another suffix, or too large for a PNG file.
            OSError: the file cannot be written.
        """
        path = Path(path)
        if path.suffix.lower() not in FORMATS:
            raise ConfigurationError(
                f"A picture is written as .svg or .png, got {str(path)!r}: name a file that ends "
                "in one of them."
            )
        if path.suffix.lower() == ".png":
            self.png(path)
        else:
            path.write_text(self.svg(), encoding="utf-8")

    def padded(self, width: int, height: int) -> "Picture":
        """The same, centred on a larger sheet."""
        dx, dy = (max(width, self.width) - self.width) / 2, 0.0
        items = tuple(moved(item, dx, dy) for item in self.items)
        return replace(
            self, width=max(width, self.width), height=max(height, self.height), items=items
        )


def sheet(width: float, height: float, items: Sequence[Item], title: str) -> Picture:
    """A picture whose sides are even numbers, which video formats ask for."""
    sides = [2 * round(np.ceil(side / 2)) for side in (width, height)]
    return Picture(int(sides[0]), int(sides[1]), tuple(items), title)
