"""The trainings of a ranking: which there are, which are done, and doing the rest.

Every finished training is a line of one JSON-lines file at once, so that a run can be killed at any
instant and goes on from there, and recipes, networks and repeats can be added later on.
"""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agents.ranking.candidates import Candidate
from nas_env.errors import ConfigurationError
from nas_env.evaluation.evaluation import Evaluation, MetricName
from nas_env.evaluation.evaluator import Job
from nas_env.evaluation.pool.process_pool import ProcessExecutor
from nas_env.space.layout import SearchSpace
from nas_env.system.files import append_durably

FILE = "trainings.jsonl"
BLOCK = 4
"""Trainings handed to the workers at a time, for each worker."""
MACHINES_FAULT = ("worker_lost", "out_of_memory", "timeout", "error")
"""Failures that say nothing of a network: not recorded, so that the next run tries again."""

Network = tuple[int, ...]
Key = tuple[Network, str, int]
"""Tokens, recipe key, repeat."""


@dataclass(frozen=True)
class Training(Job):
    """One training: a job that knows its recipe."""

    network: Network
    candidate: int  # index of the recipe
    repeat: int


@dataclass(frozen=True)
class Done:
    """A finished training.

    Attributes:
        metric: None where the child failed.
        macs: multiply-accumulates of the network, at full width.
        processor_s: processor seconds of the worker, from building the child to its last metric.
    """

    metric: float | None
    macs: int
    processor_s: float


class RankingTask:
    """Trains with several recipes, and measures the worker's own processor seconds."""

    def __init__(self, candidates: Sequence[Candidate], metric_name: MetricName) -> None:
        self.tasks = [candidate.task for candidate in candidates]
        self.metric_name: MetricName = metric_name

    def key(self) -> tuple[str, str]:
        """Of no store: results go to a file of their own."""
        return "ranking", "ranking"

    def prepare(self) -> None:
        """Nothing: a recipe's data are loaded with its first training."""

    def run(self, job: Job) -> Evaluation:
        """Train one child."""
        assert isinstance(job, Training)
        task = self.tasks[job.candidate]
        task.prepare()
        started = time.process_time()
        evaluation = task.run(Job(job.architecture, job.seed))
        return replace(evaluation, train_seconds=time.process_time() - started)


class Ledger:
    """The file of finished trainings.

    Args:
        folder: where it is, or is to be.
        about: environment and data; a folder holds trainings of one only.

    Raises:
        ConfigurationError: the folder holds trainings of something else.
    """

    def __init__(self, folder: Path, about: dict[str, Any]) -> None:
        self.path = folder / FILE
        self.done: dict[Key, Done] = {}
        self._recipes: set[str] = set()
        folder.mkdir(parents=True, exist_ok=True)
        lines = list(_lines(self.path))
        found = next((line["about"] for line in lines if "about" in line), None)
        if found is None:
            self._append({"about": about})
        elif found != about:
            raise ConfigurationError(
                f"{self.path} holds trainings of {found}, not of {about}. Name another --output."
            )
        for line in lines:
            if "recipe" in line:
                self._recipes.add(line["recipe"])
            elif "network" in line:
                key = (tuple(line["network"]), line["with"], line["repeat"])
                self.done[key] = Done(line["metric"], line["macs"], line["processor_s"])

    def know(self, candidate: Candidate) -> None:
        """Note a recipe in full, once."""
        if candidate.key not in self._recipes:
            self._recipes.add(candidate.key)
            full = {"settings": candidate.full, "stated": candidate.stated}
            self._append({"recipe": candidate.key, "given": candidate.given, **full})

    def add(self, training: Training, candidate: Candidate, evaluation: Evaluation) -> None:
        """Keep a finished training."""
        done = Done(evaluation.metric, evaluation.macs, round(evaluation.train_seconds, 3))
        line = {
            "network": list(training.network),
            "with": candidate.key,
            "repeat": training.repeat,
            "seed": training.seed,
            "metric": done.metric,
            "macs": done.macs,
            "processor_s": done.processor_s,
            "numerics": evaluation.numerics,
        }
        if evaluation.metric is None:
            line |= {"failure": evaluation.failure, "message": evaluation.message}
        self._append(line)
        self.done[training.network, candidate.key, training.repeat] = done

    def _append(self, line: dict[str, Any]) -> None:
        text = json.dumps(line, separators=(",", ":")) + "\n"
        append_durably(self.path, text if _ends_whole(self.path) else "\n" + text)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """The whole lines of a file; one that a kill has cut short is passed over."""
    if not path.exists():
        return
    for text in path.read_text(errors="replace").splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict):
            yield line


def _ends_whole(path: Path) -> bool:
    if not path.exists() or not path.stat().st_size:
        return True
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1) == b"\n"


@dataclass(frozen=True)
class Plan:
    """What is to be trained.

    Attributes:
        space: of the environment.
        networks: tokens of each.
        long: the long recipe.
        short: the others.
        long_repeats: trainings of each network by the long recipe.
        short_repeats: the same by each short one.
    """

    space: SearchSpace[Any]
    networks: Sequence[Network]
    long: Candidate
    short: Sequence[Candidate]
    long_repeats: int = 2
    short_repeats: int = 2

    @property
    def candidates(self) -> list[Candidate]:
        """The long recipe, then the short ones."""
        return [self.long, *self.short]

    def trainings(self) -> Iterator[Training]:
        """The first training of every network by every recipe, network by network; then the second.

        So the table is complete, for the networks so far, at any time.
        """
        repeats = [self.long_repeats, *[self.short_repeats] * len(self.short)]
        for repeat in range(max(repeats)):
            for network in self.networks:
                for index, count in enumerate(repeats):
                    if repeat < count:
                        yield self._training(network, index, repeat)

    def _training(self, network: Network, index: int, repeat: int) -> Training:
        candidate = self.candidates[index]
        architecture = self.space.decode(network).canonical()
        return Training(architecture, candidate.seed(network, repeat), network, index, repeat)


def train(plan: Plan, ledger: Ledger, metric_name: MetricName, workers: int) -> None:
    """Do what is not done, each result kept as soon as it is there."""
    candidates = plan.candidates
    for one in candidates:
        ledger.know(one)
    todo = [
        training
        for training in plan.trainings()
        if (training.network, candidates[training.candidate].key, training.repeat)
        not in ledger.done
    ]
    print(f"{len(ledger.done):,} trainings are there, {len(todo):,} to be done", flush=True)
    executor = ProcessExecutor(RankingTask(candidates, metric_name), workers)
    try:
        for first in range(0, len(todo), BLOCK * workers):
            block = todo[first : first + BLOCK * workers]
            for index, evaluation in executor.run(block):
                training = block[index]
                if evaluation.failure in MACHINES_FAULT:
                    print(f"not kept: {evaluation.failure}, {evaluation.message}", flush=True)
                else:
                    ledger.add(training, candidates[training.candidate], evaluation)
            print(f"{first + len(block):,} of {len(todo):,}", flush=True)
    finally:
        executor.close()
