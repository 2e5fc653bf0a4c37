"""Batches of infos and observations as Gymnasium's vector environments give them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_env.envs.episode import terminal_info
from nas_env.envs.worth import Worth
from nas_env.evaluation.evaluation import Evaluation, MetricName


def terminal_infos(
    evaluations: Sequence[Evaluation],
    finished: NDArray[np.bool_],
    metric_name: MetricName,
    worth: Worth,
) -> dict[str, Any]:
    """``terminal_info`` of each evaluation as arrays, with ``_key`` masks.

    Args:
        evaluations: outcomes, in the order of the rows in ``finished``.
        finished: (num_envs,) the rows they belong to.
        metric_name: what the metric is called where the evaluator does not know.
        worth: tells which episodes have a reward.
    """
    single = [terminal_info(item, metric_name, worth.missing(item)) for item in evaluations]
    infos: dict[str, Any] = {}
    for key, example in single[0].items():
        dtype = object if isinstance(example, str) else type(example)
        values = np.full(len(finished), None if dtype is object else 0, dtype)
        values[finished] = [info[key] for info in single]
        infos[key], infos[f"_{key}"] = values, finished.copy()
    return infos


def single_observations(
    observations: dict[str, NDArray[Any]], rows: NDArray[np.bool_]
) -> NDArray[np.object_]:
    """(num_envs,) observations of single environments in ``rows``, None elsewhere."""
    singles = np.full(len(rows), None, object)
    for row in np.flatnonzero(rows):
        singles[row] = {
            key: value[row].copy() if value.ndim > 1 else value[row]
            for key, value in observations.items()
        }
    return singles
