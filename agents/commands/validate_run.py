"""Train children of a run again from their recorded seeds, and say whether each agrees.

Exactly, on the run's processor and torch version; elsewhere within the noise between seeds, which
is measured. So a stranger can check a published search, and a metric that was changed is found.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from agents.command import run_command
from agents.search.words import read_options
from nas_env.checks import at_least, check_settings
from nas_env.system.folders import user_path


@dataclass(frozen=True)
class ValidateOptions:
    """What to check.

    Attributes:
        run: a run folder.
        children: how many at most: the best, and others drawn at random.
        seed: draws them.
        repeats: trainings of each with other seeds, on a machine whose arithmetic is another.
        evaluator: process (workers) or local (this process).
        workers: worker processes. Default: as many as there are cores.
        data_dir: folder where data sets known by name are. Default: the run's.
    """

    run: tyro.conf.Positional[Path]
    children: Annotated[int, at_least(1)] = 8
    seed: Annotated[int, at_least(0)] = 0
    repeats: Annotated[int, at_least(1)] = 3
    evaluator: Literal["process", "local"] = "process"
    workers: Annotated[int | None, at_least(1)] = None
    data_dir: Path | None = None

    def __post_init__(self) -> None:
        """Check every field."""
        check_settings(self, "validate-run:")


def main(arguments: Sequence[str] | None = None) -> int:
    """Check and print; the status is 0, 1 if a child does not agree or none was measured, or 2."""

    def body() -> int:
        options = read_options(ValidateOptions, arguments, __doc__)
        from agents.finalise.replay import replay  # imports torch: after --help

        found = replay(
            user_path(options.run),
            options.children,
            options.seed,
            options.repeats,
            options.evaluator,
            options.workers,
            options.data_dir,
        )
        for one in found.children:
            recorded, measured = one.episode.metric, one.evaluation.metric
            print(
                f"child {one.episode.number:5d}  recorded {_metric(recorded)}  measured "
                f"{_metric(measured)}  {one.verdict}{one.why and ': '}{one.why}"
            )
        asked = "exactly: this machine computes as the run's did"
        if not found.same_numerics:
            asked = f"within the noise: standard deviation between seeds {found.deviation:.4f}"
        count, wrong = len(found.measured), len(found.differing)
        print(f"{count - wrong} of {count} children agree ({asked})")
        if left := len(found.children) - count:
            print(f"{left} could not be trained on this machine, which says nothing of the record")
        return 1 if wrong or not count else 0

    return run_command(body)


def _metric(value: float | None) -> str:
    return "failed" if value is None else f"{value:.6f}"
