"""Is an architecture a local optimum, as section 4.1 asks of Figure 7?

``nas-env perturb figure-7 --recipe fast --seeds 3 --tokens 20 --output runs/figure-7``

Trains the network, the same with all layers connected, without skip connections, with random ones,
and with a single token changed, by one recipe; one table, one picture.
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Train and print; the exit status is 0, or 2 for an error."""

    def body() -> int:
        options = read_options(PerturbOptions, arguments, __doc__)
        from agents.comparison.perturb import PAGE, perturb, verdict  # torch: after --help

        measured = perturb(options)
        for one in measured:
            if one.variant.group != "one token" or one.word != "not told apart":
                print("  ".join(one.cells()))
        print(verdict(measured))
        print(f"table and picture: {options.output / PAGE}")
        return 0

    return run_command(body, lambda: "interrupted; the same command goes on from here")
