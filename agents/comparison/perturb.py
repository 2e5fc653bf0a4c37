"""Is an architecture a local optimum? It and its neighbours by one recipe, with several seeds."""

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from agents.comparison.networks import find_network
from agents.comparison.options import PerturbOptions
from agents.comparison.variants import Variant, variants
from agents.finalise.progress import Stages
from agents.finalise.trainings import RecipesTask, job_of, train_all
from agents.records.provenance import command_line, hardware, versions
from agents.reports import facts
from agents.reports.chart import COLOURS, Axes, Chart, Series, chart
from agents.reports.page import render
from nas_env.errors import InvalidArchitectureError
from nas_env.evaluation.evaluation import Evaluation
from nas_env.evaluation.factory import make_executor
from nas_env.evaluation.store import EvaluationStore
from nas_env.space.conv_architecture import ConvArchitecture
from nas_env.space.published import FIGURE_7
from nas_env.system.files import write_durably
from nas_env.system.folders import user_path
from nas_env.tasks.image_task import ImageTask
from nas_env.training.recipe_choice import recipe_from_text

FIGURES, PAGE = "figures.json", "perturb.html"
GROUPS = ("itself", "dense", "no skips", "random skips", "one token")
CONFIDENCE = 0.95

Word = Literal["itself", "better", "worse", "not told apart", "failed"]


@dataclass(frozen=True)
class Measured:
    """A variant and what was measured.

    Attributes:
        variant: the network.
        evaluations: of each seed.
        difference: of the mean accuracy from that of the network itself.
        half_width: of the difference's 95% interval (Student's t, both variances pooled).
    """

    variant: Variant
    evaluations: tuple[Evaluation, ...]
    difference: float
    half_width: float

    @property
    def metrics(self) -> list[float]:
        """Of trainings that did not fail."""
        return [one.metric for one in self.evaluations if one.metric is not None]

    @property
    def word(self) -> Word:
        """What the interval says."""
        if self.variant.group == "itself":
            return "itself"
        if not self.metrics:
            return "failed"
        if self.difference - self.half_width > 0:
            return "better"
        return "worse" if self.difference + self.half_width < 0 else "not told apart"

    def cells(self) -> list[str]:
        """Of the table."""
        mean = f"{np.mean(self.metrics):.4f}" if self.metrics else "-"
        half = f" ± {self.half_width:.4f}" if self.half_width < 1e9 else ""
        gap = "-" if self.word in ("itself", "failed") else f"{self.difference:+.4f}{half}"
        size = f"{self.evaluations[0].parameters:,}"
        return [self.variant.group, self.variant.name, size, mean, gap, self.word]


HEADS = ("group", "network", "#parameters", "#accuracy", "#difference", "says")


def perturb(options: PerturbOptions) -> list[Measured]:
    """Train what is missing, write table, figures and picture.

    Raises:
        NasEnvError: no convolutional network, missing data, a store that cannot be used.
    """
    named = options.network == "figure-7"
    architecture: Any = FIGURE_7 if named else find_network(options.network)
    if not isinstance(architecture, ConvArchitecture):
        raise InvalidArchitectureError(
            f"{options.network} is no convolutional network with tokens: give figure-7, a JSON "
            "file, or a run folder."
        )
    if options.filters_off:
        architecture = architecture.with_more_filters(-options.filters_off)
    members = variants(architecture, options.random_skips, options.tokens, options.seed)
    measured = _compare(members, _train(members, options))
    folder = user_path(options.output)
    write_durably(folder / FIGURES, (json.dumps(_told(measured), indent=1) + "\n").encode())
    write_durably(folder / PAGE, _page(measured, options).encode())
    return measured


