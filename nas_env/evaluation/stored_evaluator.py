"""The evaluator behind every environment: cache, store and executor in one.

Nothing finished is lost: each evaluation is committed to the store as its child finishes, before
anyone sees it.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from nas_env.evaluation.evaluation import Evaluation, MetricName
from nas_env.evaluation.evaluator import Executor, Job, Task
from nas_env.evaluation.failures import finite
from nas_env.evaluation.seeding import architecture_key, child_seed
from nas_env.evaluation.store import EvaluationStore, ResultKey
from nas_env.space.layout import Architecture


class StoredEvaluator:
    """Trains each different child once; asks memory, then the store, then the executor.

    Args:
        task: how a child is trained; its ``key()`` is part of every result's identity.
        executor: where it is trained.
        store: where results are kept; without one they live as long as this object.

    Attributes:
        on_finished: see ``nas_env.evaluation.evaluator.TellsOfChildren``.
    """

    def __init__(self, task: Task, executor: Executor, store: EvaluationStore | None = None):
        self.task = task
        self.executor = executor
        self.store = store
        self.metric_name: MetricName = task.metric_name
        self.on_finished: Callable[[Evaluation], None] | None = None
        self._memory: dict[ResultKey, Evaluation] = {}

    def evaluate(self, architectures: Sequence[Architecture], run_seed: int) -> list[Evaluation]:
        """Evaluate a batch; results in the order of ``architectures``.

        ``cached`` is False exactly for children trained by this call, and within a batch for the
        first of equal ones.

        Raises:
            DatasetNotFoundError: the task's data are missing.
            StoreError: the store cannot be read or written; what finished before is in it.
            KeyboardInterrupt: children that finished are in the store, workers are stopped.
        """
        dataset, recipe = self.task.key()
        seeded_by = getattr(self.task, "seed_recipe", recipe)
        keys = []
        jobs: dict[ResultKey, Job] = {}
        for architecture in architectures:
            seed = child_seed(run_seed, architecture, dataset, seeded_by)
            key = ResultKey(architecture_key(architecture), dataset, recipe, seed)
            keys.append(key)
            if key not in jobs and not self._recall(key):
                jobs[key] = Job(architecture.canonical(), seed)
        times = Counter(keys)
        for key in times.keys() - jobs.keys():
            self._tell(self._memory[key], times[key])
        trained = self._train(jobs, times) if jobs else {}
        # pop: only the first of equal architectures counts as trained just now
        return [trained.pop(key) if key in trained else self._memory[key] for key in keys]

    def close(self) -> None:
        """Stop the workers and close the store; both come back if evaluate is called again."""
        self.executor.close()
        if self.store is not None:
            self.store.close()

    def _recall(self, key: ResultKey) -> bool:
        if key not in self._memory and self.store is not None:
            found = self.store.get(key)
            if found is not None:
                self._memory[key] = found
        return key in self._memory

    def _train(
        self, jobs: dict[ResultKey, Job], times: Counter[ResultKey]
    ) -> dict[ResultKey, Evaluation]:
        keys = list(jobs)
        trained = {}
        try:
            for index, evaluation in self.executor.run(list(jobs.values())):
                key = keys[index]
                trained[key] = self._commit(key, evaluation)
                self._tell(trained[key], times[key])
        except BaseException:  # also Ctrl-C: no worker may go on with a child nobody waits for
            self.executor.close()
            raise
        return trained

    def _tell(self, evaluation: Evaluation, times: int) -> None:
        if self.on_finished is not None:
            for _ in range(times):
                self.on_finished(evaluation)

    def _commit(self, key: ResultKey, evaluation: Evaluation) -> Evaluation:
        evaluation = finite(evaluation)
        evaluation = replace(evaluation, architecture=key.architecture, seed=key.seed, cached=False)
        if self.store is not None:
            # Another search may have trained the same child meanwhile: the first result counts.
            evaluation = self.store.put(key, evaluation)
        self._memory[key] = replace(evaluation, cached=True)
        return evaluation
