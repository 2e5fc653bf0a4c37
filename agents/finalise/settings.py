"""What finalising can be told."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from nas_env.checks import at_least, check_settings


@dataclass(frozen=True)
class FinaliseSettings:
    """What to finalise, and how.

    Attributes:
        source: a run folder, or the JSON file of a convolutional architecture.
        output: folder of the result. Default: final/ in the run folder, or beside the file.
        top: so many architectures of the run, the best by validation metric, are trained again.
        seeds: trainings of each of them, with seeds that the search did not use; the mean decides.
            0 = the best of the search is taken as it is.
        grid: settings of training that are tried on the winner: small (learning rate and weight
            decay), full (also what else of the paper's grid the recipe has), or none.
        grid_recipe: how all these are trained: a name or a JSON object of changes. Default: the
            run's recipe; of a file quick.
        recipe: how the winner is trained to its end: fast, paper, quick, or a JSON object of
            changes such as '{"name": "fast", "batch_size": 64}'. What the grid chose is carried
            over.
        epochs: epochs of that training. Default: the recipe's.
        more_filters: so many more filters in every convolution of the winner.
        finals: trainings to the end, with different seeds; the best by validation is kept, and all
            are tested in the one reading of the test part.
        seed: of the choice and of the trainings. Default: the run's.
        test: read the test part, once, at the end.
        test_again: read it although it was read for this search before; the result says so.
        dataset: name or path. Default: the run's; of a file cifar10.
        data_dir: folder where data sets known by name are looked for and downloaded to.
        store: SQLite file of finished trainings. Default: the run's; of a file store.sqlite beside
            it.
        evaluator: where the shorter trainings run: process (workers) or local (this process).
        workers: worker processes. Default: as many as there are cores.
        device: auto, cpu or cuda.
    """

    source: tyro.conf.Positional[Path]
    output: Path | None = None
    top: Annotated[int, at_least(1)] = 3
    seeds: Annotated[int, at_least(0)] = 2
    grid: Literal["small", "full", "none"] = "small"
    grid_recipe: str | None = None
    recipe: str = "fast"
    epochs: Annotated[int | None, at_least(1)] = None
    more_filters: Annotated[int, at_least(0)] = 0
    finals: Annotated[int, at_least(1)] = 1
    seed: Annotated[int | None, at_least(0)] = None
    test: bool = True
    test_again: bool = False
    dataset: str | None = None
    data_dir: Path | None = None
    store: Path | None = None
    evaluator: Literal["process", "local"] = "process"
    workers: Annotated[int | None, at_least(1)] = None
    device: str = "auto"

    def __post_init__(self) -> None:
        """Check every field."""
        check_settings(self, "finalise:")


FREE_TO_CHANGE = ("test", "test_again", "evaluator", "workers", "store", "data_dir", "output")
"""Settings that change nothing of what is trained: another may be given when it goes on."""
