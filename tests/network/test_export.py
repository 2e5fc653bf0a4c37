"""Exports of a network: read in a fresh process without this package, they compute the same."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from nas_env.errors import ConfigurationError, ExportError, MissingDependencyError
from nas_env.network import export
from nas_env.network.export import TOLERANCE, export_network
from nas_env.network.file import NetworkFile, Normalisation
from nas_env.network.network import Network
from nas_env.space.conv_architecture import (
    BatchNormalisation,
    ConvArchitecture,
    Convolution,
    LocalContrastNormalisation,
    Pooling,
)
from tests.network.test_network_file import CLASSES, child_of

EVERYTHING = ConvArchitecture(
    (
        Convolution(3, 3, 6),
        LocalContrastNormalisation(3, (1,)),
        Pooling("max", 3, 2, (2,)),
        BatchNormalisation(1e-3, (2,)),
        Convolution(4, 5, 5, 2, 1, (0, 3, 4)),
        Pooling("average", 2, 2, (1,)),
    ),
    block_size=2,
    pool_after=(2,),
)
READERS = {
    "torch": "import torch; found = torch.export.load('network.pt2').module()(images)",
    "python": "import torch, network; found = network.load()(images)",
    "onnx": "import onnxruntime as o; s = o.InferenceSession('network.onnx');"
    "found = torch.from_numpy(s.run(None, {'images': images.numpy()})[0])",
}
PROGRAM = """
import sys, numpy, torch
assert not [m for m in sys.modules if m.startswith("nas_env")]
images = torch.from_numpy(numpy.load("images.npy"))
with torch.no_grad():
    {reader}
assert not [m for m in sys.modules if m.startswith("nas_env")]
numpy.save("found.npy", found.detach().numpy())
"""


def network_of(architecture: ConvArchitecture) -> Network:
    weights = {k: v.numpy() for k, v in child_of(architecture).state_dict().items()}
    return Network(
        NetworkFile(
            architecture,
            CLASSES,
            (3, 13, 10),
            weights,
            Normalisation(enlarged_by=1),
            {"layers.0.norms.0": 0.1},
        )
    )


def in_a_fresh_process(target: str, folder: Path, images: torch.Tensor) -> torch.Tensor:
    np.save(folder / "images.npy", images.float().numpy())
    program = PROGRAM.format(reader=READERS[target])
    done = subprocess.run(
        [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, '.')\n{program}"]
        if sys.version_info >= (3, 11)
        else [sys.executable, "-c", program],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return torch.from_numpy(np.load(folder / "found.npy"))


def check(target: str, tmp_path: Path) -> None:
    network = network_of(EVERYTHING)
    assert export_network(network, tmp_path, [target])[target] <= TOLERANCE
    generator = torch.Generator().manual_seed(5)
    images = torch.randint(256, (3, 3, 13, 10), generator=generator, dtype=torch.uint8)
    found = in_a_fresh_process(target, tmp_path, images)
    torch.testing.assert_close(found, network.logits(images), rtol=1e-4, atol=1e-4)


def test_the_python_file_rebuilds_the_network_with_torch_alone(tmp_path: Path) -> None:
    check("python", tmp_path)
    imported = [
        line.split()[1].split(".")[0]
        for line in (tmp_path / "network.py").read_text().splitlines()
        if line.startswith(("import ", "from "))
    ]
    assert set(imported) <= {"json", "dataclasses", "functools", "pathlib", "torch"}


@pytest.mark.slow
def test_the_exported_program_agrees_in_a_fresh_process(tmp_path: Path) -> None:
    check("torch", tmp_path)


@pytest.mark.slow
def test_the_onnx_file_agrees_in_onnxruntime(tmp_path: Path) -> None:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package)
    check("onnx", tmp_path)


def test_the_json_says_what_a_program_of_ones_own_needs(tmp_path: Path) -> None:
    network = network_of(EVERYTHING)
    export_network(network, tmp_path, ["json"])
    told = json.loads((tmp_path / "network.json").read_text())
    assert told["architecture"] == EVERYTHING.to_json()
    assert (told["classes"], told["image_shape"]) == (list(CLASSES), [3, 13, 10])
    assert told["parameters"] == sum(p.numel() for p in network.module.parameters())
    assert told["weights_digest"] == network.file.digest()


def test_an_unknown_target_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"Unknown export targets: 'tflite'.*'onnx'"):
        export_network(network_of(EVERYTHING), tmp_path / "out", ["json", "tflite"])
    assert not (tmp_path / "out").exists()


def test_an_export_that_computes_something_else_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = network_of(EVERYTHING)
    other = child_of(EVERYTHING)
    torch.nn.init.ones_(other.classifier.bias)
    other = other.requires_grad_(False)
    monkeypatch.setitem(export.TARGETS, "json", lambda *_: lambda images: other(images))
    with pytest.raises(ExportError, match="computes something else"):
        export_network(network, tmp_path, ["json"])
    monkeypatch.setitem(
        export.TARGETS, "json", lambda *_: lambda images: network.logits(images) * torch.nan
    )
    with pytest.raises(ExportError, match="computes something else"):
        export_network(network, tmp_path, ["json"])


def test_onnx_without_its_packages_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingDependencyError, match=r"nas_env\[export\]"):
        export_network(network_of(EVERYTHING), tmp_path, ["onnx"])
