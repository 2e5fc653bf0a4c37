"""Architectures as JSON: the format of files, of ``info["architecture"]`` and of cache keys.

A convolutional network is ``{"kind": "conv", "layers": [{"type": "convolution", "filter_height": 3,
"filter_width": 3, "filters": 36, "inputs": [0]}, ...]}``. Fields at their default are left out, so
that a field added later does not change the keys of stored results. Choices are
``{"kind": "choice", "choices": {...}}``.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from nas_env.checks import shown
from nas_env.errors import InvalidArchitectureError
from nas_env.space.cell_architecture import CellArchitecture
from nas_env.space.choices import ChoiceArchitecture
from nas_env.space.conv_architecture import (
    BatchNormalisation,
    ConvArchitecture,
    Convolution,
    Layer,
    LocalContrastNormalisation,
    Pooling,
    check_depth,
)
from nas_env.space.layout import Architecture
from nas_env.system.folders import user_path
from nas_env.system.reading import read_regular, reason, strict_json

MOST_BYTES = 8 * 2**20
"""Of a file: the largest architecture that can be built takes a tenth of that."""

LAYER_TYPES: dict[str, type[Layer]] = {
    layer_type.type_name: layer_type
    for layer_type in (Convolution, Pooling, LocalContrastNormalisation, BatchNormalisation)
}


def architecture_from_json(data: Mapping[str, Any]) -> Architecture:
    """The architecture of a dict that ``Architecture.to_json`` or a person wrote.

    Raises:
        InvalidArchitectureError: naming the field that is missing, unknown or wrong.
    """
    if not isinstance(data, Mapping):
        raise InvalidArchitectureError(
            f"An architecture is a JSON object with a 'kind', got {shown(data)}."
        )
    kind = data.get("kind")
    reader = READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        raise InvalidArchitectureError(
            f"The architecture's 'kind' is {shown(kind)}; allowed: {', '.join(map(repr, READERS))}."
        )
    return reader(data)


def as_architecture(given: object) -> Architecture:
    """An architecture as it is, or read from its JSON as a dict.

    Raises:
        InvalidArchitectureError: anything else.
    """
    if isinstance(given, Architecture):
        return given
    if isinstance(given, Mapping):
        return architecture_from_json(given)
    raise InvalidArchitectureError(
        f"Expected an architecture or its JSON as a dict, got {type(given).__name__}; read a file "
        "with nas_env.load_architecture."
    )


def load_architecture(path: str | Path) -> Architecture:
    """Read an architecture from a JSON file.

    Raises:
        InvalidArchitectureError: the file is missing, not JSON, or not an architecture; the message
            names the file.
    """
    try:
        data = strict_json(read_regular(user_path(path), MOST_BYTES))
    except OSError as error:
        raise InvalidArchitectureError(
            f"Cannot read the architecture file {path}: {reason(error)}."
        ) from error
    except ValueError as error:
        raise InvalidArchitectureError(
            f"The architecture file {path} is not JSON: {reason(error)}."
        ) from error
    try:
        return architecture_from_json(data)
    except InvalidArchitectureError as error:
        raise InvalidArchitectureError(f"In the architecture file {path}: {error}") from error


def _conv_from_json(data: Mapping[str, Any]) -> ConvArchitecture:
    given = {key: value for key, value in data.items() if key != "kind"}
    _check_fields("The architecture", given, ConvArchitecture)
    if not isinstance(given["layers"], list):
        raise InvalidArchitectureError(
            f"The architecture's 'layers' is {shown(given['layers'])}; it must be a list."
        )
    check_depth(len(given["layers"]))
    layers = [_layer_from_json(number, item) for number, item in enumerate(given["layers"], 1)]
    if "pool_after" in given:
        given["pool_after"] = _numbers("The architecture's 'pool_after'", given["pool_after"])
    return ConvArchitecture(**{**given, "layers": tuple(layers)})


def _layer_from_json(number: int, data: object) -> Layer:
    if not isinstance(data, Mapping):
        raise InvalidArchitectureError(
            f"Layer {number} is {shown(data)}; it must be a JSON object with a 'type'."
        )
    name = data.get("type")
    layer_type = LAYER_TYPES.get(name) if isinstance(name, str) else None
    if layer_type is None:
        raise InvalidArchitectureError(
            f"Layer {number} has type {shown(name)}; allowed: {', '.join(LAYER_TYPES)}."
        )
    given = {key: value for key, value in data.items() if key != "type"}
    _check_fields(f"Layer {number} ({name})", given, layer_type)
    if "inputs" in given:
        given["inputs"] = _numbers(f"Layer {number}'s 'inputs'", given["inputs"])
    try:
        return layer_type(**given)
    except InvalidArchitectureError as error:
        raise InvalidArchitectureError(f"Layer {number}: {error}") from error


def _check_fields(owner: str, given: Mapping[str, Any], target: type[Any]) -> None:
    known = {field.name: field.default is MISSING for field in fields(target)}
    unknown = [name for name in given if name not in known]
    missing = [name for name, required in known.items() if required and name not in given]
    if unknown or missing:
        problem = f"unknown fields {shown(unknown)}" if unknown else f"no {missing}"
        raise InvalidArchitectureError(f"{owner} has {problem}; its fields: {', '.join(known)}.")


def _numbers(name: str, value: object) -> tuple[int, ...]:
    """A JSON list of integers as an ascending tuple; the order in a file does not matter."""
    if not isinstance(value, list) or any(type(item) is not int for item in value):
        raise InvalidArchitectureError(f"{name} is {shown(value)}; it must be a list of integers.")
    return tuple(sorted(value))


READERS: dict[str, Callable[[Mapping[str, Any]], Architecture]] = {
    "conv": _conv_from_json,
    "cell": CellArchitecture.from_json,
    "choice": ChoiceArchitecture.from_json,
}
"""``"kind"`` -> what reads such an architecture; ``nas_env.register_kind`` adds to it."""
