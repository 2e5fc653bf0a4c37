"""How deep the children of a search are, by how many there were before.

Source: Zoph & Le 2017, section 4.1: "we start the number of layers at 6 ... and increase by 2 every
1,600 samples", up to 20 in the reading of 12,800 samples (8 stages). Samples are counted over all
replicas of the controller.
"""

from dataclasses import dataclass

from nas_env.errors import ConfigurationError


@dataclass(frozen=True)
class DepthSchedule:
    """Depth in stages; within a stage every child has exactly its depth.

    Attributes:
        first: layers of the first children.
        step: layers added at each stage.
        every: children per stage.
        last: deepest stage.
    """

    first: int = 6
    step: int = 2
    every: int = 1600
    last: int = 20

    def __post_init__(self) -> None:
        if self.first < 1 or self.step < 0 or self.every < 1 or self.last < self.first:
            raise ConfigurationError(
                f"{self} makes no sense: first >= 1, step >= 0, every >= 1, last >= first."
            )

    def depth(self, children: int) -> int:
        """Layers of a child that follows ``children`` others."""
        return min(self.first + self.step * (children // self.every), self.last)
