"""In which order children of one batch start: the largest first.

The batch is over when its last child is. Started last, a large child keeps one worker busy while
the others have nothing left to do. The order changes no result.
"""

from collections.abc import Callable, Sequence

from nas_env.evaluation.evaluator import Job


def largest_first(jobs: Sequence[Job], cost: Callable[[Job], float] | None = None) -> list[int]:
    """Indices of ``jobs`` by falling cost; jobs of unknown or equal cost keep their order."""
    if cost is None or len(jobs) < 2:
        return list(range(len(jobs)))
    costs = [cost(job) for job in jobs]
    return sorted(range(len(jobs)), key=lambda index: -costs[index])
