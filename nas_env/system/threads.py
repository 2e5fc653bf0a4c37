"""One torch thread per child, in every executor.

Two threads per child stall on a busy machine, and the number of threads changes the order of
floating-point sums: a child must measure the same metric whichever executor trains it.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

ONE_THREAD_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
}
"""Environment variables of a process that is to compute with one thread."""


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Compute with one torch thread inside, then restore; free where torch is not loaded."""
    before = _torch_threads()
    limit_torch_threads()
    try:
        yield
    finally:
        if before is not None:
            sys.modules["torch"].set_num_threads(before)


def limit_torch_threads() -> None:
    """Use one torch thread from here on, if torch is loaded."""
    if _torch_threads() not in (None, 1):
        sys.modules["torch"].set_num_threads(1)


def _torch_threads() -> int | None:
    torch = sys.modules.get("torch")
    return None if torch is None else int(torch.get_num_threads())
