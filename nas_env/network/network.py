"""A trained network to use: ``nas_env.load("final/").predict(pictures)``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from nas_env.child.conv.network import ConvNet
from nas_env.data.augment import Augmentation, evaluation_batch
from nas_env.errors import NetworkFileError
from nas_env.network.file import NetworkFile, read_network
from nas_env.network.pictures import Picture, as_batch

BATCH = 256


@dataclass(frozen=True)
class Prediction:
    """What a network says of one picture.

    Attributes:
        name: the most probable class.
        probability: of that class, by the softmax of the logits.
        probabilities: of every class: name -> probability, in label order.
    """

    name: str
    probability: float
    probabilities: dict[str, float]


class Deployed(nn.Module):
    """Pixels in [0, 255] -> logits: the normalisation and the child as one module."""

    def __init__(self, child: nn.Module, augmentation: Augmentation) -> None:
        super().__init__()
        self.child = child
        self.augmentation = augmentation

    def forward(self, images: Tensor) -> Tensor:
        """(batch, channels, height, width) of 0 to 255, uint8 or float -> (batch, classes)."""
        logits: Tensor = self.child(evaluation_batch(images, self.augmentation))
        return logits


class Network:
    """A trained network on the CPU or a GPU.

    Attributes:
        file: what was read: architecture, classes, facts.
        module: pixels in [0, 255] -> logits, in evaluation mode.
    """

    def __init__(self, file: NetworkFile, device: str | torch.device = "cpu") -> None:
        self.file = file
        self.module = _module(file).to(device).eval()
        self.device = torch.device(device)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in label order."""
        return self.file.classes

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) that pictures are brought to."""
        return self.file.image_shape

    def predict(self, pictures: Picture | Sequence[Picture]) -> list[Prediction]:
        """The class of each picture.

        Args:
            pictures: paths, Pillow images or arrays (one or a list of them); other sizes are
                resized (of another shape, the middle), grey and colour are converted.

        Raises:
            ConfigurationError: something that is no picture.
            InvalidDatasetError: a file that cannot be read.
        """
        fitted_to = self.file.normalisation.fitted_to
        probabilities = self.logits(as_batch(pictures, self.image_shape, fitted_to)).softmax(1)
        return [self._prediction(row) for row in probabilities.tolist()]

    @torch.no_grad()
    def logits(self, images: Tensor) -> Tensor:
        """(n, channels, height, width) uint8 of the network's own size -> (n, classes) float32."""
        parts = [self.module(part.to(self.device)).cpu() for part in torch.split(images, BATCH)]
        return torch.cat(parts)

    def _prediction(self, row: list[float]) -> Prediction:
        named = dict(zip(self.classes, row, strict=True))
        best = max(named, key=named.__getitem__)
        return Prediction(best, named[best], named)


def load(path: str | Path, device: str = "cpu") -> Network:
    """Load a trained network.

    Args:
        path: the folder that ``nas-env finalise`` wrote, or the file ``network.npz`` itself.
        device: where it computes: ``"cpu"`` or ``"cuda"``.

    Raises:
        NetworkFileError: missing, unfinished, damaged, or weights of another architecture.
    """
    return Network(read_network(path), device)


def epsilons_of(child: nn.Module) -> dict[str, float]:
    """Epsilon of each batch normalisation of a module."""
    return {
        name: float(module.eps)
        for name, module in child.named_modules()
        if isinstance(module, nn.BatchNorm2d)
    }


def _module(file: NetworkFile) -> Deployed:
    if len(file.classes) < 1 or min(file.image_shape) < 1:
        raise NetworkFileError(
            f"A network of {len(file.classes)} classes for images of shape {file.image_shape} "
            "cannot be built: the file is damaged."
        )
    sizes = file.image_shape[0], len(file.classes)
    try:
        with torch.device("meta"):  # a file that lies about its size is to take no memory
            empty = ConvNet(file.architecture, *sizes)
        _check_shapes(empty.state_dict(), file)
        with torch.random.fork_rng(devices=[]):
            child = ConvNet(file.architecture, *sizes)
        child.load_state_dict({k: torch.from_numpy(v) for k, v in file.weights.items()})
    except (RuntimeError, TypeError) as error:
        first = " ".join(str(error).split())[:300]
        raise NetworkFileError(
            f"The weights are those of another architecture than the file names: {first}."
        ) from error
    _set_epsilons(child, file)
    margin = file.normalisation.enlarged_by
    return Deployed(child, Augmentation("upsample" if margin else "none", margin))


def _check_shapes(expected: Mapping[str, Tensor], file: NetworkFile) -> None:
    """Raise ``RuntimeError`` for the first tensor that is missing, too many or of another shape."""
    for name in sorted({*expected, *file.weights}):
        wanted = tuple(expected[name].shape) if name in expected else "nothing"
        found = file.weights[name].shape if name in file.weights else "nothing"
        if wanted != found:
            raise RuntimeError(f"{name} should be {wanted}, the file has {found}")


def _set_epsilons(child: nn.Module, file: NetworkFile) -> None:
    modules = dict(child.named_modules())
    for name, epsilon in file.epsilons.items():
        norm = modules.get(name)
        if not isinstance(norm, nn.BatchNorm2d):
            raise NetworkFileError(f"The network has no batch normalisation {name!r}.")
        norm.eps = epsilon
