"""A trained network in forms that need no nas_env: torch.export, ONNX, plain Python, JSON.

What is exported takes pixels in [0, 255], float32, any number of pictures at a time, and returns
logits: the normalisation is part of it. Each form is loaded again, and must agree with the network
on random pictures to ``TOLERANCE``.
"""

import json
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nas_env.errors import ConfigurationError, ExportError, MissingDependencyError
from nas_env.network.network import Network
from nas_env.network.standalone import run_standalone, standalone_source
from nas_env.system.files import write_durably
from nas_env.system.folders import user_path
from nas_env.system.reading import reason

TOLERANCE = 1e-4
"""Largest difference of a logit; relative where the logit is above 1."""
PICTURES = 5
"""Random ones, on which an export is compared with the network."""

Compute = Callable[[Tensor], Tensor]


def export_network(
    network: Network, folder: str | Path, targets: Sequence[str] | None = None
) -> dict[str, float]:
    """Write a network in other forms, and compare each with it.

    Args:
        network: what ``nas_env.load`` gave.
        folder: where to write; made where missing.
        targets: ``"torch"`` (network.pt2, for ``torch.export.load``), ``"onnx"`` (network.onnx),
            ``"python"`` (network.py with network_weights.pt, which need torch alone), ``"json"``
            (architecture, classes and normalisation); None = all.

    Returns:
        Target -> largest difference to the network's logits, relative where they are above 1.

    Raises:
        ConfigurationError: an unknown target.
        MissingDependencyError: ONNX without the extra ``[export]``.
        ExportError: it cannot be exported, or what was exported computes something else.
    """
    chosen = [*TARGETS] if targets is None else list(dict.fromkeys(targets))
    unknown = [name for name in chosen if name not in TARGETS]
    if unknown or not chosen:
        shown = ", ".join(map(repr, unknown)) or "none"
        raise ConfigurationError(
            f"Unknown export targets: {shown}. Allowed: {', '.join(map(repr, TARGETS))}."
        )
    place = user_path(folder)
    place.mkdir(parents=True, exist_ok=True)
    plain = Network(network.file)  # on the CPU
    return {name: _export(name, plain, place) for name in chosen}


def _export(name: str, network: Network, folder: Path) -> float:
    try:
        compute = TARGETS[name](network, folder)
    except (MissingDependencyError, ConfigurationError, OSError):
        raise
    except Exception as error:  # torch's exporters raise almost anything
        raise ExportError(
            f"The network cannot be exported as {name!r}: {reason(error)}. Other targets: "
            f"{', '.join(repr(other) for other in TARGETS if other != name)}."
        ) from error
    return 0.0 if compute is None else _difference(name, network, compute)


def _difference(name: str, network: Network, compute: Compute) -> float:
    images = _random_pictures(network)
    expected = network.logits(images)
    found = compute(images.float())
    difference = (found - expected).abs() / expected.abs().clamp_min(1.0)  # (n, classes)
    largest = float(difference.max())
    if not largest <= TOLERANCE:  # NaN too
        raise ExportError(
            f"What was exported as {name!r} computes something else: its logits differ by "
            f"{largest:.2g}, allowed is {TOLERANCE:g}. Do not use the file; try another version of "
            "torch."
        )
    return largest


def _random_pictures(network: Network) -> Tensor:
    """(n, channels, height, width) uint8."""
    generator = torch.Generator().manual_seed(0)
    shape = (PICTURES, *network.image_shape)
    return torch.randint(256, shape, generator=generator, dtype=torch.uint8)


def _torch_export(network: Network, folder: Path) -> Compute:
    program = _program(network)
    path = folder / "network.pt2"
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        written = Path(temporary) / path.name
        torch.export.save(program, written)
        written.replace(path)
    loaded: Any = torch.export.load(path).module()

    def compute(images: Tensor) -> Tensor:
        with torch.no_grad():
            logits: Tensor = loaded(images)
        return logits

    return compute


def _program(network: Network) -> Any:
    """Exported with any number of pictures at a time."""
    batch = torch.export.Dim("batch", min=1, max=2**16)
    example = (_random_pictures(network).float(),)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch about its own insides
        return torch.export.export(
            network.module, example, dynamic_shapes={"images": {0: batch}}, strict=False
        )


def _onnx(network: Network, folder: Path) -> Compute:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        _need(package)
    path = folder / "network.onnx"
    batch = torch.export.Dim("batch", min=1, max=2**16)
    with warnings.catch_warnings(), tempfile.TemporaryDirectory(dir=folder) as temporary:
        warnings.simplefilter("ignore")
        written = Path(temporary) / path.name
        torch.onnx.export(
            network.module,
            (_random_pictures(network).float(),),
            str(written),
            input_names=["images"],
            output_names=["logits"],
            dynamic_shapes={"images": {0: batch}},
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        written.replace(path)
    runtime: Any = import_module("onnxruntime")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def compute(images: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {"images": images.numpy()})[0])

    return compute


def _need(package: str) -> None:
    try:
        import_module(package)
    except ImportError as error:
        raise MissingDependencyError(
            f"Export to ONNX needs the package {package}: pip install 'nas_env[export]'."
        ) from error


def _python(network: Network, folder: Path) -> Compute:
    path = folder / "network.py"
    weights = {name: torch.from_numpy(np.array(v)) for name, v in network.file.weights.items()}
    write_durably(folder / "network_weights.pt", lambda file: torch.save(weights, file))
    write_durably(path, standalone_source(network.file).encode())
    return lambda images: run_standalone(path, images)


def _json(network: Network, folder: Path) -> None:
    file = network.file
    told = {
        "architecture": file.architecture.to_json(),
        "classes": list(file.classes),
        "image_shape": list(file.image_shape),
        "normalisation": asdict(file.normalisation),
        "parameters": sum(p.numel() for p in network.module.parameters()),
        "weights_digest": file.digest(),
        "facts": dict(file.facts),
    }
    write_durably(folder / "network.json", (json.dumps(told, indent=1) + "\n").encode())


TARGETS: dict[str, Callable[[Network, Path], Compute | None]] = {
    "torch": _torch_export,
    "onnx": _onnx,
    "python": _python,
    "json": _json,
}
"""Name -> what writes it and returns the written network as a function of pictures."""
