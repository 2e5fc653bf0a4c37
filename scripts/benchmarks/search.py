"""What a search costs beside training: a whole search, seen from its own process.

The children train in other processes, so the processor time of this one is the agent, the
environment, the store, the logs and the checkpoints.
"""

import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from agents.observer import SearchStart
from agents.records.episode import Episode, SearchResult
from agents.search.environment import open_environment
from agents.search.search import Search, SearchSettings
from scripts.benchmarks.measure import machine


@dataclass(frozen=True)
class SearchOptions:
    """Share of a search's processor time that is not training."""

    env: str = "NAS-Digits-v0"
    """Id of the environment."""
    agent: str = "reinforce"
    """Who searches."""
    recipe: str = "quick"
    """How a child is trained."""
    children: int = 64
    """Children of the search."""
    children_per_update: int = 8
    """Children of an update."""
    workers: int = 2
    """Worker processes."""
    data_dir: str | None = None
    """Folder of the data sets."""
    seed: int = 0
    """Run seed."""


def run(options: SearchOptions) -> dict[str, object]:
    """Search once, with a run folder and a store in a temporary folder.

    Returns:
        Milliseconds of processor time of this process per update (median; the first update, which
        warms up, is left out), seconds per update by the clock, seconds of training per update over
        all workers, and the first as a share of the last.
    """
    watch = _Watch()
    arguments: dict[str, Any] = {"recipe": options.recipe, "workers": options.workers}
    arguments["data_dir"] = options.data_dir
    with tempfile.TemporaryDirectory() as folder:
        run_dir = Path(folder) / "run"
        env = open_environment(options.env, options.children_per_update, run_dir, arguments)
        try:
            settings = SearchSettings(
                options.children, None, options.children_per_update, options.seed
            )
            search = Search(env, options.agent, settings, run_dir)
            search.observers.add(watch)
            search.run()
        finally:
            env.close()
    own_s, trained_s = statistics.median(watch.own_s), statistics.median(watch.trained_s)
    return {
        "updates": len(watch.own_s),
        "own_ms_per_update": 1e3 * own_s,
        "clock_s_per_update": statistics.median(watch.clock_s),
        "training_s_per_update": trained_s,
        "share_of_training": own_s / trained_s,
        "machine": machine(torch.device("cpu")),
    }


@dataclass
class _Watch:
    """Reads the clocks after every update."""

    own_s: list[float] = field(default_factory=list)
    clock_s: list[float] = field(default_factory=list)
    trained_s: list[float] = field(default_factory=list)
    _before: tuple[float, float] | None = None

    def begin(self, start: SearchStart) -> None:
        """Nothing to do."""

    def update(self, row: Mapping[str, Any], fresh: Sequence[Episode]) -> None:
        """Note what the update took."""
        now = time.process_time(), time.perf_counter()
        if self._before is not None:
            self.own_s.append(now[0] - self._before[0])
            self.clock_s.append(now[1] - self._before[1])
            self.trained_s.append(sum(episode.train_seconds for episode in fresh))
        self._before = now

    def finish(self, result: SearchResult, exit_code: int) -> None:
        """Nothing to do."""
