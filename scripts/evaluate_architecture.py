"""Train one architecture from a JSON file and print what came out.

``python scripts/evaluate_architecture.py best_architecture.json --dataset digits``
"""

import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

if __name__ == "__main__":  # Ctrl-C while modules load: no traceback
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))

import tyro

import nas_env
from agents.command import run_script
from nas_env.evaluation.evaluation import Evaluation
from nas_env.training.recipe_choice import recipe_from_text


@dataclass(frozen=True)
class EvaluateOptions:
    """What to train, on what, and how."""

    architecture: tyro.conf.Positional[Path]
    """JSON file of an architecture, such as best_architecture.json of a run folder."""
    dataset: str | None = None
    """Name or path (default: cifar10 for a convolutional network, ptb for a recurrent cell)."""
    recipe: str = "quick"
    """How the child is trained: quick, fast, paper, or a JSON object of changes such as
    '{"name": "quick", "epochs": 2}'."""
    seed: int = 0
    """Run seed; the same seed gives what a search with that seed measures."""
    data_dir: Path | None = None
    """Folder where data sets are looked for and downloaded to."""
    device: str = "auto"
    """auto, cpu or cuda."""
    store: Path | None = None
    """SQLite file to look the result up in and to keep it in."""
    executor: Literal["local", "process"] = "local"
    """Train in this process, or in a worker process with hard limits on time and memory."""


def main() -> int:
    """Evaluate and print; the exit status is 0 if the child was trained."""
    options = tyro.cli(EvaluateOptions, description=__doc__)
    evaluation = nas_env.evaluate(
        nas_env.load_architecture(options.architecture),
        options.dataset,
        recipe_from_text(options.recipe),
        options.seed,
        data_dir=options.data_dir,
        device=options.device,
        store=options.store,
        evaluator=options.executor,
    )
    print(report(evaluation))
    return 0 if evaluation.state == "complete" else 1


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


if __name__ == "__main__":
    run_script(main)
