"""TensorBoard: a search's figures per update as event files, for those without an account.

``tensorboard --logdir RUNS`` shows them; nothing leaves the machine.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agents.observer import SearchStart
from agents.records.episode import Episode, SearchResult
from agents.tracking.figures import Figures, earlier_rows, memory_gb
from nas_env.errors import MissingDependencyError

FOLDER = "tensorboard"
"""In the run folder; without a run folder, in the working folder."""


class TensorBoardTracker:
    """An observer that writes the same figures as the wandb tracker, with update = step.

    A resume starts a new event file in the same folder, and TensorBoard drops what an earlier file
    holds from the first step of the new one on: no step shows twice.

    Raises:
        MissingDependencyError: the package is not installed.
    """

    def __init__(self) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingDependencyError(
                f"Tracking with TensorBoard needs its package ({error}). Install it with: "
                'pip install "nas_env[tensorboard]", or pip install tensorboard.'
            ) from error
        self._writer_class = SummaryWriter
        self._writer: Any = None
        self._figures = Figures()
        self._then = 0.0

    def begin(self, start: SearchStart) -> None:
        """Open the event file; a resume counts what there was, which earlier files hold."""
        self._figures = Figures()
        rows = []
        if start.run_dir is not None and start.episodes:
            rows = list(earlier_rows(self._figures, start.run_dir, start.episodes))
        folder = (start.run_dir or Path()) / FOLDER
        next_step = rows[-1][0] + 1 if rows else 1
        self._writer = self._writer_class(str(folder), purge_step=next_step)
        self._then = time.monotonic()

    def update(self, row: Mapping[str, Any], fresh: Sequence[Episode]) -> None:
        """Write one update's figures."""
        self._figures.add(fresh)
        now = time.monotonic()
        logged = self._figures.row(row, fresh, now - self._then)
        logged["memory_gb"], self._then = memory_gb(), now
        for name, value in logged.items():
            self._writer.add_scalar(name, value, int(row["update"]))
        self._writer.flush()

    def finish(self, result: SearchResult, exit_code: int) -> None:
        """Close the event file; does nothing without one."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
