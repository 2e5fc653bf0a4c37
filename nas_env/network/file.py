"""The file of a trained network: weights, architecture, normalisation and class names, no pickle.

A NumPy archive (``.npz``): one array for each tensor of the module's state, and ``header``, the
bytes of a JSON object that says all the rest. It is read with ``allow_pickle=False``, so a file of
a stranger can run nothing, and NumPy is there anyway: safetensors would be as safe, and one more
package. The header has a digest of every array; each is checked against it and against the
architecture before anything is built.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_env.errors import InvalidArchitectureError, NetworkFileError
from nas_env.space.architecture_json import architecture_from_json
from nas_env.space.conv_architecture import ConvArchitecture
from nas_env.system.files import write_durably
from nas_env.system.folders import user_path
from nas_env.system.reading import is_folder, read_regular, reason, strict_json

FILE = "network.npz"
"""In the folder of a finalised search."""
UNFINISHED = "finalise.json"
"""In a folder where finalising has begun."""
FORMAT, VERSION = "nas_env network", 1
MOST_BYTES = 4 * 2**30
LARGEST_SIDE = 4096
"""Of a picture that is brought to one size."""

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Normalisation:
    """What happens to pixels before the network sees them.

    Attributes:
        kind: ``"per_image_standardisation"``: (x - mean) / max(std, 1 / sqrt(numbers)), over all
            channels and pixels of the image.
        enlarged_by: pixels on each side by which the image is enlarged before its centre is taken,
            where training did so; 0 = not at all.
        fitted_to: side of the square that pictures of any size were brought to before anything
            else (the data set's ``image_size``); None = they had one size.
    """

    kind: str = "per_image_standardisation"
    enlarged_by: int = 0
    fitted_to: int | None = None

    def __post_init__(self) -> None:
        """Refuse what this version does not know."""
        size, side = self.enlarged_by, self.fitted_to
        fits = type(size) is int and size >= 0 and (side is None or _is_side(side))
        if self.kind != "per_image_standardisation" or not fits:
            raise NetworkFileError(
                f"The normalisation {self.kind!r}, enlarged by {size!r}, fitted to {side!r}, is "
                "not known to this nas_env: use the version that wrote the file."
            )


def _is_side(value: object) -> bool:
    return type(value) is int and 1 <= value <= LARGEST_SIDE


@dataclass(frozen=True)
class NetworkFile:
    """The content of a file.

    Attributes:
        architecture: the network up to its classifier.
        classes: class names, in label order.
        image_shape: (channels, height, width) of the images it was trained on.
        weights: name in the module's state -> array.
        normalisation: of the pixels.
        epsilons: name of a batch normalisation -> its epsilon; of those left out, the default.
        facts: what else is known, for people: JSON-able.
    """

    architecture: ConvArchitecture
    classes: tuple[str, ...]
    image_shape: tuple[int, int, int]
    weights: Arrays
    normalisation: Normalisation = field(default_factory=Normalisation)
    epsilons: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def digest(self) -> str:
        """32 hex digits over the weights: the identity of a trained network."""
        return hashlib.sha256(json.dumps(_digests(self.weights)).encode()).hexdigest()[:32]


def write_network(path: Path, network: NetworkFile) -> None:
    """Write the file, whole or not at all; equal content gives equal bytes.

    Raises:
        OSError: it cannot be written.
    """
    header = {
        "format": FORMAT,
        "version": VERSION,
        "architecture": network.architecture.to_json(),
        "classes": list(network.classes),
        "image_shape": list(network.image_shape),
        "normalisation": asdict(network.normalisation),
        "epsilons": dict(network.epsilons),
        "facts": dict(network.facts),
        "arrays": _digests(network.weights),
    }
    content = np.frombuffer(json.dumps(header, sort_keys=True).encode(), np.uint8)
    write_durably(path, archive_bytes({"header": content, **network.weights}))


def archive_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """A NumPy archive of arrays, without the date that ``np.savez`` puts in."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            with archive.open(entry, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)
    return buffer.getvalue()


def read_archive(path: Path) -> Arrays:
    """All arrays of a NumPy archive; nothing in it is run.

    Raises:
        OSError: it cannot be read.
        NetworkFileError: it is none, or is damaged.
    """
    content = read_regular(path, MOST_BYTES)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, EOFError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise NetworkFileError(
            f"{path} is damaged or no file of a network: {reason(error)}. Copy it again, or "
            "finalise the run again."
        ) from error
    except (NotImplementedError, RuntimeError, OSError, MemoryError) as error:
        raise NetworkFileError(
            f"{path} is damaged or no file of a network: {reason(error)}."
        ) from error


def find_network_file(path: str | Path) -> Path:
    """The file itself, or the one in the folder of a finalised search.

    Raises:
        NetworkFileError: there is none, with what is there instead.
    """
    place = user_path(path)
    if not is_folder(place):
        return place
    for found in (place / FILE, place / "final" / FILE):
        if found.exists():
            return found
    if (place / UNFINISHED).exists():
        raise NetworkFileError(
            f"{place} is not finished: its network is still to be trained. Run nas-env finalise "
            "again with the same words; it goes on from where it stopped."
        )
    raise NetworkFileError(
        f"There is no network in {place}: {FILE} is missing. Make it with nas-env finalise RUN."
    )


def read_network(path: str | Path) -> NetworkFile:
    """Read and check a file.

    Raises:
        NetworkFileError: missing, damaged, of a later version, or of something else.
    """
    place = find_network_file(path)
    try:
        arrays = read_archive(place)
    except OSError as error:
        raise NetworkFileError(f"Cannot read the network {place}: {reason(error)}.") from error
    header = _header(place, arrays.pop("header", None))
    found = _digests(arrays)
    if found != header["arrays"]:
        changed = sorted({*found.items()} ^ {*header["arrays"].items()})
        raise NetworkFileError(
            f"The weights in {place} are not those that were written ({changed[0][0]}): the file "
            "is damaged or was put together from two. Copy it again, or finalise the run again."
        )
    try:
        architecture = architecture_from_json(header["architecture"])
        channels, height, width = map(int, header["image_shape"])
        if not isinstance(architecture, ConvArchitecture):
            raise InvalidArchitectureError("it is not of a convolutional network")
        return NetworkFile(
            architecture,
            tuple(map(str, header["classes"])),
            (channels, height, width),
            arrays,
            Normalisation(**header["normalisation"]),
            {str(k): float(v) for k, v in header["epsilons"].items()},
            header["facts"],
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise NetworkFileError(
            f"The header of {place} is not that of a network: {reason(error)}."
        ) from error


def _header(path: Path, content: NDArray[Any] | None) -> dict[str, Any]:
    try:
        header = strict_json(b"" if content is None else content.tobytes())
    except ValueError:
        header = None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise NetworkFileError(
            f"{path} is no file of a network: nas-env finalise RUN writes one, {FILE}."
        )
    if header.get("version") != VERSION or not isinstance(header.get("arrays"), dict):
        raise NetworkFileError(
            f"{path} has version {header.get('version')!r} of the format, this nas_env reads "
            f"{VERSION}. Use the nas_env that wrote it."
        )
    return header


def _digests(arrays: Mapping[str, NDArray[Any]]) -> dict[str, str]:
    """Of each array: its type, shape and bytes."""
    found = {}
    for name, array in sorted(arrays.items()):
        hashed = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
        hashed.update(np.ascontiguousarray(array).tobytes())
        found[name] = hashed.hexdigest()[:32]
    return found
