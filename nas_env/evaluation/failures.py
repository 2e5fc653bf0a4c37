"""Exceptions and non-finite metrics as typed failures: the rules every executor shares."""

import errno
import logging
import math
import os
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import SupportsFloat, cast

from nas_env.errors import ChildFailure, InvalidArchitectureError, MachineFault, NasEnvError
from nas_env.evaluation.evaluation import FAILURES, Evaluation, Failure, MetricName
from nas_env.evaluation.evaluator import Job
from nas_env.evaluation.seeding import architecture_key

_LONGEST_MESSAGE = 500  # characters; CUDA's out-of-memory messages are essays

_MACHINES_ERRNOS = frozenset(
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EIO", "EROFS", "EMFILE", "ENFILE", "EAGAIN", "ESTALE")
    if hasattr(errno, name)
)
"""Disks that are full, broken or gone, and no more files or processes to be had."""
_MACHINES_SIGNS = (
    "no space left on device",
    "disk quota exceeded",
    "can't start new thread",
    # A GPU's context is of no more use after these: every later child of the process fails too.
    "cuda error",
    "cuda driver error",
    "hip error",
    "cudnn_status_execution_failed",
    "cudnn_status_internal_error",
    "cudnn_status_not_initialized",
    "cublas_status_execution_failed",
    "cublas_status_internal_error",
    "cublas_status_not_initialized",
)
TRIES_IN_PROCESS = 2
"""Of a child whose failure is the machine's, where no worker can be replaced."""

_log = logging.getLogger("nas_env.evaluation")
_explained: set[str] = set()  # lines of code whose error the log has explained


def failed(
    job: Job, metric_name: MetricName, failure: Failure, message: str, missing: bool = False
) -> Evaluation:
    """The evaluation of a child that could not be trained; ``missing``: by the machine's fault."""
    return Evaluation(
        architecture=architecture_key(job.architecture),
        seed=job.seed,
        metric_name=metric_name,
        metric=None,
        state="failed",
        failure=failure,
        message=" ".join(message.split())[:_LONGEST_MESSAGE],
        missing=missing,
    )


def is_childs_fault(error: BaseException) -> bool:
    """Whether an exception is one child's failure, as against missing data or a wrong setting.

    Errors that nas_env raises on purpose about anything but the child concern every child of the
    search, so they have to reach the caller.
    """
    own = isinstance(error, ChildFailure | InvalidArchitectureError)
    return own or not isinstance(error, NasEnvError)


def is_machines_fault(error: BaseException) -> bool:
    """Whether an exception tells of the machine instead of the child, or was raised for one."""
    if isinstance(error, NasEnvError) or failure_kind(error) != "error":
        return isinstance(error, MachineFault)  # said on purpose
    seen: BaseException | None = error
    for _ in range(5):  # causes may form a ring
        if seen is None:
            return False
        if isinstance(seen, OSError) and seen.errno in _MACHINES_ERRNOS:
            return True
        if is_machines_text(text_of(seen)):
            return True
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return False


def is_machines_text(text: str) -> bool:
    """Whether an error's text tells of the machine: a full disk, a device that is out of order."""
    lowered = text.lower()
    return "out of memory" not in lowered and any(sign in lowered for sign in _MACHINES_SIGNS)


def failure_kind(error: BaseException) -> Failure:
    """The failure that an exception of a child's training stands for."""
    if isinstance(error, ChildFailure) and error.failure in FAILURES:
        return cast(Failure, error.failure)
    # torch.OutOfMemoryError by name, because this module must not import torch.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "out_of_memory"
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
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
        kind, text, missing = failure_kind(error), text_of(error), is_machines_fault(error)
        if not isinstance(error, NasEnvError):
            text = f"{type(error).__name__}: {text}"
        if kind == "error":  # the kind nobody foresaw, perhaps a bug: the log keeps the traceback
            _explain_once(error, text)
        return finite(failed(job, metric_name, kind, text, missing))
    finally:
        if os.getpid() != me:  # a fork that the child made: the search is not its to go on with
            os._exit(0)


def run_here(run: Callable[[Job], Evaluation], job: Job, metric_name: MetricName) -> Evaluation:
    """``run_safely`` in this process; what is not the child's fault, or is memory, once more.

    Nothing else of ours trains beside it, so that a second lack of memory is the child's.
    """
    for _ in range(TRIES_IN_PROCESS):
        evaluation = run_safely(run, job, metric_name)
        if not (worth_another_try(evaluation) or evaluation.failure == "out_of_memory"):
            break
    return evaluation


def worth_another_try(evaluation: Evaluation) -> bool:
    """Whether the machine kept the child from a result, and not by keeping it waiting for ages."""
    return evaluation.missing and evaluation.failure != "timeout"


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
