"""What comes of finalising: what was tried, what was taken, what it measures."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.finalise.held_out import Reading
from agents.finalise.long_training import Trained
from agents.finalise.settings import FinaliseSettings
from agents.finalise.source import Candidate, Source
from nas_env.child.cost import Cost
from nas_env.data.images import ImageData
from nas_env.evaluation.evaluation import Evaluation
from nas_env.network.network import Network
from nas_env.space.conv_architecture import ConvArchitecture
from nas_env.training.image_recipes import ImageRecipe


@dataclass(frozen=True)
class Retrained:
    """A candidate and its trainings with new seeds."""

    candidate: Candidate
    evaluations: tuple[Evaluation, ...]

    @property
    def metrics(self) -> list[float]:
        """Of the trainings that did not fail."""
        return [one.metric for one in self.evaluations if one.metric is not None]

    @property
    def score(self) -> float:
        """What decides: the mean over new seeds, of the search where there are none."""
        if self.evaluations:
            return sum(self.metrics) / len(self.metrics) if self.metrics else -1.0
        return self.candidate.metric or 0.0


@dataclass(frozen=True)
class Finalised:
    """What came of it.

    Attributes:
        folder: of the result.
        source: the run.
        settings: as given.
        dataset: name of the data set.
        data: sizes and classes of the images, as the network saw them.
        retrained: the candidates, the winner first.
        grid: point and evaluation.
        point: the one that was taken.
        recipe: of the long training.
        architecture: that was trained to the end.
        trained: the long trainings, the kept one first.
        network: as people will load it.
        cost: of one image.
        reading: of the test part; None = not read.
        no_test: why not.
        validation: accuracy of the loaded network on the validation images.
    """

    folder: Path
    source: Source
    settings: FinaliseSettings
    dataset: str
    data: ImageData
    retrained: tuple[Retrained, ...]
    grid: tuple[tuple[dict[str, Any], Evaluation], ...]
    point: dict[str, Any]
    recipe: ImageRecipe
    architecture: ConvArchitecture
    trained: tuple[Trained, ...]
    network: Network
    cost: Cost
    validation: float
    reading: Reading | None = None
    no_test: str = ""

    @property
    def title(self) -> str:
        """The data set in a word: of a path, its last part."""
        return Path(self.dataset).name or self.dataset

    @property
    def winner(self) -> Candidate:
        """The architecture of the run that was taken."""
        return self.retrained[0].candidate
