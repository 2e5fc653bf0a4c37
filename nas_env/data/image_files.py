"""One image file -> pixels, for files that strangers made.

Pillow would also run Ghostscript on PostScript that is named .png, and read dozens of old formats:
only the raster formats below are opened, whatever a file is called. Whole numbers of 16 bits are
scaled to 8, and a photograph is turned as its EXIF orientation says.
"""

import io
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from nas_env.errors import InvalidDatasetError
from nas_env.system.reading import read_regular, reason

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
"""What Pillow may open; of several frames or pages the first is read."""
UNDER_THEIR_NAME = {
    **dict.fromkeys((".jp2", ".j2k", ".j2c", ".jpx"), "JPEG2000"),
    **dict.fromkeys((".sgi", ".rgb", ".bw"), "SGI"),
    **{".dib": "DIB", ".jfif": "JPEG", ".apng": "PNG", ".pcx": "PCX", ".tga": "TGA", ".dds": "DDS"},
    **{".qoi": "QOI", ".ico": "ICO", ".xbm": "XBM", ".msp": "MSP", ".avif": "AVIF"},
}
"""Suffix -> the one format that such a file is opened as, beside ``FORMATS``: rarer ones, some of
which do not begin with a mark that tells them from damaged files of another."""
SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"),
    *(".ppm", ".pgm", ".pbm", ".pnm"),
    *UNDER_THEIR_NAME,
)
_OTHER_DECODER = "needs a decoder that Pillow does not have"
REFUSED_SUFFIXES = {
    **dict.fromkeys((".eps", ".ps", ".pdf", ".ai"), "PostScript or PDF, a program that draws"),
    **dict.fromkeys((".svg", ".svgz", ".wmf", ".emf", ".cdr"), "a drawing, not pixels"),
    **dict.fromkeys((".heic", ".heif", ".hif", ".jxl"), _OTHER_DECODER),
    **dict.fromkeys((".psd", ".psb", ".xcf", ".kra"), "the layers of a drawing program"),
    **dict.fromkeys((".icns", ".cur", ".xpm", ".gbr", ".blp", ".ftex"), "an icon or a texture"),
    **dict.fromkeys((".fli", ".flc", ".mp4", ".avi", ".mov", ".mpg", ".mpeg"), "a film"),
    **dict.fromkeys(
        (".npy", ".npz", ".pt"), "an array: give it in memory, dataset=(images, labels)"
    ),
    **dict.fromkeys((".exr", ".hdr", ".fits", ".fit", ".h5", ".hdf5"), "numbers of no fixed range"),
    **dict.fromkeys((".raw", ".dng", ".cr2", ".cr3", ".nef", ".arw"), "raw data of a camera"),
    **dict.fromkeys((".dcm", ".nii"), "a medical format, whose numbers have no fixed range"),
}
"""Images that a folder may hold by mistake -> what they are; other files are no images."""
MOST_BYTES = 512 * 2**20
"""Of a file."""
DECODING = 2
"""Bumped when the same file would give other pixels: an older cached array is not served."""

_GREY_MODES = ("1", "L", "LA")
_COLOUR_MODES = ("RGB", "RGBA", "RGBX", "P", "PA", "CMYK", "YCbCr", "HSV", "RGBa")
_ORIENTATION = 0x0112  # the EXIF tag; 1 = as it is
_UPRIGHT = 1
_MAY_BE_TURNED = (b"Exif\0\0", b"eXIf", b"EXIF", b"Raw profile type", b"tiff:Orientation")
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PNG = b"\x89PNG\r\n\x1a\n"


def read_image_bytes(path: Path) -> bytes:
    """The bytes of an image file.

    Raises:
        InvalidDatasetError: it cannot be read, is no regular file, or is too large.
    """
    try:
        return read_regular(path, MOST_BYTES)
    except OSError as error:
        raise InvalidDatasetError(
            f"Cannot read the image {path}: {reason(error)}. Check it and its permissions, or "
            "remove it."
        ) from error


def decode_image(path: Path) -> NDArray[np.uint8]:
    """One file as (height, width) uint8 for a grey image, else (height, width, 3).

    Raises:
        InvalidDatasetError: no image of ``FORMATS``, damaged, of more pixels than are safe, or of
            a kind of pixels that has no 8 bits.
    """
    content = read_image_bytes(path)
    own = UNDER_THEIR_NAME.get(path.suffix.lower())
    formats = FORMATS if own is None or own in FORMATS else (*FORMATS, own)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # metadata that is damaged; the pixels are not
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=formats) as image:
                return pixels_of(ImageOps.exif_transpose(image), str(image.format))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InvalidDatasetError(
            f"{path} has too many pixels: {reason(error)}. Images of a data set have at most "
            f"{Image.MAX_IMAGE_PIXELS or 0:,}; shrink or remove the file."
        ) from error
    except Exception as error:  # a damaged file makes Pillow's plug-ins raise almost anything
        raise InvalidDatasetError(
            f"{path} is not a readable image ({_without_place(error)}). Read are "
            f"{', '.join(formats)}; convert, remove or replace the file."
        ) from error


def decoded_otherwise(content: bytes) -> str:
    """What makes this file's pixels differ from version 1 of the decoding; ``""`` for most files.

    Part of a data set's digest, so that what was measured on clipped or unturned images is not
    taken for a measurement of today's. Nothing is decoded but where the metadata may turn an image.
    """
    if content[:8] == _PNG and content[24:26] == b"\x10\x00":
        return "16 bits"
    if content[:4] not in _TIFF and not any(mark in content for mark in _MAY_BE_TURNED):
        return ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                if image.mode.startswith("I"):
                    return "16 bits"
                return "turned" if image.getexif().get(_ORIENTATION, 1) != _UPRIGHT else ""
    except Exception:  # unreadable: said where it is decoded
        return ""


def fit(picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """A (height, width) or (height, width, channels) picture as a square of this side.

    The largest square in its middle is averaged down, or enlarged, bilinearly.
    """
    grey = picture.ndim == 3 and picture.shape[2] == 1
    if picture.ndim == 3 and picture.shape[2] == 2:  # no kind of picture that Pillow knows
        return np.dstack([fit(picture[..., channel], size) for channel in range(2)])
    image = Image.fromarray(picture[..., 0] if grey else picture)
    fitted = np.asarray(ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR))
    return fitted[..., None] if grey else fitted


def pixels_of(image: Image.Image, format_name: str) -> NDArray[np.uint8]:
    """An open image as (height, width) uint8 if it is grey, else (height, width, 3).

    Raises:
        ValueError: its pixels have no 8 bits.
    """
    mode = image.mode
    if mode in _GREY_MODES:
        return np.asarray(image.convert("L"))
    if mode in _COLOUR_MODES:
        return np.asarray(image.convert("RGB"))
    values = np.asarray(image)
    sixteen = mode.startswith("I;16") or format_name in ("PNG", "PPM")
    if mode.startswith("I") and sixteen and 0 <= values.min() <= values.max() < 2**16:
        return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    raise ValueError(
        f"its pixels are of mode {mode}, which has no fixed range; store it with 8 or 16 bits"
    )


def _without_place(error: Exception) -> str:
    """What went wrong, without the memory address of the buffer that was read."""
    if isinstance(error, UnidentifiedImageError):
        return "its content is of no format that is read"
    return reason(error)
