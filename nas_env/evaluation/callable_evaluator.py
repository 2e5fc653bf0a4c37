"""A user's own function ``(architecture, seed) -> metric`` as an evaluator or a task."""

import time
from collections.abc import Callable, Sequence

from nas_env.evaluation.evaluation import Evaluation, MetricName
from nas_env.evaluation.evaluator import Job, MetricFunction
from nas_env.evaluation.failures import real_number, run_here
from nas_env.evaluation.seeding import CALLABLE, architecture_key, child_seed, digest
from nas_env.space.layout import Architecture


class CallableTask:
    """A function as a task, to run in worker processes and to keep its metrics in a store.

    Args:
        function: ``(architecture, seed) -> metric``; sees canonical architectures.
        name: identifies the function in a store. Two functions that measure different things need
            different names: a store cannot look inside.
        metric_name: what the function measures.
    """

    def __init__(
        self, function: MetricFunction, name: str, metric_name: MetricName = "metric"
    ) -> None:
        self.function = function
        self.name = name
        self._metric_name: MetricName = metric_name

    @property
    def metric_name(self) -> MetricName:
        """What the function measures."""
        return self._metric_name

    def key(self) -> tuple[str, str]:
        """Digests made of the name."""
        return CALLABLE, digest([CALLABLE, self.name])

    def prepare(self) -> None:
        """Nothing to load."""

    def run(self, job: Job) -> Evaluation:
        """Call the function."""
        start = time.perf_counter()
        metric = real_number(self.function(job.architecture, job.seed))
        return Evaluation(
            architecture=architecture_key(job.architecture),
            seed=job.seed,
            metric_name=self.metric_name,
            metric=metric,
            state="complete",
            train_seconds=time.perf_counter() - start,
        )


class CallableEvaluator:
    """A function as an evaluator: called in this process, once per architecture, never cached.

    Whatever it raises, and a metric that is NaN or infinite, becomes a typed failure.

    Args:
        function: ``(architecture, seed) -> metric``; the architecture is canonical and the seed a
            function of the run seed and the architecture.
        metric_name: what the function measures.

    Attributes:
        on_finished: see ``nas_env.evaluation.evaluator.TellsOfChildren``.
    """

    def __init__(self, function: MetricFunction, metric_name: MetricName = "metric") -> None:
        self.metric_name: MetricName = metric_name
        self.on_finished: Callable[[Evaluation], None] | None = None
        self._task = CallableTask(function, "", metric_name)

    def evaluate(self, architectures: Sequence[Architecture], run_seed: int) -> list[Evaluation]:
        """Call the function on each architecture, in order."""
        return [self._evaluate(architecture, run_seed) for architecture in architectures]

    def close(self) -> None:
        """Nothing to release."""

    def _evaluate(self, architecture: Architecture, run_seed: int) -> Evaluation:
        dataset, recipe = self._task.key()
        seed = child_seed(run_seed, architecture, dataset, recipe)
        job = Job(architecture.canonical(), seed)
        evaluation = run_here(self._task.run, job, self.metric_name)
        if self.on_finished is not None:
            self.on_finished(evaluation)
        return evaluation
