"""One Python file that rebuilds a network with torch alone.

It is put together of the very classes that trained the network (``inspect.getsource``), so it
cannot fall behind them, and of small stand-ins for the classes that describe an architecture.
"""

import importlib.util
import inspect
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nas_env.child.conv import layers, network
from nas_env.data import augment
from nas_env.errors import ExportError
from nas_env.network.file import NetworkFile
from nas_env.space.conv_architecture import ConvArchitecture

_HEAD = '''"""A network found and trained with nas_env. It needs torch, and nothing else.

    python network.py                      # builds it, loads network_weights.pt, prints its size

    network = load()                       # pixels in [0, 255], (n, C, H, W) -> logits (n, classes)
    names = [CLASSES[i] for i in network(images).argmax(1).tolist()]
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

BATCH_NORM_EPSILON = {epsilon!r}
CONTRAST_FLOOR = {floor!r}
CLASSES = {classes!r}
IMAGE_SHAPE = {shape!r}  # (channels, height, width)
ENLARGED_BY = {enlarged!r}  # pixels on each side, before the centre is taken
EPSILONS = {epsilons!r}
ARCHITECTURE = json.loads(
    r"""{architecture}"""
)


@dataclass(frozen=True)
class Convolution:
    filter_height: int
    filter_width: int
    filters: int
    stride_height: int = 1
    stride_width: int = 1
    inputs: tuple = (0,)


@dataclass(frozen=True)
class Pooling:
    operation: str
    size: int
    stride: int
    inputs: tuple = (0,)


@dataclass(frozen=True)
class LocalContrastNormalisation:
    window: int
    inputs: tuple = (0,)


@dataclass(frozen=True)
class BatchNormalisation:
    epsilon: float
    inputs: tuple = (0,)


LAYER_TYPES = {{
    "convolution": Convolution,
    "pooling": Pooling,
    "local_contrast_normalisation": LocalContrastNormalisation,
    "batch_norm": BatchNormalisation,
}}
Layer = object


@dataclass(frozen=True)
class Augmentation:
    crop: str
    margin: int


@dataclass(frozen=True)
class ConvArchitecture:
    layers: tuple
    block_size: int = 1
    pool_after: tuple = ()
    batch_norm: bool = True

'''
_TAIL = '''

def read_architecture(data):
    layers = []
    for item in data["layers"]:
        given = {k: tuple(v) if k == "inputs" else v for k, v in item.items() if k != "type"}
        layers.append(LAYER_TYPES[item["type"]](**given))
    pool_after = tuple(data.get("pool_after", ()))
    return ConvArchitecture(
        tuple(layers), data.get("block_size", 1), pool_after, data.get("batch_norm", True)
    )


class Network(nn.Module):
    """Pixels in [0, 255] -> logits."""

    def __init__(self):
        super().__init__()
        architecture = read_architecture(ARCHITECTURE)
        self.child = ConvNet(architecture, IMAGE_SHAPE[0], len(CLASSES))
        modules = dict(self.child.named_modules())
        for name, epsilon in EPSILONS.items():
            modules[name].eps = epsilon

    def forward(self, images):
        crop = "upsample" if ENLARGED_BY else "none"
        return self.child(evaluation_batch(images, Augmentation(crop, ENLARGED_BY)))


def load(weights=Path(__file__).with_name("network_weights.pt")):
    network = Network()
    network.child.load_state_dict(torch.load(weights, weights_only=True))
    return network.eval()


if __name__ == "__main__":
    print(f"{sum(p.numel() for p in load().parameters()):,} parameters; classes: {CLASSES}")
'''


def standalone_source(file: NetworkFile) -> str:
    """The program of one network."""
    head = _HEAD.format(
        epsilon=layers.BATCH_NORM_EPSILON,
        floor=layers.CONTRAST_FLOOR,
        classes=file.classes,
        shape=file.image_shape,
        enlarged=file.normalisation.enlarged_by,
        epsilons=dict(file.epsilons),
        architecture=json.dumps(file.architecture.to_json(), indent=1),
    )
    members = [
        inspect.getsource(member)
        for member in (_function(ConvArchitecture, "outputs"), ConvArchitecture.needed_after)
    ]
    parts: list[Any] = [
        *(layers.ConvolutionBlock, layers.SameConvolution, layers.SamePooling),
        *(layers.ContrastNormalisation, network.ConvNet, network.concatenate, network._padded),
        *(network._layer_module, augment.standardise, augment.evaluation_batch, augment._widen),
    ]
    sources = "\n\n".join(inspect.getsource(part) for part in parts)
    text = head + "\n".join(members) + "\n\n" + sources + _TAIL
    return text.replace("Sequence[Tensor]", "list")


def _function(owner: type, name: str) -> Any:
    """The function behind a cached property."""
    return vars(owner)[name].func


def run_standalone(path: Path, images: Tensor) -> Tensor:
    """Logits of the program in a file, for the comparison after an export."""
    spec = importlib.util.spec_from_file_location("standalone_network", path)
    if spec is None or spec.loader is None:
        raise ExportError(f"{path} cannot be loaded.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with torch.no_grad():
        logits: Tensor = module.load()(images)
    return logits
