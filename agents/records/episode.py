"""One finished episode as a search records it, and the search's outcome."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas_env.errors import NothingFoundError

SHOWN = 300
"""Characters of an architecture in a printed result."""
COLUMNS = (
    "number",
    "tokens",
    "architecture",
    "metric",
    "reward",
    "state",
    "failure",
    "parameters",
    "train_seconds",
    "cached",
    "message",
    "macs",
    "reward_missing",
)
"""Columns of ``episodes.csv``."""
STATES = ("complete", "failed")
SMALLEST_WINDOW, LARGEST_WINDOW = 8, 100
"""Children that are the recent ones, at least and at most; see ``recent_window``."""


@dataclass(frozen=True)
class Episode:
    """One architecture and what it earned.

    Attributes:
        number: 1, 2, ... in the order in which the search counts its children.
        tokens: the whole sequence.
        architecture: canonical architecture as JSON; ``""`` where the environment gives none.
        metric: as the environment measured it; None for a failed child.
        reward: what the agent learned from, unless ``reward_missing``.
        state: ``"complete"`` or ``"failed"``.
        failure: kind of failure, ``""`` if there was none.
        parameters: learnable parameters of the child, 0 if unknown.
        macs: multiply-accumulates of one forward pass of one example, 0 if unknown.
        train_seconds: wall-clock seconds of the training (of the first one, if cached).
        cached: whether the outcome was known before.
        message: what went wrong, in one line.
        reward_missing: the episode has no reward, and the agent learned nothing from it.
    """

    number: int
    tokens: tuple[int, ...]
    architecture: str
    metric: float | None
    reward: float
    state: str
    failure: str = ""
    parameters: int = 0
    macs: int = 0
    train_seconds: float = 0.0
    cached: bool = False
    message: str = ""
    reward_missing: bool = False

    @classmethod
    def of(
        cls, number: int, tokens: Sequence[int], reward: float, info: Mapping[str, Any]
    ) -> "Episode":
        """From the last step of an episode; what a foreign environment does not tell is left out.

        Without ``info["metric"]`` the reward is the metric.
        """
        failed = str(info.get("state", "complete")) == "failed"
        return cls(
            number=number,
            tokens=tuple(int(token) for token in tokens),
            architecture=str(info.get("architecture", "")),
            metric=None if failed else float(info.get("metric", reward)),
            reward=float(reward),
            state="failed" if failed else "complete",
            failure=str(info.get("failure", "")),
            parameters=int(info.get("parameters", 0)),
            macs=int(info.get("macs", 0)),
            train_seconds=float(info.get("train_seconds", 0.0)),
            cached=bool(info.get("cached", False)),
            message=str(info.get("message", "")),
            reward_missing=bool(info.get("reward_missing", False)),
        )

    def to_row(self) -> dict[str, str]:
        """The values of ``COLUMNS`` as text from which ``from_row`` restores them exactly."""
        return {
            **{name: str(getattr(self, name)) for name in COLUMNS},
            "tokens": " ".join(map(str, self.tokens)),
            "metric": "" if self.metric is None else repr(self.metric),
            "reward": repr(self.reward),
            "train_seconds": f"{self.train_seconds:.3f}",
            "cached": str(int(self.cached)),
            "reward_missing": str(int(self.reward_missing)),
        }

    @classmethod
    def from_row(cls, row: Mapping[str, str]) -> "Episode":
        """Read a row of ``episodes.csv``.

        Raises:
            KeyError, ValueError: a column is missing or holds something else.
        """
        return cls(
            number=int(row["number"]),
            tokens=tuple(int(token) for token in row["tokens"].split()),
            architecture=row["architecture"],
            metric=float(row["metric"]) if row["metric"] else None,
            reward=float(row["reward"]),
            state=row["state"],
            failure=row["failure"],
            parameters=int(row["parameters"]),
            macs=int(row.get("macs") or 0),  # earlier versions did not count them
            train_seconds=float(row["train_seconds"]),
            cached=row["cached"] == "1",
            message=row["message"],
            reward_missing=row.get("reward_missing") == "1",  # earlier versions had no such thing
        )


@dataclass(frozen=True, repr=False)
class SearchResult:
    """What a search found; printed, it says so in a line.

    Attributes:
        episodes: all of them, in order; those from before a resume included.
        run_dir: the run folder, None if there is none.
    """

    episodes: tuple[Episode, ...]
    run_dir: Path | None = None

    @property
    def best(self) -> Episode:
        """The complete episode with the highest reward (the earliest).

        Raises:
            NothingFoundError: no child succeeded; ``best_of(result.episodes)`` is None then.
        """
        found = best_of(self.episodes)
        if found is None:
            raise NothingFoundError(self._why_nothing())
        return found

    def __repr__(self) -> str:
        failed = sum(episode.state == "failed" for episode in self.episodes)
        parts = [f"{len(self.episodes)} children" + (f", {failed} failed" if failed else "")]
        found = best_of(self.episodes)
        if found is not None:
            metric = "" if found.metric is None else f"metric {found.metric:.4f}, "
            architecture = found.architecture or f"tokens {list(found.tokens)}"
            if len(architecture) > SHOWN:
                architecture = f"{architecture[:SHOWN]}..."
            what = f"{metric}reward {found.reward:.4f}, {architecture}"
            parts.append(f"best: child {found.number}, {what}")
        if self.run_dir is not None:
            parts.append(f"run folder {self.run_dir}")
        return f"SearchResult({'; '.join(parts)})"

    def _why_nothing(self) -> str:
        if not self.episodes:
            return "There is no best child: the search trained none yet. Give it more time."
        kinds = Counter(episode.failure or "error" for episode in self.episodes)
        listed = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
        said = self.episodes[0].message
        return (
            f"There is no best child: all {len(self.episodes)} failed ({listed}). "
            + (f"Child 1 says: {said.rstrip('.')}. " if said else "")
            + "Mend what the messages of `episodes` name and search again."
        )


def best_of(episodes: Sequence[Episode]) -> Episode | None:
    """The complete episode with the highest reward, the earliest of equals."""
    complete = [episode for episode in episodes if episode.state == "complete"]
    return max(complete, key=lambda episode: episode.reward, default=None)


def recent_window(children: int) -> int:
    """How many children are the recent ones: the last half, at least 8 and at most 100.

    The one meaning of "recent" in progress, tracking, reports and comparisons. Many enough to
    average the noise of single children, and without those from before the agent learned.
    """
    return min(LARGEST_WINDOW, max(SMALLEST_WINDOW, children // 2))


def recent_metrics(metrics: Sequence[float | None]) -> list[float]:
    """Metrics of the recent children among all so far, without those that failed (None)."""
    return [value for value in metrics[-recent_window(len(metrics)) :] if value is not None]
