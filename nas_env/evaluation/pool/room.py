"""How many children train at once: as many as their estimated memory allows, wherever they train.

A place is the machine's memory, or that of one GPU. Workers are spread evenly over the places. The
number of children that train side by side changes no result: what does not fit waits.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nas_env.evaluation.evaluator import Job, Task
from nas_env.system.machine import MEMORY_SHARE, machine_memory_mb

GPU_SHARE = 0.9
"""Of a GPU's memory, for all children on it."""
_VISIBLE = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True)
class Places:
    """Where children of a task train.

    Attributes:
        count: number of places.
        capacity_mb: memory of each, for all children in it together, in MiB.
        on_gpus: whether they are GPUs.
    """

    count: int
    capacity_mb: float
    on_gpus: bool

    def fits(self, wanted_mb: float, taken_mb: Iterable[float]) -> bool:
        """Whether a child fits beside others; one alone always does: it is to show that it cannot.

        Args:
            wanted_mb: of the child, 0 if unknown.
            taken_mb: of those in the same place.
        """
        taken = list(taken_mb)
        return not taken or sum(taken) + wanted_mb <= self.capacity_mb

    def most_at_once(self, wanted_mb: Sequence[float]) -> int:
        """How many of these children can train at once, at least 1."""
        count, free = 0, [self.capacity_mb] * self.count
        for wanted in sorted(wanted_mb):  # the smallest first: an upper bound
            place = max(range(self.count), key=free.__getitem__)
            if wanted > free[place]:
                break
            free[place] -= wanted
            count += 1
        return max(1, count)

    def emptiest(self, taken: Sequence[int]) -> int:
        """The place with the fewest workers, the first of equals.

        Args:
            taken: places of the workers that there are.
        """
        return min(range(self.count), key=list(taken).count)

    def environment(self, place: int) -> dict[str, str]:
        """Variables of a worker in this place: of several GPUs it sees its own alone, as the first.

        So no child has to know that there are others: captured graphs, streams and generators of
        a process are those of its only device.
        """
        if not self.on_gpus or self.count == 1:
            return {}
        visible = [name for name in os.environ.get(_VISIBLE, "").split(",") if name.strip()]
        return {_VISIBLE: visible[place].strip() if place < len(visible) else str(place)}


def places_of(task: Task) -> Places:
    """The GPUs that a task says it can use, or else the machine."""
    gpus = int(getattr(task, "gpus", 0))
    if gpus:
        memory_mb = float(getattr(task, "gpu_memory_mb", 0.0)) or float("inf")
        return Places(gpus, GPU_SHARE * memory_mb, True)
    return Places(1, MEMORY_SHARE * machine_memory_mb(), False)


def memory_of(task: Task, job: Job) -> float:
    """Estimated MiB of a child in its place, 0 where the task does not tell."""
    estimate = getattr(task, "memory_mb", None)
    return 0.0 if estimate is None else float(estimate(job))
