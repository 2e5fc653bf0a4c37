"""A policy and evolution side by side: in turns a child of the policy and one bred of the best.

The policy learns from both, and takes steps on the best alone: priority queue training whose queue
evolution fills. Nothing predicts what a candidate is worth.

Source: Mundhenk et al. 2021, "Symbolic Regression via Neural-Guided Genetic Programming Population
Seeding"; Abolafia et al. 2018, "Neural Program Synthesis with Priority Queue Training".
"""

from collections import deque

import numpy as np

from agents.agent import AgentState, Batch, Problem
from agents.screening.candidates import SOURCES, Ints, Writer
from agents.screening.planning import UNPLANNED, PlanningAgent
from agents.screening.policy import CandidatePolicy
from agents.screening.settings import HybridSettings

POLICY, ELITES, RANDOM = range(len(SOURCES))


class HybridAgent(PlanningAgent):
    """Half a batch is written by the policy, half are mutants and crossovers of the best."""

    name = "hybrid"
    settings: HybridSettings

    def __init__(
        self, problem: Problem, seed: int = 0, settings: HybridSettings | None = None
    ) -> None:
        chosen = settings or HybridSettings()
        super().__init__(problem, seed, chosen)
        self.policy = CandidatePolicy(problem, seed, chosen)
        self._queues: dict[int, list[deque[Ints]]] = {}
        self._picked = [0.0 for _ in SOURCES]

    def plan(self, number: int, length: int, rng: np.random.Generator) -> Ints:
        """The next new architecture of the source whose turn it is, else of another."""
        if length not in self._queues:
            self._queues[length] = self._write(length)
        queues = self._queues[length]
        turn = number % 2 if len(self.history) else POLICY
        for source in (turn, 1 - turn, RANDOM):
            if queues[source]:
                self._picked[source] += 1.0
                return queues[source].popleft()
        return UNPLANNED

    def _write(self, length: int) -> list[deque[Ints]]:
        """A queue for each source; random architectures are for when nothing else is new."""
        writer = Writer(self.history, self.rules, length, self.batch_generator())
        own = self.settings
        found = writer.candidates(own, own.elite_candidates, own.policy_candidates, self.policy)
        rows = found.tokens[:, :length].astype(np.int64)
        return [deque(rows[found.sources == source]) for source in range(len(SOURCES))]

    def learn_rewards(self, batch: Batch) -> dict[str, float]:
        """The policy learns."""
        counts = {f"from_{SOURCES[source]}": count for source, count in enumerate(self._picked)}
        return {**counts, **self.policy.learn(batch)}

    def begin_batch(self) -> None:
        """Drop what was planned."""
        super().begin_batch()
        self._queues.clear()
        self._picked = [0.0 for _ in SOURCES]

    def state(self) -> AgentState:
        """What was played, and the policy."""
        state = super().state()
        self.policy.add_to(state)
        return state

    def load_state(self, state: AgentState) -> None:
        """Continue after ``state``.

        Raises:
            CheckpointError: it cannot be this agent's.
        """
        super().load_state(state)
        self.policy.load_from(state)
