"""Measure how well short recipes rank the networks of an environment, against a long recipe.

``python scripts/rank_recipes.py --env NAS-Digits-v0 --output runs/rank-digits --networks 8
--recipes quick --long '{"name": "quick", "epochs": 4, "train_images": null}'``

Stopped, or killed, and started again it goes on. Recipes, networks and seeds can be added later;
what is in the folder is not trained again.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from agents.command import run_command
from agents.ranking.candidates import Candidate, candidate, draw_networks, settings_of
from agents.ranking.measure import measure
from agents.ranking.table import as_json, markdown
from agents.ranking.trainings import Ledger, Plan, train
from agents.records.provenance import command_line, hardware, versions
from nas_env.checks import check_seed, require
from nas_env.envs.settings import ChildSettings
from nas_env.errors import ConfigurationError
from nas_env.system.files import write_durably

TABLE, FIGURES = "table.md", "figures.json"


@dataclass(frozen=True)
class RankOptions:
    """What to measure, and with what."""

    recipes: tuple[str, ...]
    """Short recipes: names, or JSON objects of changes such as '{"name": "quick", "resolution": 8,
    "width": 0.5}'."""
    long: str
    """The long recipe, likewise: what the short ones are to foretell."""
    output: Path
    """Folder of the trainings and of the table."""
    env: str = "NAS-CIFAR10-v0"
    """Id of the environment."""
    networks: int = 32
    """Random members of its space."""
    seed: int = 0
    """Draws them."""
    long_seeds: int = 2
    """Trainings of each network by the long recipe."""
    short_seeds: int = 2
    """Trainings of each network by each short one."""
    dataset: str | None = None
    """Name of a data set, or a folder. Default: the environment's."""
    data_dir: Path | None = None
    """Where data sets known by name live."""
    data_note: str = ""
    """Words on the data, kept beside the figures."""
    numerics: str | None = None
    """Arithmetic of recipes that name none, such as bfloat16-channels_last. Default: the fastest
    here, timed once."""
    workers: int = 1
    """Worker processes, one thread each."""
    report: bool = False
    """Train nothing: only write the table of what there is."""


def main() -> int:
    """Measure; the exit status is 0, 2 for an error, 130 after Ctrl-C."""

    def body() -> int:
        print(rank(tyro.cli(RankOptions, description=__doc__)))
        return 0

    return run_command(body, lambda: "interrupted; the same command goes on from here")


def rank(options: RankOptions) -> str:
    """Train what is missing, write the table, and return it.

    Raises:
        ConfigurationError: options that cannot be.
    """
    plan, settings = _plan(options)
    data = {"dataset": settings.dataset, "digest": plan.long.task.key()[0]}
    ledger = Ledger(options.output, {"env": options.env, "data": data["digest"]})
    if not options.report:
        train(plan, ledger, settings.metric_name, options.workers)
    measured = measure(plan, ledger, settings.metric_name)
    origin = {
        "env": options.env,
        "data": data | {"note": options.data_note},
        "command": command_line(),
        "versions": versions(),
        "hardware": hardware(),
        "recipes": {one.given: one.full for one in plan.candidates},
    }
    text = markdown(measured)
    write_durably(options.output / TABLE, text.encode())
    write_durably(options.output / FIGURES, as_json(measured, origin).encode())
    return text


def _plan(options: RankOptions) -> tuple[Plan, ChildSettings]:
    for name in ("networks", "long_seeds", "short_seeds", "workers"):
        require(getattr(options, name) >= 1, name, getattr(options, name), "at least 1")
    check_seed(options.seed)
    named: dict[str, Any] = {"dataset": options.dataset}
    named["data_dir"] = None if options.data_dir is None else str(options.data_dir)
    given = {name: value for name, value in named.items() if value is not None}
    settings = settings_of(options.env, given)
    candidates = [candidate(text, settings, options.numerics) for text in options.recipes]
    long = candidate(options.long, settings, options.numerics)
    _check_different([long, *candidates])
    networks = draw_networks(settings, options.networks, options.seed)
    space = settings.search_space()
    repeats = options.long_seeds, options.short_seeds
    return Plan(space, networks, long, candidates, *repeats), settings


def _check_different(candidates: list[Candidate]) -> None:
    seen: dict[str, str] = {}
    for one in candidates:
        if one.key in seen:
            raise ConfigurationError(
                f"{one.given} and {seen[one.key]} are the same recipe. Leave one out."
            )
        seen[one.key] = one.given
