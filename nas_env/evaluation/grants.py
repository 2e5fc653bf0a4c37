"""What a child was granted when it ran out of time or memory, kept with its failure.

A failure for want of seconds or MiB says nothing of a run that grants more. So the message of such
a failure ends with what was granted, in a form that is read back: ``[granted 120.0 s]``. That is no
column of its own, so that stores of before and after read each other.
"""

import math
import re
from dataclasses import replace
from typing import Protocol, runtime_checkable

from nas_env.evaluation.evaluation import Evaluation
from nas_env.evaluation.failures import is_machines_text

UNITS = {"timeout": "s", "out_of_memory": "MiB"}
"""The failures that another grant may not meet, and what is granted."""
LONGEST_MESSAGE = 450
"""Characters left of a message, so that the grant after it is never cut off."""
SAME_MEMORY = 1.02
"""The machine's memory differs a little from boot to boot; that much is no more than before."""

_GRANTED = re.compile(r" ?\[granted (inf|[0-9.e+-]+) (?:s|MiB)\]$")


@runtime_checkable
class Grants(Protocol):
    """An executor that knows how much of a thing a child of its task may use."""

    def granted(self, failure: str) -> float:
        """Seconds for ``timeout``, MiB for ``out_of_memory``; infinity where nothing limits it."""


def with_grant(evaluation: Evaluation, executor: object) -> Evaluation:
    """The evaluation, its message ending with what was granted where it ran out of that."""
    unit = UNITS.get(evaluation.failure)
    if unit is None or not isinstance(executor, Grants):
        return evaluation
    granted = float(executor.granted(evaluation.failure))
    message = f"{evaluation.message[:LONGEST_MESSAGE]} [granted {granted!r} {unit}]"
    return replace(evaluation, message=message.strip())


def granted_to(evaluation: Evaluation) -> float:
    """What a stored failure was granted; 0 where it does not say, as in older stores."""
    found = _GRANTED.search(evaluation.message)
    return float(found.group(1)) if found else 0.0


def may_end_otherwise(evaluation: Evaluation, executor: object) -> bool:
    """Whether a stored failure says nothing of this run, so that its child is trained again.

    So it is with what was the machine's fault (older versions stored that), and where this run
    grants more.
    """
    failure = evaluation.failure
    if evaluation.missing or (failure == "error" and is_machines_text(evaluation.message)):
        return True
    if failure not in UNITS or not isinstance(executor, Grants):
        return False
    granted, before = float(executor.granted(failure)), granted_to(evaluation)
    if failure == "out_of_memory" and math.isfinite(granted):
        return granted > before * SAME_MEMORY
    return granted > before
