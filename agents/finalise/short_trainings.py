"""The choice: the best architectures again with new seeds, then the grid on the winner."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agents.finalise.grid import apply, describe, grid_points
from agents.finalise.outcome import Retrained
from agents.finalise.progress import Stages
from agents.finalise.settings import FinaliseSettings
from agents.finalise.source import Source
from agents.finalise.trainings import RecipeJob, RecipesTask, job_of, train_all
from nas_env.errors import NothingFoundError
from nas_env.evaluation.evaluation import Evaluation
from nas_env.evaluation.evaluator import Executor
from nas_env.evaluation.factory import make_executor
from nas_env.evaluation.store import EvaluationStore
from nas_env.tasks.image_task import ImageTask
from nas_env.training.image_recipes import ImageRecipe


@dataclass(frozen=True)
class ShortTrainings:
    """All trainings before the long one.

    Attributes:
        settings: of finalising.
        source: the run.
        task: how its children were trained.
        final: how the winner will be trained.
        store: keeps every finished one.
        stages: hears of each.
    """

    settings: FinaliseSettings
    source: Source
    task: ImageTask
    final: ImageRecipe
    store: EvaluationStore
    stages: Stages

    def run(self) -> tuple[tuple[Retrained, ...], tuple[tuple[dict[str, Any], Evaluation], ...]]:
        """The candidates again, best first; then the grid on the first of them."""
        task, settings = self.task, self.settings
        executor = make_executor(RecipesTask(task), settings.evaluator, settings.workers)
        try:
            candidates = self.source.candidates[: settings.top]
            seeds = [self.source.seed + 1 + number for number in range(settings.seeds)]
            if len(candidates) == 1:
                seeds = []  # nothing to choose
            jobs = [
                job_of(task, one.architecture, task.recipe, seed)
                for one in candidates
                for seed in seeds
            ]
            found = self._train("candidates", jobs, executor)
            if found and all(one.metric is None for one in found):
                raise NothingFoundError(
                    f"None of the {len(candidates)} best architectures could be trained again "
                    f"({found[0].failure}: {found[0].message}). Mend that and run the same command "
                    "again, or take the best of the search as it is (--seeds 0)."
                )
            size = len(seeds)
            retrained = [
                Retrained(one, tuple(found[size * n : size * (n + 1)]))
                for n, one in enumerate(candidates)
            ]
            retrained.sort(key=lambda one: -one.score)  # stable: of equals the better in the search
            winner = retrained[0].candidate.architecture
            points = grid_points(settings.grid, (task.recipe, self.final), winner)
            if len(points) < 2:
                return tuple(retrained), ()
            seed = self.source.seed + 1 + settings.seeds
            jobs = [job_of(task, winner, apply(task.recipe, p), seed) for p in points]
            measured = self._train("grid", jobs, executor, points)
            return tuple(retrained), tuple(zip(points, measured, strict=True))
        finally:
            executor.close()

    def _train(
        self,
        name: str,
        jobs: Sequence[RecipeJob],
        executor: Executor,
        points: Sequence[dict[str, Any]] = (),
    ) -> list[Evaluation]:
        if not jobs:
            return []
        with self.stages.stage(name, len(jobs)) as stage:

            def tell(evaluation: Evaluation) -> None:
                failed = evaluation.failure or "failed"
                shown = failed if evaluation.metric is None else f"{evaluation.metric:.4f}"
                stage.advance(f"accuracy {shown}{' (known)' * evaluation.cached}")

            found = train_all(self.task, jobs, executor, self.store, tell)
        for point, evaluation in zip(points, found, strict=bool(points)):
            self.stages.say(f"  {describe(point)}: {_shown(evaluation)}")
        return found


def _shown(evaluation: Evaluation) -> str:
    failed = f"failed ({evaluation.failure})"
    return failed if evaluation.metric is None else f"{evaluation.metric:.4f}"
