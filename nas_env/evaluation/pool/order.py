"""In which order children of one batch start: the largest first.

The batch is over when its last child is. Started last, a large child keeps one worker busy while
the others have nothing left to do. The order changes no result.
"""

from collections.abc import Sequence

from nas_env.evaluation.evaluator import Job
from nas_env.space.conv_architecture import ConvArchitecture


def largest_first(jobs: Sequence[Job]) -> list[int]:
    """Indices of ``jobs`` by falling cost; jobs of unknown or equal cost keep their order."""
    if len(jobs) < 2:
        return list(range(len(jobs)))
    costs = [_cost(job) for job in jobs]
    return sorted(range(len(jobs)), key=lambda index: -costs[index])


def _cost(job: Job) -> int:
    """Multiply-accumulates of a convolutional network on a 32x32 image; cells cost all the same."""
    if not isinstance(job.architecture, ConvArchitecture):
        return 0
    from nas_env.child.conv.cost import conv_cost

    return conv_cost(job.architecture).macs
