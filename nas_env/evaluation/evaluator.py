"""The interfaces between environments, evaluators and executors."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from nas_env.evaluation.evaluation import Evaluation, MetricName
from nas_env.space.layout import Architecture

MetricFunction = Callable[[Architecture, int], float]
"""A user's own evaluator: ``(architecture, seed) -> metric``."""


class Evaluator(Protocol):
    """What an environment holds: turns architectures into evaluations, reliably."""

    metric_name: MetricName

    def evaluate(self, architectures: Sequence[Architecture], run_seed: int) -> list[Evaluation]:
        """Evaluate a batch, concurrently where the evaluator can.

        Results come in the order of ``architectures``. A child's fault never raises: it is a failed
        evaluation. Every finished evaluation is stored before this returns.
        """

    def close(self) -> None:
        """Release workers and files; safe to call twice."""


@runtime_checkable
class TellsOfChildren(Protocol):
    """An evaluator that tells of each child of a batch as soon as its outcome is known.

    ``on_finished`` is called once per architecture of the batch, also for what was known before and
    for equal ones, in the process and thread that called ``evaluate``. For a display: what it
    raises ends the batch.
    """

    on_finished: Callable[[Evaluation], None] | None


@dataclass(frozen=True)
class Job:
    """One child to train."""

    architecture: Architecture  # canonical
    seed: int  # the child's own seed


class Task(Protocol):
    """How to train a child: data set + recipe + device. Picklable, and cheap to construct.

    A task may also have ``seed_recipe``, the recipe's digest without its arithmetic, which
    children's seeds then derive from.

    The process executor also looks for optional attributes: ``time_limit_s`` (of the task or of its
    ``recipe``), processor seconds after which it stops a child that does not stop itself;
    ``suggested_workers``, the number of processes where the user names none; ``cost(job)``, by
    which the largest children of a batch start first; ``memory_mb(job)``, by which no more children
    train at once than fit; and ``gpus`` and ``gpu_memory_mb``, the number of GPUs that workers are
    spread over, each of which sees its own alone, and the MiB of one.
    """

    @property
    def metric_name(self) -> MetricName:
        """The metric that ``run`` measures."""

    def key(self) -> tuple[str, str]:
        """(data-set digest, recipe digest): with architecture and seed, a result's identity."""

    def prepare(self) -> None:
        """Load data and choose numerics in this process; called once per process, idempotent."""

    def run(self, job: Job) -> Evaluation:
        """Train one child. Never raises for the child's fault."""


def time_limit_of(task: Task) -> float | None:
    """Processor seconds that a child of the task may train; None = no limit."""
    recipe = getattr(task, "recipe", None)
    limit: float | None = getattr(task, "time_limit_s", getattr(recipe, "time_limit_s", None))
    return limit


class Executor(Protocol):
    """Runs jobs of one task somewhere."""

    def run(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Evaluation]]:
        """Yield (index into ``jobs``, evaluation) in the order in which children finish."""

    def close(self) -> None:
        """Stop workers; safe to call twice."""
