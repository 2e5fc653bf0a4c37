"""The evaluator behind every environment: cache, store and executor in one.

Nothing finished is lost: each evaluation is committed to the store as its child finishes, before
anyone sees it. What the machine kept from a result (``Evaluation.missing``) is neither stored nor
remembered: asked for again, it is tried again. A stored failure for want of time or memory is not
served to who grants more.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from nas_env.errors import ExecutorError
from nas_env.evaluation.evaluation import Evaluation, MetricName
from nas_env.evaluation.evaluator import Executor, Job, Task
from nas_env.evaluation.failures import finite
from nas_env.evaluation.grants import may_end_otherwise, with_grant
from nas_env.evaluation.seeding import architecture_key, child_seed
from nas_env.evaluation.store import EvaluationStore, ResultKey
from nas_env.space.layout import Architecture

MOST_MISSING = 24
"""Children in a row without a result by the machine's fault, until the search is told to stop."""


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
        self._missing = 0  # children in a row

    def evaluate(self, architectures: Sequence[Architecture], run_seed: int) -> list[Evaluation]:
        """Evaluate a batch; results in the order of ``architectures``.

        ``cached`` is False exactly for children trained by this call, and within a batch for the
        first of equal ones.

        Raises:
            DatasetNotFoundError: the task's data are missing.
            ExecutorError: the machine has kept many children in a row from a result.
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
        lost = {key: evaluation for key, evaluation in trained.items() if evaluation.missing}
        # pop: only the first of equal architectures counts as trained just now
        return [
            trained.pop(key) if key in trained else lost.get(key) or self._memory[key]
            for key in keys
        ]

    def close(self) -> None:
        """Stop the workers and close the store; both come back if evaluate is called again."""
        self.executor.close()
        if self.store is not None:
            self.store.close()

    def _recall(self, key: ResultKey) -> bool:
        if key not in self._memory and self.store is not None:
            found = self.store.get(key)
            if found is not None and not self._outdated(found):
                self._memory[key] = found
        return key in self._memory

    def _outdated(self, evaluation: Evaluation) -> bool:
        return may_end_otherwise(evaluation, self.executor)

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
        self._missing = self._missing + 1 if evaluation.missing else 0
        if evaluation.missing:
            self._check_machine(evaluation)
            return evaluation
        evaluation = with_grant(evaluation, self.executor)
        if self.store is not None:
            # Another search may have trained the same child meanwhile: the first result counts.
            evaluation = self.store.put(key, evaluation, self._outdated)
        self._memory[key] = replace(evaluation, cached=True)
        return evaluation

    def _check_machine(self, evaluation: Evaluation) -> None:
        """Give up where nothing works any more: a search would play its budget for nothing."""
        if self._missing >= MOST_MISSING:
            self._missing = 0
            raise ExecutorError(
                f"{MOST_MISSING} children in a row got no result, by no fault of theirs: this "
                f"machine fails them. The last: {evaluation.message} Mend that and try again; "
                "nothing wrong was stored."
            )
