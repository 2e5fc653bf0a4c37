"""How deep the children of a search are, by how many there were before.

Source: Zoph & Le 2017, section 4.1: "we start the number of layers at 6 ... and increase by 2 every
1,600 samples", up to 20 in the reading of 12,800 samples (8 stages). Samples are counted over all
replicas of the controller.
"""

from dataclasses import dataclass
from typing import Annotated

from nas_env.checks import at_least, check_settings, require


@dataclass(frozen=True)
class DepthSchedule:
    """Depth in stages; within a stage every child has exactly its depth.

    Attributes:
        first: layers of the first children.
        step: layers added at each stage.
        every: children per stage.
        last: deepest stage.
    """

    first: Annotated[int, at_least(1)] = 6
    step: Annotated[int, at_least(0)] = 2
    every: Annotated[int, at_least(1)] = 1600
    last: Annotated[int, at_least(1)] = 20

    def __post_init__(self) -> None:
        check_settings(self, "depth schedule")
        allowed = f"at least first ({self.first})"
        require(self.last >= self.first, "last", self.last, allowed, "depth schedule")

    def depth(self, children: int) -> int:
        """Layers of a child that follows ``children`` others."""
        return min(self.first + self.step * (children // self.every), self.last)
