"""Children of a run trained again from their recorded seeds: does the record say what was measured?

On the numerics of the run (its processor and torch version) a child measures exactly the same, so a
metric that differs in its last digit was not measured by this recipe, data and seed. Elsewhere the
arithmetic differs in its last digits and a training amplifies that: then the noise is measured by
trainings with other seeds, and a child agrees within three standard deviations of a difference.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import variance
from typing import Any, Literal

from agents.finalise.progress import Stages
from agents.records.episode import Episode, best_of
from agents.records.provenance import hardware, versions
from agents.records.run_folder import RunFolder
from nas_env.errors import RunFolderError
from nas_env.evaluation.evaluation import Evaluation
from nas_env.evaluation.factory import make_evaluator
from nas_env.space.architecture_json import architecture_from_json
from nas_env.space.layout import Architecture
from nas_env.system.reading import strict_json
from nas_env.tasks.kinds import kind_of

OF_THE_CHILD = ("diverged", "too_large")
"""Failures that come again; others are a machine's."""
DEVIATIONS = 3.0

Verdict = Literal["same", "within noise", "differs", "not measured"]


@dataclass(frozen=True)
class Replayed:
    """One child.

    Attributes:
        episode: what the run says.
        evaluation: what was measured now.
        verdict: how they agree; ``"not measured"``: this machine kept the child from a result,
            which says nothing of the record.
        why: what differs, or what went wrong.
    """

    episode: Episode
    evaluation: Evaluation
    verdict: Verdict
    why: str = ""


@dataclass(frozen=True)
class Replay:
    """The outcome for a run.

    Attributes:
        children: that were trained again.
        same_numerics: whether exact agreement was asked for.
        deviation: standard deviation between seeds; nan where it was not needed.
    """

    children: tuple[Replayed, ...]
    same_numerics: bool
    deviation: float

    @property
    def differing(self) -> list[Replayed]:
        """Children that the record does not hold for."""
        return [one for one in self.children if one.verdict == "differs"]

    @property
    def measured(self) -> list[Replayed]:
        """Children that this machine could train."""
        return [one for one in self.children if one.verdict != "not measured"]


def replay(
    folder: Path,
    count: int,
    seed: int = 0,
    repeats: int = 3,
    evaluator: str = "process",
    workers: int | None = None,
    data_dir: Path | None = None,
    stages: Stages | None = None,
) -> Replay:
    """Train children of a run again: the best, and others drawn at random.

    Args:
        folder: the run.
        count: how many, at most.
        seed: draws them.
        repeats: trainings of each with other seeds, where the noise has to be known.
        evaluator: ``"process"`` or ``"local"``.
        workers: worker processes.
        data_dir: where the data are, if not where the run found them.
        stages: hears of it.

    Raises:
        RunFolderError: no run, nothing to train again, or a run that does not say how.
    """
    run = RunFolder(folder)
    config, episodes = run.read_config(), run.episodes()
    chosen = _draw(folder, episodes, count, seed)
    architectures = [_architecture(folder, one) for one in chosen]
    environment = config.get("environment", {})
    if "recipe" not in environment:
        raise RunFolderError(
            f"{folder} does not say how its children were trained (a table, or an environment that "
            "is not ours): it cannot be trained again."
        )
    kind = kind_of(architectures[0])
    where = data_dir or config.get("resources", {}).get("data_dir")
    task = kind.make_task(environment.get("dataset"), where, environment["recipe"])
    told = stages or Stages()
    same = _same_numerics(config)
    chosen_evaluator = make_evaluator(task, evaluator, workers, None)
    run_seed = int(config.get("seed", 0))
    try:
        with told.stage("children", len(chosen)) as stage:
            chosen_evaluator.on_finished = lambda one: stage.advance(_shown(one.metric))
            evaluations = chosen_evaluator.evaluate(architectures, run_seed)
        deviation = math.nan
        if not same:
            with told.stage("noise", repeats * len(chosen)) as stage:
                chosen_evaluator.on_finished = lambda one: stage.advance(_shown(one.metric))
                others = [
                    chosen_evaluator.evaluate(architectures, run_seed + 1 + number)
                    for number in range(repeats)
                ]
            deviation = _deviation([evaluations, *others])
    finally:
        chosen_evaluator.close()
    pairs = zip(chosen, evaluations, strict=True)
    return Replay(tuple(_judged(e, v, deviation) for e, v in pairs), same, deviation)


def _draw(folder: Path, episodes: Sequence[Episode], count: int, seed: int) -> list[Episode]:
    """The best, then others at random; in the order of the run."""
    able = [
        one
        for one in episodes
        if one.architecture and (one.state == "complete" or one.failure in OF_THE_CHILD)
    ]
    if not able:
        raise RunFolderError(
            f"{folder} has no child that could be trained again: {len(episodes)} children, none "
            "finished. Continue the search, or name another run."
        )
    best = best_of(able)
    rest = [one for one in able if one is not best]
    drawn = Random(seed).sample(rest, min(len(rest), count - (best is not None)))
    return sorted([*([best] if best else []), *drawn], key=lambda one: one.number)


def _architecture(folder: Path, episode: Episode) -> Architecture:
    try:
        return architecture_from_json(strict_json(episode.architecture))
    except ValueError as error:
        raise RunFolderError(
            f"Child {episode.number} of {folder} has no architecture that can be read: {error}"
        ) from error


def _same_numerics(config: dict[str, Any]) -> bool:
    """Whether this machine computes as that of the run did."""
    before = config.get("versions", {}).get("torch"), config.get("hardware", {}).get("processor")
    import torch  # noqa: F401 - versions() names it where it is loaded

    now = versions()["torch"], hardware()["processor"]
    on_gpu = bool(config.get("hardware", {}).get("gpus")) or bool(hardware()["gpus"])
    return before == now and None not in before and not on_gpu


def _deviation(rounds: Sequence[Sequence[Evaluation]]) -> float:
    """Between seeds, pooled over children."""
    variances = []
    for child in zip(*rounds, strict=True):
        metrics = [one.metric for one in child if one.metric is not None]
        if len(metrics) > 1:
            variances.append(variance(metrics))
    return math.sqrt(sum(variances) / len(variances)) if variances else math.nan


def _judged(episode: Episode, evaluation: Evaluation, deviation: float) -> Replayed:
    if evaluation.missing or (episode.state == "complete" and _of_this_machine(evaluation)):
        why = f"{evaluation.failure} here: {evaluation.message}"
        return Replayed(episode, evaluation, "not measured", why)
    for name in ("state", "parameters", "macs"):
        said, found = getattr(episode, name), getattr(evaluation, name)
        if said != found and not (name == "macs" and said == 0):  # older runs did not count them
            return Replayed(episode, evaluation, "differs", f"{name} {said}, measured {found}")
    if episode.state == "failed" and episode.failure != evaluation.failure:
        why = f"failure {episode.failure}, measured {evaluation.failure}"
        return Replayed(episode, evaluation, "differs", why)
    if episode.metric == evaluation.metric:
        return Replayed(episode, evaluation, "same")
    assert episode.metric is not None and evaluation.metric is not None
    gap = abs(episode.metric - evaluation.metric)
    if gap <= DEVIATIONS * math.sqrt(2) * deviation:  # False for nan
        return Replayed(episode, evaluation, "within noise")
    return Replayed(episode, evaluation, "differs", f"metric apart by {gap:.4g}")


def _of_this_machine(evaluation: Evaluation) -> bool:
    return evaluation.state == "failed" and evaluation.failure not in OF_THE_CHILD


def _shown(metric: float | None) -> str:
    return "failed" if metric is None else f"{metric:.4f}"
