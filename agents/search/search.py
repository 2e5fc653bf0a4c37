"""The search loop: play a batch, learn from it, write everything down, until a budget is spent.

One update = sample m architectures, train their children, one step of the agent, one checkpoint.
A killed search resumes at its last checkpoint; the batch that was in flight is sampled again from
the agent's random state, and its finished children come from the environment's store, so the
resumed search ends bit for bit where the uninterrupted one would have.
"""

import hashlib
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from agents.agent import Agent, Problem
from agents.agent_state import restore
from agents.observer import Observers, SearchStart
from agents.records.checkpoint import Checkpoint
from agents.records.episode import Episode, SearchResult
from agents.records.provenance import command_line, hardware, versions
from agents.records.run_folder import RunFolder
from agents.registry import agent_settings as default_settings
from agents.registry import build_agent
from agents.reports.observers import run_folder_observers
from agents.search.environment import (
    children_counted,
    describe_environment,
    open_evaluator,
    own_positions,
    pinned_numerics,
)
from agents.search.learned import check_reward
from agents.search.play import AnyEnv, Order, Player, make_player, to_batch
from agents.search.progress import Tally, make_display
from agents.search.schedule import DepthSchedule
from nas_env.checks import above, at_least, check_settings
from nas_env.errors import (
    ConfigurationError,
    DatasetNotFoundError,
    ExecutorError,
    InvalidDatasetError,
    StoreError,
)

AgentFactory = Callable[[Problem, int], Agent]
"""``(problem, seed) -> agent``: a function, or a subclass of ``Agent`` itself."""

NOT_TRAINABLE = (ConfigurationError, DatasetNotFoundError, InvalidDatasetError)
"""What the first child finds wrong, whatever its architecture."""


@dataclass(frozen=True)
class SearchSettings:
    """How far a search goes and in what steps.

    Attributes:
        children: stop after so many children; None = no such limit.
        hours: stop at the first update after so many hours, all resumes together; None = no limit.
        children_per_update: m, the architectures of one update.
        seed: run seed: of the agent, and of every child through the environment.
        schedule: depth of the children; None = the environment's own.
        resume: continue the run in the run folder.
        progress: show a progress bar, or lines where there is no terminal.
    """

    children: Annotated[int | None, at_least(1)] = None
    hours: Annotated[float | None, above(0)] = None
    children_per_update: Annotated[int, at_least(1)] = 8
    seed: Annotated[int, at_least(0)] = 0
    schedule: DepthSchedule | None = None
    resume: bool = False
    progress: bool = False

    def __post_init__(self) -> None:
        check_settings(self)
        if self.children is None and self.hours is None:
            raise ConfigurationError("A search needs a budget: give children, hours, or both.")


