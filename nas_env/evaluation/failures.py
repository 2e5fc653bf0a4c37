"""Exceptions and non-finite metrics as typed failures: the rules every executor shares."""

import logging
import math
import os
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import SupportsFloat, cast

from nas_env.errors import ChildFailure, InvalidArchitectureError, NasEnvError
from nas_env.evaluation.evaluation import FAILURES, Evaluation, Failure, MetricName
from nas_env.evaluation.evaluator import Job
from nas_env.evaluation.seeding import architecture_key

_LONGEST_MESSAGE = 500  # characters; CUDA's out-of-memory messages are essays

_log = logging.getLogger("nas_env.evaluation")
_explained: set[str] = set()  # lines of code whose error the log has explained


def failed(job: Job, metric_name: MetricName, failure: Failure, message: str) -> Evaluation:
    """The evaluation of a child that could not be trained."""
    return Evaluation(
        architecture=architecture_key(job.architecture),
        seed=job.seed,
        metric_name=metric_name,
        metric=None,
        state="failed",
        failure=failure,
        message=" ".join(message.split())[:_LONGEST_MESSAGE],
    )


def is_childs_fault(error: BaseException) -> bool:
    """Whether an exception is one child's failure, as against missing data or a wrong setting.

    Errors that nas_env raises on purpose about anything but the child concern every child of the
    search, so they have to reach the caller.
    """
    own = isinstance(error, ChildFailure | InvalidArchitectureError)
    return own or not isinstance(error, NasEnvError)


def failure_kind(error: BaseException) -> Failure:
    """The failure that an exception of a child's training stands for."""
    if isinstance(error, ChildFailure) and error.failure in FAILURES:
        return cast(Failure, error.failure)
    # torch.OutOfMemoryError by name, because this module must not import torch.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "out_of_memory"
    return "error"


def run_safely(
    run: Callable[[Job], Evaluation],
    job: Job,
    metric_name: MetricName,
    faults: tuple[type[BaseException], ...] = (Exception, SystemExit),
) -> Evaluation:
    """``run(job)`` with every fault of the child turned into a typed failure.

    Args:
        run: trains the child.
        job: the child.
        metric_name: what ``run`` measures.
        faults: what may be the child's fault. KeyboardInterrupt is the user's, except in a worker
            process, which Ctrl-C does not reach.

    Raises:
        NasEnvError: an error that is not the child's fault (missing data, a wrong setting).
    """
    me = os.getpid()
    try:
        return finite(run(job))
    except faults as error:
        if not is_childs_fault(error):
            raise
        kind, text = failure_kind(error), text_of(error)
        if not isinstance(error, NasEnvError):
            text = f"{type(error).__name__}: {text}"
        if kind == "error":  # the kind nobody foresaw, perhaps a bug: the log keeps the traceback
            _explain_once(error, text)
        return finite(failed(job, metric_name, kind, text))
    finally:
        if os.getpid() != me:  # a fork that the child made: the search is not its to go on with
            os._exit(0)


def text_of(error: BaseException) -> str:
    """``str(error)``, also of an exception whose own ``__str__`` raises."""
    try:
        return str(error)
    except Exception as second:
        return f"(its text raises {type(second).__name__})"


def _explain_once(error: BaseException, text: str) -> None:
    """Log the traceback of the first error from each place: a search may meet it 100 times."""
    place = traceback.format_tb(error.__traceback__)[-1]
    level = logging.DEBUG if place in _explained else logging.WARNING
    _explained.add(place)
    _log.log(level, "A child failed: %s", text, exc_info=True)


def real_number(value: object) -> float:
    """A metric as a float: numbers of Python, NumPy and torch; a text is none.

    Raises:
        TypeError: it is no real number.
    """
    plain = value.item() if hasattr(value, "item") else value
    if not isinstance(plain, SupportsFloat):  # float() would read "0.75" as well
        shown = repr(value)[:100]
        raise TypeError(f"a metric must be a real number, got {type(value).__name__} {shown}")
    return float(plain)


def finite(evaluation: Evaluation) -> Evaluation:
    """``evaluation`` in plain, storable values; ``diverged`` where the metric is not finite."""
    metric = None if evaluation.metric is None else real_number(evaluation.metric)
    plain = replace(
        evaluation,
        metric=metric,
        message=evaluation.message.encode(errors="replace").decode(),  # no lone surrogates
        curve=tuple(map(float, evaluation.curve)),
        parameters=int(evaluation.parameters),
        macs=int(evaluation.macs),
        train_seconds=float(evaluation.train_seconds),
    )
    if metric is None or math.isfinite(metric):
        return plain
    message = f"The metric is {metric}."
    return replace(plain, metric=None, state="failed", failure="diverged", message=message)
