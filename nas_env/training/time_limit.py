"""A child's own time: processor seconds on a CPU, seconds on the device on a GPU.

A busy machine makes a child late, not long: what it waits does not count. A generous limit by the
clock stands beside it, for a child that waits for ever; reaching that is no result.
"""

import time
from typing import TYPE_CHECKING

from nas_env.errors import ChildStalled, ChildTimeout

if TYPE_CHECKING:
    import torch

PATIENCE = 20.0
"""A child may take so many times its limit by the clock."""


class TimeLimit:
    """Begins to count where it is made, in the thread that trains.

    Args:
        limit_s: the child's own seconds; None = no limit.
        device: where it trains. On a GPU, ``epoch_begins`` and ``epoch_ended`` tell how long the
            device took for what was put on its stream between them; other processes on the same
            GPU are in that, as a GPU does not tell them apart.
    """

    def __init__(self, limit_s: float | None, device: "torch.device | None" = None) -> None:
        self.limit_s = limit_s
        self._device = device if device is not None and device.type == "cuda" else None
        self._clock = time.monotonic()
        self._processor = time.thread_time()
        self._on_device_s = 0.0
        self._begun: torch.cuda.Event | None = None

    def own_s(self) -> float:
        """Seconds that count."""
        if self._device is not None:
            return self._on_device_s
        return time.thread_time() - self._processor

    def check(self) -> None:
        """See whether the time is up.

        Raises:
            ChildTimeout: the child's own time is.
            ChildStalled: only the clock says so, by far.
        """
        if self.limit_s is None:
            return
        own = self.own_s()
        if own > self.limit_s:
            what = "on the device" if self._device is not None else "of processor time"
            raise ChildTimeout(f"Training took over {self.limit_s:g} s {what}.")
        waited = time.monotonic() - self._clock
        if waited > PATIENCE * self.limit_s:
            raise ChildStalled(
                f"Training is not over after {waited:.0f} s, of which {own:.3g} s are the child's "
                f"own; its limit is {self.limit_s:g} s."
            )

    def epoch_begins(self) -> None:
        """On a GPU: note the start on the stream; no wait."""
        if self._device is not None and self.limit_s is not None:
            self._begun = self._event()

    def epoch_ended(self) -> None:
        """On a GPU: wait for the device and count; then, as everywhere, ``check``.

        Raises:
            ChildTimeout, ChildStalled: as ``check``.
        """
        if self._begun is not None:
            ended = self._event()
            ended.synchronize()
            self._on_device_s += self._begun.elapsed_time(ended) / 1000.0
            self._begun = None
        self.check()

    def _event(self) -> "torch.cuda.Event":
        import torch

        assert self._device is not None
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(self._device))
        return event
