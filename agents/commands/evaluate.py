"""Train one architecture and print what came out.

FILE.json: an architecture, trained on --dataset by --recipe with --seed. RUN: a run folder; its
best child (or --child N) is trained again exactly as the search did, recipe and seed included.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro

import nas_env
from agents.command import run_command
from agents.records.episode import best_of
from agents.records.run_folder import RunFolder
from agents.search.words import command_words, read_options
from nas_env.errors import ConfigurationError, RunFolderError
from nas_env.evaluation.evaluation import Evaluation
from nas_env.system.folders import user_path
from nas_env.system.reading import is_folder
from nas_env.training.recipe_choice import recipe_from_text


@dataclass(frozen=True)
class EvaluateOptions:
    """What to train, on what, and how."""

    source: tyro.conf.Positional[Path]
    """JSON file of an architecture, or a run folder."""
    child: int | None = None
    """Of a run folder: number of the child. Default: the best."""
    dataset: str | None = None
    """Name or path. Default: the run's; of a file cifar10 for a convolutional network, ptb for a
    recurrent cell."""
    recipe: str | None = None
    """How the child is trained: quick, fast, paper, or a JSON object of changes such as
    '{"name": "quick", "epochs": 2}'. Default: the run's; of a file quick."""
    seed: int | None = None
    """Run seed; the same seed gives what a search with that seed measures. Default: the run's; of a
    file 0."""
    data_dir: Path | None = None
    """Folder where data sets are looked for and downloaded to."""
    device: str = "auto"
    """auto, cpu or cuda."""
    store: Path | None = None
    """SQLite file to look the result up in and to keep it in."""
    evaluator: Literal["local", "process"] = "local"
    """Train in this process, or in a worker process with hard limits on time and memory."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Evaluate and print; the exit status is 0, 1 for a child that failed, 2 for an error."""

    def body() -> int:
        words = [w.replace("--executor", "--evaluator") for w in command_words(arguments)]
        options = read_options(EvaluateOptions, words, __doc__)
        evaluation = nas_env.evaluate(**what_to_train(options))
        print(report(evaluation))
        return 0 if evaluation.state == "complete" else 1

    return run_command(body)


def what_to_train(options: EvaluateOptions) -> dict[str, Any]:
    """Arguments of ``nas_env.evaluate``.

    Raises:
        NasEnvError: no such file, run or child; a run that trained nothing.
    """
    recipe = None if options.recipe is None else recipe_from_text(options.recipe)
    source = user_path(options.source)
    if is_folder(source):
        if options.child is not None and options.child < 1:
            raise ConfigurationError(f"child must be at least 1, got {options.child}.")
        told = _of_run(source, options.child)
    else:
        told = {"architecture": nas_env.load_architecture(source), "recipe": "quick"}
    given = {
        "dataset": options.dataset,
        "recipe": recipe,
        "seed": options.seed,
        "data_dir": options.data_dir,
        "device": options.device,
        "store": options.store,
        "evaluator": options.evaluator,
    }
    return told | {name: value for name, value in given.items() if value is not None}


def _of_run(folder: Path, number: int | None) -> dict[str, Any]:
    run = RunFolder(folder)
    config, episodes = run.read_config(), run.episodes()
    environment = config.get("environment", {})
    if "recipe" not in environment:
        raise RunFolderError(
            f"{folder} does not say how its children were trained (a table, or an environment that "
            "is not ours): give the JSON file of an architecture, --dataset and --recipe."
        )
    chosen = (
        best_of(episodes)
        if number is None
        else next((episode for episode in episodes if episode.number == number), None)
    )
    if chosen is None:
        wanted = "a child that was trained" if number is None else f"child {number}"
        raise RunFolderError(f"{folder} has no {wanted}: it has {len(episodes)} children.")
    told = {
        "architecture": json.loads(chosen.architecture),
        "dataset": environment.get("dataset"),
        "recipe": environment["recipe"],
        "seed": config.get("seed", 0),
        "data_dir": config.get("resources", {}).get("data_dir"),
    }
    return {name: value for name, value in told.items() if value is not None}


def report(evaluation: Evaluation) -> str:
    """The evaluation as lines of text."""
    if evaluation.metric is None:
        first = f"failed ({evaluation.failure}): {evaluation.message}"
    else:
        first = f"{evaluation.metric_name:<12} {evaluation.metric:.4f} (validation)"
    lines = [
        first,
        f"{'curve':<12} {' '.join(f'{value:.4f}' for value in evaluation.curve) or '-'}",
        f"{'parameters':<12} {evaluation.parameters:,}",
        f"{'MACs':<12} {evaluation.macs:,} per example",
        f"{'seconds':<12} {evaluation.train_seconds:.1f}{' (cached)' * evaluation.cached}",
        f"{'numerics':<12} {evaluation.numerics or '-'}",
        f"{'child seed':<12} {evaluation.seed}",
    ]
    return "\n".join(lines)
