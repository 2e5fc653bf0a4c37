"""Short trainings of several architectures with several recipes, through an executor and a store.

What the store has is not trained again, so an interrupted grid goes on where it was.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from nas_env.evaluation.evaluation import Evaluation, MetricName
from nas_env.evaluation.evaluator import Executor, Job
from nas_env.evaluation.failures import finite
from nas_env.evaluation.seeding import architecture_key, child_seed
from nas_env.evaluation.store import EvaluationStore, ResultKey
from nas_env.space.layout import Architecture
from nas_env.tasks.image_task import ImageTask
from nas_env.training.image_recipes import ImageRecipe

MACHINES_FAULT = ("worker_lost", "out_of_memory", "timeout", "error")
"""Failures that say nothing of a network: not kept, so that the next call tries again."""


@dataclass(frozen=True)
class RecipeJob(Job):
    """A child to train, and how."""

    recipe: ImageRecipe


class RecipesTask:
    """Trains each job with the job's own recipe, on the same images.

    Args:
        task: data set, device, and how the first is trained; its recipe selects the images.
    """

    metric_name: MetricName = "accuracy"

    def __init__(self, task: ImageTask) -> None:
        self.task = task

    @property
    def recipe(self) -> ImageRecipe:
        """For the limit of time of the executor."""
        return self.task.recipe

    def key(self) -> tuple[str, str]:
        """Of the task; a job's identity has its own recipe."""
        return self.task.key()

    def prepare(self) -> None:
        """Load the images."""
        self.task.prepare()

    def cost(self, job: Job) -> int:
        """Which child is the largest."""
        return self.task.cost(job)

    def run(self, job: Job) -> Evaluation:
        """Train one child."""
        assert isinstance(job, RecipeJob)
        self.task.prepare()
        return self.task.with_recipe(job.recipe).run(Job(job.architecture, job.seed))


def job_of(
    task: ImageTask, architecture: Architecture, recipe: ImageRecipe, run_seed: int
) -> RecipeJob:
    """The job that a search with that run seed and recipe would do."""
    seed = child_seed(run_seed, architecture, task.key()[0], recipe.seed_digest())
    return RecipeJob(architecture.canonical(), seed, recipe)


def key_of(task: ImageTask, job: RecipeJob) -> ResultKey:
    """Where the store keeps it."""
    key = architecture_key(job.architecture)
    return ResultKey(key, task.key()[0], job.recipe.digest(), job.seed)


def train_all(
    task: ImageTask,
    jobs: Sequence[RecipeJob],
    executor: Executor,
    store: EvaluationStore,
    tell: Callable[[Evaluation], None],
) -> list[Evaluation]:
    """Evaluations in the order of ``jobs``; each is in the store before ``tell`` hears of it.

    Raises:
        NasEnvError: missing data, a store that cannot be used.
    """
    found: dict[int, Evaluation] = {}
    for index, job in enumerate(jobs):
        known = store.get(key_of(task, job))
        if known is not None:
            found[index] = known
            tell(known)
    todo = [index for index in range(len(jobs)) if index not in found]
    try:
        for place, evaluation in executor.run([jobs[index] for index in todo]):
            index = todo[place]
            found[index] = _kept(store, key_of(task, jobs[index]), evaluation)
            tell(found[index])
    except BaseException:  # also Ctrl-C: no worker may go on with a child nobody waits for
        executor.close()
        raise
    return [found[index] for index in range(len(jobs))]


def _kept(store: EvaluationStore, key: ResultKey, evaluation: Evaluation) -> Evaluation:
    evaluation = finite(evaluation)
    evaluation = replace(evaluation, architecture=key.architecture, seed=key.seed, cached=False)
    return evaluation if evaluation.failure in MACHINES_FAULT else store.put(key, evaluation)
