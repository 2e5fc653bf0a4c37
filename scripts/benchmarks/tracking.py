"""What watching a search costs: tracking offline, and the report at the end."""

import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym

from agents.observer import SearchStart
from agents.presets import find_preset
from agents.records.episode import Episode, SearchResult
from agents.reports.report import write_report
from agents.search.search import Search, SearchSettings
from agents.tracking.tracker import WandbTracker


@dataclass(frozen=True)
class TrackingOptions:
    """Seconds that tracking and the report add to a search of preset quick."""

    env: str = "NAS-Digits-v0"
    """Id of the environment: its architectures are written, but not trained."""
    search_s: float = 300.0
    """Seconds of such a search whose children are trained, to compare with."""
    rounds: int = 3
    """Searches; the first also pays for imports, as every process does once."""


class Timed(WandbTracker):
    """A tracker that adds up its own time."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = {"begin": 0.0, "updates": 0.0, "finish": 0.0}

    def begin(self, start: SearchStart) -> None:
        """As the tracker's."""
        since = time.perf_counter()
        super().begin(start)
        self.seconds["begin"] = time.perf_counter() - since

    def update(self, row: Mapping[str, Any], fresh: Sequence[Episode]) -> None:
        """As the tracker's."""
        since = time.perf_counter()
        super().update(row, fresh)
        self.seconds["updates"] += time.perf_counter() - since

    def finish(self, result: SearchResult, exit_code: int) -> None:
        """As the tracker's."""
        since = time.perf_counter()
        super().finish(result, exit_code)
        self.seconds["finish"] = time.perf_counter() - since


def run(options: TrackingOptions) -> dict[str, object]:
    """Search with tracking, several times.

    Returns:
        Seconds of begin, updates together, finish and report in each search, the sum of the first,
        and that as a share of ``search_s``.
    """
    os.environ["WANDB_MODE"] = "offline"
    children = find_preset("quick", "image").children
    searches = [_seconds(options.env, children) for _ in range(options.rounds)]
    first = sum(searches[0].values())
    return {
        "env": options.env,
        "children": children,
        "searches": searches,
        "first_s": first,
        "search_s": options.search_s,
        "share": first / options.search_s,
    }


def _seconds(env_id: str, children: int) -> dict[str, float]:
    tracker = Timed()
    env = gym.make_vec(env_id, num_envs=8, evaluator=_worth)
    with tempfile.TemporaryDirectory() as place:
        search = Search(env, "reinforce", SearchSettings(children=children), Path(place) / "run")
        search.observers.add(tracker)
        search.run()
        since = time.perf_counter()
        write_report([Path(place) / "run"])
        report_s = time.perf_counter() - since
    env.close()
    return {**tracker.seconds, "report": report_s}


def _worth(architecture: Any, seed: int) -> float:
    """Some metric, in no time."""
    filters: list[int] = [layer.filters for layer in architecture.layers]
    return sum(filters) / (64 * len(filters))