class Search:
    """One search, from its first update or from a checkpoint to the end of its budget.

    Args:
        env: an environment.
        agent: name of the agent, or what makes one.
        settings: budget and steps.
        run_dir: run folder, or None.
        agent_settings: its hyper-parameters; None = the defaults, or an agent without any.
        description: what else to write into the configuration and to compare on resume; None =
            what can be read off the environment.

    Attributes:
        observers: add to them before ``run`` whoever wants to watch; of a search with a run folder,
            report and best picture are among them.
        begun: the run folder is there, so that there is something to resume.
    """

    def __init__(
        self,
        env: AnyEnv,
        agent: str | AgentFactory,
        settings: SearchSettings,
        run_dir: str | Path | None = None,
        agent_settings: Any = None,
        description: Mapping[str, Any] | None = None,
    ) -> None:
        self.settings = settings
        self.env = env
        self.player: Player = make_player(env)
        check_reward(env)
        if agent_settings is None and isinstance(agent, str):
            agent_settings = default_settings(agent, {})
        self.agent: Agent = _make(agent, self.player.problem, settings.seed, agent_settings)
        self.observers = Observers()
        self.episodes: list[Episode] = []
        self.updates = 0
        self._lowest: float | None = None  # reward so far
        self.begun = False
        environment = describe_environment(env) if description is None else dict(description)
        self._metric_name = str(environment.get("metric_name", "metric"))
        self.config = {
            **environment,
            "agent": agent if isinstance(agent, str) else self.agent.name,
            "agent_options": asdict(agent_settings) if agent_settings else {},
            "layout": _layout_digest(self.player.problem),
            **own_positions(env, self.player.problem.layout),
            **_search_config(settings),
        }
        self.folder = None if run_dir is None else RunFolder(run_dir)
        if self.folder is not None:
            self.config |= pinned_numerics(env)
        for observer in run_folder_observers() if self.folder else ():
            self.observers.add(observer)
        if settings.resume and self.folder is None:
            raise ConfigurationError("resume=True needs the run_dir of the run to resume.")

    def run(self) -> SearchResult:
        """Search until a budget is spent.

        Raises:
            RunFolderError: another search uses the run folder, or it cannot be used.
        """
        if self.folder is None:
            return self._run()
        if self.settings.resume:
            self.folder.read_config(resume=True)  # no folder is made where there is no run
        else:
            self.folder.check_free()
        with self.folder.locked():
            return self._run()

    def _run(self) -> SearchResult:
        tally = Tally(self.settings.children, self.settings.hours, metric_name=self._metric_name)
        self._open(tally)
        run_dir = self.folder.path if self.folder else None
        start = SearchStart(self.config, run_dir, tuple(self.episodes))
        try:
            with self.observers.watch(start, self._result):
                with make_display(tally, self.settings.progress) as display:
                    with children_counted(self.env, display.child_finished):
                        while (size := self._next_batch(tally)) > 0:
                            self._update(size, tally)
                            display.refresh()
        except NOT_TRAINABLE:
            self._take_back()
            raise
        except (StoreError, ExecutorError) as error:
            error.args = (f"{error}{self._what_is_safe()}",)
            raise
        return self._result()

    def _take_back(self) -> None:
        """Data or settings that no child can be trained with leave no run folder behind."""
        if self.folder is not None and self.updates == 0 and not self.settings.resume:
            self.folder.discard()
            self.begun = False

    def _what_is_safe(self) -> str:
        """What to do after an error outside of the children."""
        if not self.begun or self.folder is None:
            return ""
        return (
            f" {len(self.episodes)} children are safe in {self.folder.path}: when that is mended, "
            "resume with --resume --run-dir "
            f"{shlex.quote(str(self.folder.path))} (resume=True)."
        )

    def _result(self) -> SearchResult:
        return SearchResult(tuple(self.episodes), self.folder.path if self.folder else None)

    def _open(self, tally: Tally) -> None:
        """Start the run folder, or go back to its last checkpoint."""
        if self.folder is None:
            return
        if not self.settings.resume:
            self.folder.check_free()
        open_evaluator(self.env)  # a store that cannot be used must not leave half a run folder
        if not self.settings.resume:
            self.folder.create(self.config)
            self.begun = True
            return
        if "numerics" not in self.folder.read_config(resume=True):  # of an earlier version
            self.config.pop("numerics", None)
        checkpoint, self.episodes = self.folder.resume(self.config)
        if checkpoint is not None:
            restore(self.agent, checkpoint.agent, self.player.problem, checkpoint.children)
            self.updates = checkpoint.update
            tally.elapsed_before_s = checkpoint.elapsed_s
        self.begun = True
        self._lowest = lowest_of([e.reward for e in self.episodes if not e.reward_missing])
        tally.add(self.episodes, here=False)
        self.folder.write_best(self.episodes)

    def _next_batch(self, tally: Tally) -> int:
        """Children of the next update; 0 when a budget is spent."""
        hours, children = self.settings.hours, self.settings.children
        if hours is not None and tally.elapsed_s >= 3600.0 * hours:
            return 0
        if children is None:
            return self.settings.children_per_update
        return min(self.settings.children_per_update, children - len(self.episodes))

    def _update(self, size: int, tally: Tally) -> None:
        first = len(self.episodes)
        schedule = self.settings.schedule
        depth = None if schedule is None else schedule.depth(first)
        tally.begin(size)
        played = self.player.play(self.agent, Order(size, first, self.settings.seed, depth))
        self._lowest = lowest_of([p.reward for p in played if p.learnable], self._lowest)
        played = [p.settled(self._lowest) for p in played]
        batch = to_batch(played)
        figures = self.agent.learn(batch) if len(batch.lengths) else {}
        fresh = [
            Episode.of(first + index + 1, p.tokens.tolist(), p.reward, p.info)
            for index, p in enumerate(played)
        ]
        best_before = tally.best
        self.episodes += fresh
        self.updates += 1
        tally.add(fresh)
        own = _summary(self.updates, len(self.episodes), fresh)
        row = {**own, **{f"agent_{k}" if k in own else k: value for k, value in figures.items()}}
        row["elapsed_s"] = round(tally.elapsed_s, 3)
        if self.folder is not None:
            self._write(self.folder, fresh, row, tally, tally.best is not best_before)
        self.observers.update(row, fresh)

    def _write(
        self,
        folder: RunFolder,
        fresh: list[Episode],
        row: Mapping[str, Any],
        tally: Tally,
        better: bool,
    ) -> None:
        """Logs first, checkpoint last: see ``agents.records.run_folder``."""
        logs = folder.record(fresh, row)
        if better:
            folder.write_best(self.episodes)
        state = self.agent.state()
        folder.save(Checkpoint(self.updates, len(self.episodes), tally.elapsed_s, logs, state))


def _make(agent: str | AgentFactory, problem: Problem, seed: int, settings: Any) -> Agent:
    if isinstance(agent, str):
        return build_agent(agent, problem, seed, settings)
    made = agent(problem, seed)
    if not isinstance(made, Agent) or not isinstance(getattr(made, "name", None), str):
        raise ConfigurationError(
            f"{agent!r} made {made!r}; expected an agents.Agent with a name (a class attribute)."
        )
    return made


def lowest_of(rewards: Sequence[float], before: float | None = None) -> float | None:
    """The lowest reward of all so far; None before the first."""
    return min(rewards if before is None else [*rewards, before], default=None)


def _summary(update: int, children: int, fresh: list[Episode]) -> dict[str, Any]:
    """The columns of ``updates.csv`` that every agent has."""
    metrics = [episode.metric for episode in fresh if episode.metric is not None]
    rewards = [episode.reward for episode in fresh if not episode.reward_missing]
    return {
        "update": update,
        "children": children,
        "tokens": len(fresh[0].tokens),
        "mean_reward": float(np.mean(rewards)) if rewards else "",
        "best_reward": max(rewards, default=""),
        "mean_metric": float(np.mean(metrics)) if metrics else "",
        "failed": sum(episode.state == "failed" for episode in fresh),
    }


def _search_config(settings: SearchSettings) -> dict[str, Any]:
    return {
        "children": settings.children,
        "hours": settings.hours,
        "children_per_update": settings.children_per_update,
        "seed": settings.seed,
        "schedule": None if settings.schedule is None else asdict(settings.schedule),
        "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "command_line": command_line(),
        "versions": versions(),
        "hardware": hardware(),
    }


def _layout_digest(problem: Problem) -> str:
    """Changes when a token would mean something else."""
    text = repr((problem.num_positions, problem.num_actions, problem.layout))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
