"""The ways in which memory runs out, as one typed failure."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from nas_env.errors import ChildOutOfMemory

_SIGNS = ("defaultcpuallocator", "bad_alloc", "out of memory", "status_alloc_failed")
_LONGEST_MESSAGE = 300


@contextmanager
def memory_errors() -> Iterator[None]:
    """Raise ``ChildOutOfMemory`` where Python, torch on a CPU or torch on a GPU runs out."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise ChildOutOfMemory(_first_line(error)) from error
    except RuntimeError as error:
        if any(sign in str(error).lower() for sign in _SIGNS):
            raise ChildOutOfMemory(_first_line(error)) from error
        raise


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:_LONGEST_MESSAGE]