def _train(members: list[Variant], options: PerturbOptions) -> list[tuple[Evaluation, ...]]:
    recipe = recipe_from_text(options.recipe)
    data_dir = None if options.data_dir is None else str(options.data_dir)
    task = ImageTask(options.dataset, data_dir, recipe, options.device)
    seeds = range(options.seed, options.seed + options.seeds)
    jobs = [job_of(task, one.architecture, task.recipe, seed) for one in members for seed in seeds]
    executor = make_executor(RecipesTask(task), options.evaluator, options.workers)
    try:
        with EvaluationStore(user_path(options.store)) as store:
            with Stages().stage("trainings", len(jobs)) as stage:

                def tell(one: Evaluation) -> None:
                    shown = "failed" if one.metric is None else f"{one.metric:.4f}"
                    stage.advance(f"accuracy {shown}{' (known)' * one.cached}")

                done = train_all(task, jobs, executor, store, tell)
    finally:
        executor.close()
    size = options.seeds
    return [tuple(done[size * n : size * (n + 1)]) for n in range(len(members))]


def _compare(members: list[Variant], found: list[tuple[Evaluation, ...]]) -> list[Measured]:
    own = [one.metric for one in found[0] if one.metric is not None]
    return [
        Measured(variant, evaluations, *difference(_metrics(evaluations), own))
        for variant, evaluations in zip(members, found, strict=True)
    ]


def _metrics(evaluations: tuple[Evaluation, ...]) -> list[float]:
    return [one.metric for one in evaluations if one.metric is not None]


def difference(values: list[float], own: list[float]) -> tuple[float, float]:
    """Mean difference and half of its 95% interval; infinite without two trainings of each."""
    if not values or not own:
        return float("nan"), float("inf")
    gap = float(np.mean(values) - np.mean(own))
    if min(len(values), len(own)) < 2:
        return gap, float("inf")
    from scipy.special import stdtrit

    n, m = len(values), len(own)
    pooled = ((n - 1) * np.var(values, ddof=1) + (m - 1) * np.var(own, ddof=1)) / (n + m - 2)
    quantile = float(stdtrit(n + m - 2, 0.5 + CONFIDENCE / 2))
    return gap, quantile * float(np.sqrt(pooled * (1 / n + 1 / m)))


def verdict(measured: list[Measured]) -> str:
    """In a sentence."""
    words = Counter(one.word for one in measured)
    others = len(measured) - 1
    by_chance = f"of {others}, about {0.025 * others:.1f} would be so by chance alone"
    if not words["better"]:
        start = f"None of {others} neighbours is certainly better"
    else:
        start = f"{words['better']} neighbours are certainly better ({by_chance})"
    return (
        f"{start}; {words['worse']} are worse, {words['not told apart']} are not told apart, "
        f"{words['failed']} failed."
    )


def _told(measured: list[Measured]) -> dict[str, Any]:
    return {
        "verdict": verdict(measured),
        "networks": [
            {
                "group": one.variant.group,
                "name": one.variant.name,
                "architecture": one.variant.architecture.to_json(),
                "accuracies": [e.metric for e in one.evaluations],
                "parameters": one.evaluations[0].parameters,
                "says": one.word,
            }
            for one in measured
        ],
        "command": command_line(),
        "versions": versions(),
        "hardware": hardware(),
    }


def _page(measured: list[Measured], options: PerturbOptions) -> str:
    ranked = sorted(measured, key=lambda one: -float(np.mean(one.metrics or [0.0])))
    return render(
        "perturb.html.j2",
        title="A local optimum?",
        refresh_s=0,
        subtitle=f"{options.network} on {options.dataset}, recipe {options.recipe}, "
        f"{options.seeds} seeds",
        verdict=verdict(measured),
        heads=HEADS,
        rows=[one.cells() for one in ranked],
        charts=[_chart(measured)],
        origin=[
            ("command", command_line()),
            ("versions", facts.versions_line(versions())),
            ("hardware", facts.hardware_line(hardware())),
        ],
    )


def _chart(measured: list[Measured]) -> Chart:
    series = []
    for number, group in enumerate(GROUPS):
        points = [one for one in measured if one.variant.group == group and one.metrics]
        points.sort(key=lambda one: one.evaluations[0].parameters)
        series.append(
            Series(
                group,
                [one.evaluations[0].parameters for one in points],
                [float(np.mean(one.metrics)) for one in points],
                COLOURS[number],
                "dots",
                labels=[one.variant.name for one in points],
            )
        )
    axes = Axes("parameters", "validation accuracy (fraction)", log_x=True)
    return chart("each network, mean over seeds", axes, series)
