"""An evaluator that comes to life with the first child.

Environments are constructed often (checkers, vector environments, specs) and travel between
processes. Data, workers, store and torch wait until they are needed, and stay behind when an
environment is pickled or copied.
"""

from collections.abc import Callable, Sequence
from typing import Any

from nas_env.evaluation.evaluation import Evaluation, MetricName
from nas_env.evaluation.evaluator import Evaluator, TellsOfChildren
from nas_env.space.layout import Architecture


class LazyEvaluator:
    """Calls ``make`` before the first evaluation, and again after ``close`` or unpickling.

    Args:
        make: makes the real evaluator; picklable.
        metric_name: what it will measure.

    Attributes:
        on_finished: passed on, see ``nas_env.evaluation.evaluator.TellsOfChildren``.
    """

    def __init__(self, make: Callable[[], Evaluator], metric_name: MetricName) -> None:
        self.metric_name: MetricName = metric_name
        self._make = make
        self._evaluator: Evaluator | None = None
        self._teller: TellsOfChildren | None = None  # the same, if it tells
        self.on_finished: Callable[[Evaluation], None] | None = None

    def evaluate(self, architectures: Sequence[Architecture], run_seed: int) -> list[Evaluation]:
        """Evaluate a batch; see ``nas_env.evaluation.evaluator.Evaluator``."""
        evaluator = self.open()
        if self._teller is not None:
            self._teller.on_finished = self.on_finished
        return evaluator.evaluate(architectures, run_seed)

    def open(self) -> Evaluator:
        """Make the real evaluator if there is none; its store is open and can be written.

        Raises:
            StoreError: the store cannot be used.
        """
        if self._evaluator is None:
            self._evaluator = made = self._make()
            self._teller = made if isinstance(made, TellsOfChildren) else None
        return self._evaluator

    def close(self) -> None:
        """Close the real evaluator if there is one."""
        if self._evaluator is not None:
            self._evaluator.close()
            self._evaluator = self._teller = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_evaluator": None, "_teller": None, "on_finished": None}
