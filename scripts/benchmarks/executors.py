"""What the machinery around training costs: scaling over workers, overhead, the store.

Everything is measured in pairs that take turns, so that a busy machine slows both sides alike.
"""

import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nas_env.evaluation.callable_evaluator import CallableTask
from nas_env.evaluation.evaluation import Evaluation
from nas_env.evaluation.evaluator import Job
from nas_env.evaluation.pool.process_pool import ProcessExecutor
from nas_env.evaluation.store import EvaluationStore, ResultKey
from nas_env.space.choices import ChoiceArchitecture
from nas_env.space.conv import ConvSpace
from nas_env.tasks.image_task import ImageTask


@dataclass(frozen=True)
class ScalingOptions:
    """Children per minute with one worker process and with several, on the same children."""

    workers: int = 2
    """Worker processes to compare one with."""
    children: int = 8
    """Children per round: one batch of a search."""
    rounds: int = 3
    """Rounds; in each, one worker and several take turns on the same children."""
    num_layers: int = 6
    """Layers of a child."""
    dataset: str = "digits"
    """Name or path of the data set."""
    recipe: str = "quick"
    """How a child is trained."""
    data_dir: str | None = None
    """Folder of the data sets."""
    seed: int = 0
    """Of the children's architectures."""


def run(options: ScalingOptions) -> dict[str, object]:
    """Measure scaling; workers are started and have their data before the clock runs.

    Returns:
        Children per minute of each side (median of the rounds), the speed-up of each round and
        its median, the part of the time in which workers trained (what is missing to 1 is the
        pool's own cost and the wait for a batch's last child; other programs on the machine do not
        change it, as they do the speed-up), and whether both sides measured the same metrics.
    """
    task = ImageTask(options.dataset, options.data_dir, options.recipe, "cpu")
    task.key()  # numerics and download, before the workers need them
    space = ConvSpace(num_layers=options.num_layers)
    rng = np.random.default_rng(options.seed)
    one, several = ProcessExecutor(task, 1), ProcessExecutor(task, options.workers)
    rates: dict[str, list[float]] = {"one": [], "several": []}
    busy: dict[str, list[float]] = {"one": [], "several": []}
    same = True
    try:
        for pool in (one, several):
            _train(pool, _jobs(space, rng, options.workers))
        for _ in range(options.rounds):
            jobs = _jobs(space, rng, options.children)
            metrics = []
            for name, pool in (("one", one), ("several", several)):
                start = time.perf_counter()
                evaluations = _train(pool, jobs)
                wall_s = time.perf_counter() - start
                metrics.append([evaluation.metric for evaluation in evaluations])
                rates[name].append(60 * len(jobs) / wall_s)
                trained_s = sum(evaluation.train_seconds for evaluation in evaluations)
                busy[name].append(trained_s / (wall_s * pool.workers))
            same &= metrics[0] == metrics[1]
    finally:
        one.close()
        several.close()
    speed_ups = [many / single for single, many in zip(rates["one"], rates["several"], strict=True)]
    return {
        "children_per_minute_1_worker": statistics.median(rates["one"]),
        f"children_per_minute_{options.workers}_workers": statistics.median(rates["several"]),
        "speed_ups": speed_ups,
        "speed_up": statistics.median(speed_ups),
        "busy_1_worker": statistics.median(busy["one"]),
        f"busy_{options.workers}_workers": statistics.median(busy["several"]),
        "same_metrics": same,
    }


@dataclass(frozen=True)
class OverheadOptions:
    """Milliseconds per child that the worker processes and the store add to training."""

    children: int = 400
    """Children that take no time at all."""
    workers: int = 2
    """Worker processes."""
    folder: Path | None = None
    """Folder of the store (default: the system's temporary folder)."""


def run_overhead(options: OverheadOptions) -> dict[str, object]:
    """Measure the round trip of a child that trains in no time, and one commit to the store."""
    pool = ProcessExecutor(CallableTask(lambda *_: 0.5, "nothing"), options.workers)
    jobs = [Job(ChoiceArchitecture({"units": n}), n) for n in range(options.children)]
    try:
        start = time.perf_counter()
        _train(pool, jobs[: options.workers])
        start_s = time.perf_counter() - start
        start = time.perf_counter()
        evaluations = _train(pool, jobs)
        round_trip_s = (time.perf_counter() - start) / len(jobs)
    finally:
        pool.close()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        store = EvaluationStore(Path(folder) / "store.sqlite")
        commits = [_commit_s(store, evaluation) for evaluation in evaluations]
        store.close()
    return {
        "start_of_the_pool_s": start_s,
        "round_trip_ms": 1000 * round_trip_s,
        "commit_ms_median": 1000 * statistics.median(commits),
        "commit_ms_99_percent": 1000 * statistics.quantiles(commits, n=100)[98],
    }


def _jobs(space: ConvSpace, rng: np.random.Generator, count: int) -> list[Job]:
    return [Job(space.decode(space.sample(rng)), seed) for seed in range(count)]


def _train(pool: ProcessExecutor, jobs: list[Job]) -> list[Evaluation]:
    results = dict(pool.run(jobs))
    return [results[index] for index in range(len(jobs))]


def _commit_s(store: EvaluationStore, evaluation: Evaluation) -> float:
    key = ResultKey(evaluation.architecture, "data", "recipe", evaluation.seed)
    start = time.perf_counter()
    store.put(key, evaluation)
    return time.perf_counter() - start
