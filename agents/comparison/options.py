"""What the comparisons of networks are told; torch is not imported, so that ``--help`` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from nas_env.checks import at_least, check_settings
from nas_env.tasks.kinds import CONV


@dataclass(frozen=True)
class CompareNetworksOptions:
    """What to train, and how.

    Attributes:
        networks: names of human designs, JSON files of architectures, run folders.
        seeds: trainings of each.
        first_seed: run seed of the first; the others follow.
        dataset: name or path.
        recipe: fast, paper, quick, or a JSON object of changes such as '{"name": "fast", "epochs":
            4}'.
        data_dir: folder where data sets known by name are looked for and downloaded to.
        store: SQLite file of finished trainings, the same as that of searches.
        evaluator: where to train: process (workers) or local (this process).
        workers: worker processes. Default: as many as there are cores.
        device: auto, cpu or cuda.
        output: JSON file for the figures.
    """

    networks: tyro.conf.Positional[tuple[str, ...]]
    seeds: Annotated[int, at_least(1)] = 3
    first_seed: Annotated[int, at_least(0)] = 0
    dataset: str = CONV.default_dataset
    recipe: str = "fast"
    data_dir: Path | None = None
    store: Path = Path("runs/store.sqlite")
    evaluator: Literal["process", "local"] = "process"
    workers: Annotated[int | None, at_least(1)] = None
    device: str = "auto"
    output: Path | None = None

    def __post_init__(self) -> None:
        """Check every field."""
        check_settings(self, "compare-networks:")


@dataclass(frozen=True)
class PerturbOptions:
    """Which network, and how its neighbours are trained.

    Attributes:
        network: figure-7, the JSON file of an architecture, or a run folder: its best.
        output: folder for table, figures and picture.
        seeds: trainings of each network.
        seed: run seed of the first; also draws what is random.
        random_skips: networks with all skip connections drawn anew.
        tokens: changes of one token, drawn at random. Default: all (for Figure 7, 240).
        filters_off: so many filters fewer in every convolution, to make it cheaper.
        dataset: name or path.
        recipe: fast, paper, quick, or a JSON object of changes.
        data_dir: folder where data sets known by name are looked for and downloaded to.
        store: SQLite file of finished trainings.
        evaluator: process (workers) or local (this process).
        workers: worker processes. Default: as many as there are cores.
        device: auto, cpu or cuda.
    """

    network: tyro.conf.Positional[str]
    output: Path = Path("runs/perturb")
    seeds: Annotated[int, at_least(1)] = 3
    seed: Annotated[int, at_least(0)] = 0
    random_skips: Annotated[int, at_least(0)] = 3
    tokens: Annotated[int | None, at_least(0)] = None
    filters_off: Annotated[int, at_least(0)] = 0
    dataset: str = CONV.default_dataset
    recipe: str = "fast"
    data_dir: Path | None = None
    store: Path = Path("runs/store.sqlite")
    evaluator: Literal["process", "local"] = "process"
    workers: Annotated[int | None, at_least(1)] = None
    device: str = "auto"

    def __post_init__(self) -> None:
        """Check every field."""
        check_settings(self, "perturb:")
