"""The outcome of training one child: a metric or a typed failure, with its curve and cost."""

from dataclasses import dataclass
from typing import Literal, get_args

State = Literal["complete", "failed"]
Failure = Literal["", "out_of_memory", "diverged", "timeout", "worker_lost", "too_large", "error"]
MetricName = Literal["accuracy", "perplexity", "metric"]
FAILURES: tuple[str, ...] = get_args(Failure)[1:]


@dataclass(frozen=True)
class Evaluation:
    """What is known of one child after its training. Never holds a test-set figure or a reward.

    Attributes:
        architecture: canonical architecture as a compact JSON string.
        seed: the child's own seed (see ``nas_env.evaluation.seeding.child_seed``).
        metric_name: ``"accuracy"`` (fraction), ``"perplexity"`` or ``"metric"`` (callables).
        metric: as measured on the validation data; None exactly when ``state == "failed"``.
        state: ``"complete"`` or ``"failed"``.
        failure: ``""`` or one of ``FAILURES``.
        message: for a failure, what happened, in one line.
        curve: validation metric of each evaluated epoch, oldest first.
        parameters: learnable parameters of the child (0 when unknown).
        macs: multiply-accumulates of one forward pass of one example (0 when unknown).
        train_seconds: wall-clock seconds the training took.
        numerics: arithmetic used, e.g. ``"float32"`` or ``"bfloat16-channels_last"``.
        cached: True when this came from the store or cache instead of a training just now.
        missing: True where the machine, not the child, is to blame (a lost worker, a full disk, a
            device error): no result, never stored, no reward. So is every ``worker_lost``.
    """

    architecture: str
    seed: int
    metric_name: MetricName
    metric: float | None
    state: State
    failure: Failure = ""
    message: str = ""
    curve: tuple[float, ...] = ()
    parameters: int = 0
    macs: int = 0
    train_seconds: float = 0.0
    numerics: str = ""
    cached: bool = False
    missing: bool = False

    def __post_init__(self) -> None:
        """A lost worker tells nothing of a child, whoever reports it."""
        if self.failure == "worker_lost":
            object.__setattr__(self, "missing", True)
