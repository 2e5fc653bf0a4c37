"""The size of a child, counted from its architecture alone."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """Size of a child, for one image.

    Attributes:
        parameters: learnable parameters.
        macs: multiply-accumulates of one forward pass.
        activation_elements: numbers that the forward pass writes into feature maps: concatenations,
            and what convolutions, normalisations, ReLUs and poolings put out. Training keeps nearly
            all for the backward pass: times batch and bytes a number, the memory to expect.
    """

    parameters: int
    macs: int
    activation_elements: int

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.parameters + other.parameters,
            self.macs + other.macs,
            self.activation_elements + other.activation_elements,
        )
