"""Screening: many candidates, and a Gaussian process that says which of them to train.

Every update candidates are written (``candidates``), a Gaussian process learns the ranks of all
rewards so far (``gaussian_process``), and each child of the batch is the best candidate of one
function drawn from its posterior (Thompson sampling), less those that were picked before it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.agent import Batch, Problem
from agents.screening.candidates import SOURCES, Candidates, Ints, Writer
from agents.screening.gaussian_process import Distances, GaussianProcess
from agents.screening.planning import UNPLANNED, PlanningAgent
from agents.screening.settings import GpSettings
from nas_env.system.threads import one_torch_thread

KINDS = ("option", "type", "skip")
"""A choice, one that decides what else there is to choose, a skip decision."""


@dataclass
class Pool:
    """Candidates of one length, and what the process says of them.

    Attributes:
        candidates: the candidates.
        mean: (candidates,) of the posterior.
        root: (candidates, candidates) root of its covariance.
        left: (candidates,) whether it has not been picked yet.
    """

    candidates: Candidates
    mean: NDArray[np.float64]
    root: NDArray[np.float64]
    left: NDArray[np.bool_]


class GpAgent(PlanningAgent):
    """Screening without a policy: candidates are mutants and crossovers of the best, and random."""

    name = "gp"
    settings: GpSettings

    def __init__(self, problem: Problem, seed: int = 0, settings: GpSettings | None = None) -> None:
        super().__init__(problem, seed, settings or GpSettings())
        self._process: GaussianProcess | None = None
        self._pools: dict[int, Pool] = {}
        self._picked = dict.fromkeys(SOURCES, 0.0)
        self._expected: list[float] = []

    def plan(self, number: int, length: int, rng: np.random.Generator) -> Ints:
        """The best candidate of a function drawn from the posterior."""
        if length not in self._pools:
            self._pools[length] = self._make_pool(length)
        pool = self._pools[length]
        if not pool.left.any():
            return UNPLANNED
        drawn = pool.mean + pool.root @ rng.standard_normal(len(pool.mean))
        pick = int(np.where(pool.left, drawn, -np.inf).argmax())
        pool.left[pick] = False
        self._picked[SOURCES[pool.candidates.sources[pick]]] += 1.0
        self._expected.append(float(pool.mean[pick]))
        return pool.candidates.tokens[pick, :length].astype(np.int64)

    def _make_pool(self, length: int) -> Pool:
        writer = Writer(self.history, self.rules, length, self.batch_generator())
        candidates = self.candidates(writer)
        count = len(candidates.sources)
        if len(self.history) < self.settings.first_children:  # any of those that nobody bred
            left = candidates.sources != SOURCES.index("elites")
            return Pool(candidates, np.zeros(count), np.eye(count), left)
        if not count:
            return Pool(candidates, np.zeros(0), np.eye(0), np.zeros(0, np.bool_))
        with one_torch_thread():
            if self._process is None:
                self._process = self._fit()
            mean, root = self._process.posterior(candidates.tokens)
        return Pool(candidates, mean.numpy(), root.numpy(), np.ones(count, np.bool_))

    def candidates(self, writer: Writer) -> Candidates:
        """New architectures of all sources."""
        return writer.candidates(self.settings, self.settings.random_candidates)

    def _fit(self) -> GaussianProcess:
        points = self._points(self.settings.gp_points)
        few = np.flatnonzero(np.isin(points, self._points(self.settings.scale_points)))
        distances = Distances(self._kinds(), len(KINDS))
        targets = self.history.scores()[points]
        return GaussianProcess(distances, self.history.tokens[points], targets, few)

    def _points(self, most: int) -> Ints:
        """Places of all that is known, or of the best half and the latest others, ascending."""
        known = len(self.history)
        if known <= most:
            return np.arange(known)
        best = self.history.best(most // 2)
        latest = np.setdiff1d(np.arange(known), best)[-(most - len(best)) :]
        return np.union1d(best, latest)

    def _kinds(self) -> Ints:
        """(positions,) place in ``KINDS``."""
        kinds = np.where(self.rules.deciding(), KINDS.index("type"), KINDS.index("option"))
        if self.problem.layout is not None:
            skips = [position.kind == "skip" for position in self.problem.layout]
            kinds[skips] = KINDS.index("skip")
        return kinds

    def learn_rewards(self, batch: Batch) -> dict[str, float]:
        """Say where the batch came from; the process learns when the next batch is planned."""
        scales = None if self._process is None else self._process.scales
        lengths = [0.0] * len(KINDS) if scales is None else scales.kinds
        return {
            **{f"from_{source}": self._picked[source] for source in self.sources},
            "expected": float(np.mean(self._expected)) if self._expected else 0.0,
            **{f"scale_{kind}": length for kind, length in zip(KINDS, lengths, strict=True)},
            "noise": 0.0 if scales is None else scales.noise,
        }

    @property
    def sources(self) -> tuple[str, ...]:
        """Where candidates come from."""
        return SOURCES[1:]

    def begin_batch(self) -> None:
        """Drop what was planned."""
        super().begin_batch()
        self._process = None
        self._pools.clear()
        self._picked = dict.fromkeys(SOURCES, 0.0)
        self._expected.clear()
