"""Networks against each other by one recipe: found ones and those that people designed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import numpy as np

from agents.comparison.options import CompareNetworksOptions
from agents.finalise.progress import Stages
from agents.finalise.trainings import RecipesTask, job_of, train_all
from agents.records.averages import half_width
from agents.records.episode import best_of
from agents.records.provenance import command_line, hardware, versions
from agents.records.run_folder import RunFolder
from nas_env.errors import ConfigurationError, RunFolderError
from nas_env.evaluation.evaluation import Evaluation
from nas_env.evaluation.factory import make_executor
from nas_env.evaluation.store import EvaluationStore
from nas_env.space.architecture_json import architecture_from_json, load_architecture
from nas_env.space.layout import Architecture
from nas_env.system.files import write_durably
from nas_env.system.folders import user_path
from nas_env.system.reading import is_folder
from nas_env.tasks.image_task import ImageTask
from nas_env.tasks.kinds import kind_of
from nas_env.training.recipe_choice import recipe_from_text

DESIGNS = "baselines.networks:HumanDesign"
"""Imported when a name is none of a file or folder, as an agent of the registry is."""


@dataclass(frozen=True)
class Row:
    """One network.

    Attributes:
        name: as given.
        evaluations: of each seed.
    """

    name: str
    evaluations: tuple[Evaluation, ...]

    @property
    def metrics(self) -> list[float]:
        """Validation accuracies of the trainings that did not fail."""
        return [one.metric for one in self.evaluations if one.metric is not None]

    @property
    def half_width(self) -> float:
        """Of the 95% interval of the mean (Student's t over seeds); infinite for one."""
        return float(half_width(np.array(self.metrics)[:, None])[0]) if self.metrics else np.inf

    @property
    def seconds(self) -> float:
        """Mean of a training."""
        times = [one.train_seconds for one in self.evaluations if one.metric is not None]
        return sum(times) / len(times) if times else 0.0

    def cells(self) -> list[str]:
        """Of the table."""
        failed = sorted({one.failure for one in self.evaluations if one.metric is None})
        accuracy = "-"
        if self.metrics:
            half = self.half_width
            accuracy = f"{np.mean(self.metrics):.4f}" + (f" ± {half:.4f}" if half < 1e9 else "")
        known = max(self.evaluations, key=lambda one: one.parameters)
        count = f"{len(self.metrics)} of {len(self.evaluations)}"
        if failed:
            count += f" ({', '.join(failed)})"
        size = [f"{known.parameters:,}", f"{known.macs:,}"] if known.parameters else ["-", "-"]
        return [self.name, accuracy, count, *size, f"{self.seconds:,.1f}"]


HEADS = ("network", "accuracy", "seeds", "parameters", "MACs", "seconds")


def compare_networks(options: CompareNetworksOptions) -> list[Row]:
    """Train what is missing, print the table, write the figures.

    Raises:
        NasEnvError: an unknown network, missing data, a store that cannot be used.
    """
    if not options.networks or len(set(options.networks)) < len(options.networks):
        raise ConfigurationError(
            "Name one or more different networks: human designs such as resnet-20, JSON files of "
            f"architectures, run folders; got {list(options.networks)}."
        )
    chosen = [(name, find_network(name)) for name in options.networks]
    stages = Stages()
    with EvaluationStore(user_path(options.store)) as store:
        found: dict[str, Row] = {}
        for kind in dict.fromkeys(kind_of(architecture) for _, architecture in chosen):
            members = [(n, a) for n, a in chosen if kind_of(a) is kind]
            found |= {row.name: row for row in _train(kind, members, options, store, stages)}
    rows = [found[name] for name in options.networks]
    print(_table([[*HEADS], *(row.cells() for row in rows)]))
    print("accuracy: validation, mean over seeds ± half of its 95% interval (Student's t)")
    if options.output is not None:
        write_durably(user_path(options.output), _figures(rows, options).encode())
    return rows


def find_network(name: str) -> Architecture:
    """A human design, the architecture of a file, or the best of a run.

    Raises:
        NasEnvError: it is none of these.
    """
    place = user_path(name)
    if is_folder(place):
        best = best_of(RunFolder(place).episodes())
        if best is None or not best.architecture:
            raise RunFolderError(f"{place} has no child that was trained: name another run.")
        return architecture_from_json(json.loads(best.architecture))
    if place.suffix == ".json":
        return load_architecture(place)
    module, _, member = DESIGNS.partition(":")
    try:
        design: Any = getattr(import_module(module), member)
    except ImportError as error:
        raise ConfigurationError(f"Human designs cannot be loaded: {error}.") from error
    made: Architecture = design(name)
    return made


def _train(
    kind: Any,
    members: Sequence[tuple[str, Architecture]],
    options: CompareNetworksOptions,
    store: EvaluationStore,
    stages: Stages,
) -> list[Row]:
    """The rows of the networks of one kind, whose children one task trains."""
    recipe = recipe_from_text(options.recipe)
    task = kind.make_task(options.dataset, options.data_dir, recipe, options.device)
    if not isinstance(task, ImageTask):
        raise ConfigurationError(
            f"{members[0][0]} is of kind {kind.name!r}: networks for images are compared here."
        )
    executor = make_executor(RecipesTask(task), options.evaluator, options.workers)
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    # A human design has no narrower copy: all are trained as they are.
    whole = replace(task.recipe, width=1.0)
    jobs = [job_of(task, one, whole, seed) for _, one in members for seed in seeds]
    try:
        with stages.stage("trainings", len(jobs)) as stage:

            def tell(one: Evaluation) -> None:
                shown = f"failed ({one.failure})" if one.metric is None else f"{one.metric:.4f}"
                stage.advance(f"accuracy {shown}{' (known)' * one.cached}")

            done = train_all(task, jobs, executor, store, tell)
    finally:
        executor.close()
    size = options.seeds
    return [
        Row(name, tuple(done[size * n : size * (n + 1)])) for n, (name, _) in enumerate(members)
    ]


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in (0, 2) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _figures(rows: Sequence[Row], options: CompareNetworksOptions) -> str:
    told = {
        "dataset": str(options.dataset),
        "recipe": options.recipe,
        "networks": {
            row.name: {
                "accuracies": [one.metric for one in row.evaluations],
                "failures": [one.failure for one in row.evaluations if one.failure],
                "parameters": max(one.parameters for one in row.evaluations),
                "macs": max(one.macs for one in row.evaluations),
                "seconds": [one.train_seconds for one in row.evaluations],
            }
            for row in rows
        },
        "command": command_line(),
        "versions": versions(),
        "hardware": hardware(),
    }
    return json.dumps(told, indent=1) + "\n"
