"""An evaluation as the tests of the store put it in, and its key."""

from dataclasses import replace

from nas_env.evaluation.evaluation import Evaluation
from nas_env.evaluation.store import ResultKey

KEY = ResultKey('{"kind":"toy"}', "data", "recipe", 2**63 - 1)
FULL = Evaluation(
    architecture=KEY.architecture,
    seed=KEY.seed,
    metric_name="accuracy",
    metric=0.1 + 0.2,
    state="complete",
    curve=(0.1, 1 / 3, 0.1 + 0.2),
    parameters=4_201_630,
    macs=4_300_000_000,
    train_seconds=12.345678901234567,
    numerics="bfloat16-channels_last",
)


def key(number: int) -> ResultKey:
    return replace(KEY, seed=number)
