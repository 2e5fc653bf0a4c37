"""What a finished training returns; failures are raised as ``ChildFailure`` instead."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingOutcome:
    """One trained child.

    Attributes:
        metric: what the reward is made of (accuracy as a fraction, or perplexity).
        curve: validation metric of each evaluated epoch, oldest first.
        parameters: learnable parameters.
        macs: multiply-accumulates of one forward pass of one example.
        seconds: wall-clock time of building, training and validating.
        numerics: arithmetic used, e.g. ``"float32"`` or ``"bfloat16-channels_last"``.
    """

    metric: float
    curve: tuple[float, ...]
    parameters: int
    macs: int
    seconds: float
    numerics: str
