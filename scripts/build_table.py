"""Build the complete table behind NAS-Digits-Table-v0: train every member several times.

``python scripts/build_table.py --output nas_env/tables/digits.npz``

Every finished child is in the store at once: started again, the build goes on where it was. The
trainings are those of ``nas_env.evaluate(architecture, dataset="digits", recipe=RECIPE, seed=n)``
with n = 0, 1, ...; beside the validation accuracy, each child's accuracy on the test images is
measured once, for reports. No search can read this store's figures: its keys are its own.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tyro

from agents.command import run_command, run_script
from agents.records.provenance import command_line, hardware, versions
from nas_env.evaluation.evaluation import Evaluation
from nas_env.evaluation.evaluator import Job
from nas_env.evaluation.pool.process_pool import ProcessExecutor
from nas_env.evaluation.seeding import architecture_key, child_seed
from nas_env.evaluation.store import EvaluationStore, ResultKey
from nas_env.tables.file import space_from_json, write_table
from nas_env.tables.table import Table, count_members, tokens_of
from nas_env.tasks.image_task import ImageTask

if TYPE_CHECKING:
    import torch
    from torch import nn

    from nas_env.data.images import ImageData
    from nas_env.training.outcome import TrainingOutcome

SPACE = {
    "kind": "conv",
    "num_layers": 3,
    "max_layers": 3,
    "min_layers": 3,
    "filter_sizes": [1, 3, 5],
    "filters": [36],
}
"""5,832 of the architectures of NAS-Digits-v0."""
RECIPE = {"name": "quick", "learning_rate": 0.1, "numerics": "float32"}
"""One epoch over 800 images: the accuracies of two trainings of 24 members correlate by 0.89."""
BLOCK = 128
"""Children handed to the workers at a time."""


@dataclass(frozen=True)
class BuildOptions:
    """What to build, and with what."""

    output: Path = Path("nas_env/tables/digits.npz")
    """The table."""
    store: Path = Path("table-build.sqlite")
    """SQLite file that keeps every finished child; with it, a build can be interrupted."""
    trainings: int = 3
    """Trainings of each member."""
    workers: int | None = None
    """Worker processes; None = as many as there are cores."""
    limit: int | None = None
    """Stop after so many new children, without writing a table."""


class TableTask(ImageTask):
    """Trains as ``ImageTask`` does and measures the child on the test images as well.

    ``curve`` is (validation accuracy, test accuracy), and ``train_seconds`` are CPU seconds, which
    do not depend on what else the machine does.
    """

    def key(self) -> tuple[str, str]:
        """Keys that no search has: it must not meet a test figure."""
        dataset, recipe = super().key()
        return f"table:{dataset}", recipe

    def _load(self) -> "ImageData":
        from nas_env.data.held_out_images import load_held_out_images

        self._test = load_held_out_images(self.dataset, self.data_dir, self.recipe.resolution)
        return super()._load()

    def _train(self, job: Job, data: "ImageData", device: "torch.device") -> "TrainingOutcome":
        from nas_env.training.image_training import measure_accuracy, train_image_child

        held_out = replace(data, valid_images=self._test.images, valid_labels=self._test.labels)
        held_out = held_out.to(device)
        measured: list[float] = []

        def look(child: "nn.Module") -> None:
            measured.append(measure_accuracy(child, held_out, self.recipe))

        started = time.process_time()
        outcome = train_image_child(job.architecture, data, self.recipe, job.seed, device, look)
        seconds = time.process_time() - started
        return replace(outcome, curve=(outcome.metric, measured[0]), seconds=seconds)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_test": None}


class TableBuild:
    """The trainings of one table: which there are, which are done, and the table made of them."""

    def __init__(self, options: BuildOptions) -> None:
        self.options = options
        self.space = space_from_json(SPACE)
        self.task = TableTask("digits", recipe=RECIPE, device="cpu")
        self.store = EvaluationStore(options.store)
        self.started = time.time()

    def run(self) -> bool:
        """Train what is missing; whether all is done."""
        missing = [job for job in self._jobs() if self.store.get(self._key(job)) is None]
        total = count_members(self.space) * self.options.trainings
        print(f"{total:,} trainings, {len(missing):,} of them to be done", flush=True)
        todo = missing[: self.options.limit]
        executor = ProcessExecutor(self.task, self.options.workers)
        try:
            for first in range(0, len(todo), BLOCK):
                block = todo[first : first + BLOCK]
                for index, evaluation in executor.run(block):
                    if not evaluation.missing:  # else the next run trains it
                        self.store.put(self._key(block[index]), evaluation)
                self._report(first + len(block), len(todo))
        finally:
            executor.close()
        return len(todo) == len(missing)

    def _jobs(self) -> Iterator[Job]:
        """Every member's first training, then every member's second, ..."""
        for training in range(self.options.trainings):
            for index in range(count_members(self.space)):
                yield self._job(index, training)

    def _job(self, index: int, training: int) -> Job:
        architecture = self.space.decode(tokens_of(self.space, index)).canonical()
        dataset, _ = ImageTask.key(self.task)
        return Job(architecture, child_seed(training, architecture, dataset, self.task.seed_recipe))

    def _key(self, job: Job) -> ResultKey:
        return ResultKey(architecture_key(job.architecture), *self.task.key(), job.seed)

    def _report(self, done: int, total: int) -> None:
        minutes = (time.time() - self.started) / 60
        left = minutes / done * (total - done)
        print(f"{done:,} of {total:,}, {minutes:.1f} minutes, {left:.1f} left", flush=True)

    def write(self) -> Path:
        """Write the table from the store."""
        trainings, members = self.options.trainings, count_members(self.space)
        found = {row.key: row for row in self.store.rows(*self.task.key())}
        rows = [
            [found[self._key(self._job(index, training))] for training in range(trainings)]
            for index in range(members)
        ]
        measured = [[row.evaluation for row in member] for member in rows]
        table = Table(
            self.space,
            np.array([[_figure(one, 0) for one in member] for member in measured]),
            "accuracy",
            np.array([member[0].parameters for member in measured]),
            np.array([[one.train_seconds for one in member] for member in measured]),
            self._about([row.created for member in rows for row in member]),
        )
        test = np.array([[_figure(one, 1) for one in member] for member in measured])
        return write_table(self.options.output, table, SPACE, test)

    def _about(self, created: list[float]) -> dict[str, Any]:
        return {
            "title": "three-layer networks on scikit-learn's digits",
            "dataset": "digits",
            "seconds": "CPU seconds on one core, both measurements included",
            "recipe": asdict(self.task.recipe),
            "validation": "431 images cut from the first 1,437 by seed",
            "test": "the last 360 images, mostly of other writers",
            "command": command_line(),
            "versions": versions(),
            "hardware": hardware(),
            "begun": _utc(min(created)),
            "finished": _utc(max(created)),
        }


def main(options: BuildOptions) -> int:
    """Build; the exit status is 0 for a table, 3 if ``limit`` came first, 2 for an error."""

    def body() -> int:
        build = TableBuild(options)
        if not build.run():
            return 3
        print(f"written: {build.write()}")
        return 0

    return run_command(body, lambda: "interrupted; the same command goes on from here")


def _figure(evaluation: Evaluation, index: int) -> float:
    """Validation (0) or test (1) accuracy; NaN for a failed training."""
    return evaluation.curve[index] if evaluation.state == "complete" else math.nan


def _utc(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


if __name__ == "__main__":
    run_script(lambda: main(tyro.cli(BuildOptions, description=__doc__)))
