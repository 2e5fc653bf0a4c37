"""A picture as pixels: its SVG text, rendered by resvg with fonts that are shipped here.

No display, installed font or network is needed, and every machine draws the same. The fonts are
DejaVu Sans, regular and bold, reduced to Latin, Greek and Cyrillic letters, signs and arrows
(fonts/LICENSE.txt); a letter that they lack is an empty box.
"""

import io
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from nas_env.errors import ConfigurationError
from nas_env.rendering.shapes import Pixels, Sheet
from nas_env.rendering.svg import picture_svg

if TYPE_CHECKING:
    from resvg import usvg

FONTS = Path(__file__).with_name("fonts")
LARGEST = 80_000_000
"""Most pixels of a picture: Pillow reads no file that is much larger."""
WHITE = (255, 255, 255, 255)
UNCHANGED = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
"""The transform that changes nothing: the size stands in the SVG text."""


def png_bytes(picture: Sheet, scale: float = 1.0) -> bytes:
    """The picture as a PNG file.

    Args:
        picture: what to draw.
        scale: pixels of the file for one of the picture.

    Raises:
        ConfigurationError: it would have no pixels, or too many.
    """
    from resvg import render, usvg

    width, height = round(picture.width * scale), round(picture.height * scale)
    if not 0 < width * height <= LARGEST:
        raise ConfigurationError(
            f"A picture of {picture.width} x {picture.height} at scale {scale:g} has "
            f"{width} x {height} pixels; allowed: 1 to {LARGEST:,} in all. Choose another scale, "
            "or write it as .svg, which has no limit."
        )
    tree = usvg.Tree.from_str(picture_svg(picture, (width, height)), _options())
    return render(tree, UNCHANGED, bg_color=WHITE)


def rasterise(picture: Sheet, scale: float = 1.0) -> Pixels:
    """See ``Picture.array``."""
    with Image.open(io.BytesIO(png_bytes(picture, scale)), formats=["PNG"]) as image:
        return np.array(image.convert("RGB"), np.uint8)


def _options() -> "usvg.Options":
    """Options with the fonts; made for every picture, because no other thread may use them."""
    from resvg import usvg

    options = usvg.Options.default()
    for font in _fonts():
        options.load_font_data(font)
    return options


@lru_cache(maxsize=1)
def _fonts() -> tuple[bytes, ...]:
    """The fonts, held in memory: looking into their files for every word is five times slower."""
    return tuple(path.read_bytes() for path in sorted(FONTS.glob("*.ttf")))
