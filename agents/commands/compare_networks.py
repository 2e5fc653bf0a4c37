"""Train networks by one recipe, several seeds each: accuracy with intervals, size, time.

``nas-env compare-networks resnet-20 densenet-bc-40-12 runs/NAME mine.json --seeds 3``

A network is the name of a human design (resnet-110, preact-resnet-164, wide-resnet-28-10,
densenet-100-12, densenet-bc-100-12, all-cnn, network-in-network, torchvision/resnet18), the JSON
file of an architecture, or a run folder: its best. What the store has is not trained again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from agents.command import run_command
from agents.search.words import read_options
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Train and print; the exit status is 0, 1 if every training failed, 2 for an error."""

    def body() -> int:
        options = read_options(CompareNetworksOptions, arguments, __doc__)
        from agents.comparison.networks import compare_networks  # imports torch: after --help

        rows = compare_networks(options)
        return 0 if any(row.metrics for row in rows) else 1

    return run_command(body, lambda: "interrupted; the same command goes on from here")
