"""A training to its end, validated after every epoch and resumable after each.

The checkpoint is one NumPy archive, replaced as a whole after every epoch: weights, momentum, the
generator, the best weights so far and the curves. Killed at any instant, the training goes on from
the last epoch that was finished, and on a CPU ends bit for bit as if it had not been.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nas_env.data.images import ImageData
from nas_env.errors import CheckpointError, NetworkFileError
from nas_env.network.file import archive_bytes, read_archive
from nas_env.network.network import epsilons_of
from nas_env.system.files import write_durably
from nas_env.system.reading import reason, strict_json
from nas_env.training.image_recipes import ImageRecipe
from nas_env.training.image_training import ImageChild, ImageTraining, as_array, image_training

Arrays = dict[str, NDArray[Any]]


@dataclass
class Curves:
    """What happened so far.

    Attributes:
        losses: mean training loss of each epoch.
        accuracies: validation accuracy after each epoch.
        seconds: of each epoch, validation included.
    """

    losses: list[float] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def best_epoch(self) -> int:
        """The first epoch, from 1, with the highest validation accuracy."""
        return self.accuracies.index(max(self.accuracies)) + 1


@dataclass(frozen=True)
class Trained:
    """A finished training.

    Attributes:
        weights: of the best epoch by validation: name in the module's state -> array.
        epsilons: of the batch normalisations.
        curves: of all epochs.
        seed: of the training.
    """

    weights: Arrays
    epsilons: Mapping[str, float]
    curves: Curves
    seed: int

    @property
    def accuracy(self) -> float:
        """Validation accuracy of the weights."""
        return max(self.curves.accuracies)


@dataclass(frozen=True)
class LongTraining:
    """What to train, and where its checkpoint is.

    Attributes:
        child: the network.
        data: training and validation images, on the device.
        recipe: how; its numerics are chosen.
        seed: of weights, order and augmentation.
        checkpoint: the file.
        identity: of all that: a checkpoint of something else is refused.
    """

    child: ImageChild
    data: ImageData
    recipe: ImageRecipe
    seed: int
    checkpoint: Path
    identity: str

    def run(self, tell: Callable[[Curves], None]) -> Trained:
        """Train what is missing.

        Args:
            tell: called after every epoch, and once before the first.

        Raises:
            CheckpointError: the checkpoint is damaged, or of another training.
            ChildFailure: it cannot be trained.
        """
        with image_training(self.child, self.data, self.recipe, self.seed) as training:
            curves, best = self._resume(training)
            tell(curves)
            while training.epoch < self.recipe.epochs:
                started = time.monotonic()
                curves.losses.append(training.run_epoch())
                curves.accuracies.append(training.accuracy())
                if curves.best_epoch == training.epoch:
                    best = _weights(training.child)
                curves.seconds.append(time.monotonic() - started)
                self._save(training, curves, best)
                tell(curves)
            return Trained(best, epsilons_of(training.child), curves, self.seed)

    def _resume(self, training: ImageTraining) -> tuple[Curves, Arrays]:
        """Where the checkpoint is; the start where there is none."""
        if not self.checkpoint.exists():
            return Curves(), _weights(training.child)
        try:
            arrays = read_archive(self.checkpoint)
            told = strict_json(arrays.pop("told").tobytes())
            if told["identity"] != self.identity:
                raise CheckpointError("it is that of another training")
            curves = Curves(**told["curves"])
            best = {k[5:]: arrays.pop(k) for k in list(arrays) if k.startswith("best/")}
            training.load_state(arrays)
        except (OSError, NetworkFileError, CheckpointError, KeyError, TypeError, ValueError) as no:
            raise CheckpointError(
                f"The checkpoint {self.checkpoint} cannot be gone on from: {reason(no)}. Remove "
                "the file to train this network from its start."
            ) from no
        return curves, best

    def _save(self, training: ImageTraining, curves: Curves, best: Arrays) -> None:
        told = json.dumps({"identity": self.identity, "curves": asdict(curves)})
        arrays: Arrays = {"told": np.frombuffer(told.encode(), np.uint8), **training.state()}
        arrays |= {f"best/{name}": value for name, value in best.items()}
        write_durably(self.checkpoint, archive_bytes(arrays))


def _weights(child: torch.nn.Module) -> Arrays:
    return {name: as_array(value) for name, value in child.state_dict().items()}
