"""How far a child's accuracy differs between arithmetics, beside how far it does between seeds.

A child has the same seed in every arithmetic: the same initial weights, order of images and crops.
What is left is rounding, which a training of many steps amplifies.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from agents.ranking.statistics import Floats, spearman
from nas_env.checks import at_least, check_settings
from nas_env.evaluation.evaluator import Job
from nas_env.evaluation.seeding import child_seed
from nas_env.space.conv_architecture import ConvArchitecture
from nas_env.tasks.image_task import ImageTask
from nas_env.training.image_numerics import NUMERICS, resolve_device
from nas_env.training.recipe_choice import recipe_from_text
from scripts.benchmarks.measure import machine, random_children


@dataclass(frozen=True)
class NumericsOptions:
    """Accuracies of the same children, with the same seeds, in every arithmetic."""

    networks: Annotated[int, at_least(2)] = 16
    """Random networks."""
    num_layers: int = 6
    """Layers of each."""
    seeds: Annotated[int, at_least(2)] = 2
    """Trainings of each network in each arithmetic."""
    dataset: str = "digits"
    """What they are trained on."""
    recipe: str = "quick"
    """How: a name, or a JSON object of changes."""
    seed: int = 0
    """Of the networks."""
    device: str = "cpu"
    """Device to train on."""

    def __post_init__(self) -> None:
        """Check every field."""
        check_settings(self)


def run(options: NumericsOptions) -> dict[str, object]:
    """Train, and compare; see ``NumericsOptions``."""
    networks = random_children(options.networks, options.num_layers, options.seed)
    found = {name: accuracies(name, networks, options) for name in NUMERICS}
    plain = found[NUMERICS[0]]
    differences = {f"{NUMERICS[0]} and {name}": spread(plain, found[name]) for name in NUMERICS[1:]}
    differences["two seeds"] = spread(plain[:, :-1], plain[:, 1:])
    return {
        "absolute_difference": differences,
        "accuracies": {name: table.tolist() for name, table in found.items()},
        "machine": machine(resolve_device(options.device)),
        "seed": options.seed,
    }


def accuracies(
    numerics: str, networks: Sequence[ConvArchitecture], options: NumericsOptions
) -> Floats:
    """(networks, seeds) validation accuracies."""
    given = recipe_from_text(options.recipe)
    recipe = {**({"name": given} if isinstance(given, str) else given), "numerics": numerics}
    task = ImageTask(options.dataset, recipe=recipe, device=options.device)
    data, _ = task.key()

    def accuracy(network: ConvArchitecture, seed: int) -> float:
        metric = task.run(Job(network, child_seed(seed, network, data, task.seed_recipe))).metric
        return np.nan if metric is None else metric

    return np.array([[accuracy(one, seed) for seed in range(options.seeds)] for one in networks])


def spread(first: Floats, second: Floats) -> dict[str, float]:
    """Of the absolute differences between two tables of the same children."""
    apart = np.abs(first - second)
    return {
        "median": float(np.nanmedian(apart)),
        "largest": float(np.nanmax(apart)),
        "spearman": spearman(np.nanmean(first, axis=1), np.nanmean(second, axis=1)),
    }
