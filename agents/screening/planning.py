"""The base of agents that plan a whole architecture before they write its first token.

An episode follows its plan; a token that the environment does not allow is drawn from those that it
does. At its last token an episode avoids what was played before, where another token is valid.
Episodes take their plans in the order in which they begin, so a batch has the same plans whether it
is played side by side or one after another.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.agent import Agent, AgentState, Batch, Observations, Problem, unfit
from agents.agent_state import check_owner, owner
from agents.screening.candidates import FREE
from agents.screening.history import History
from agents.screening.rules import MaskRules
from agents.streams import EpisodeStreams, masks_of, positions_of
from nas_env.errors import CheckpointError

Ints = NDArray[np.int64]
UNPLANNED: Ints = np.zeros(0, np.int64)
"""The plan of an episode that is drawn from its first token on."""


@dataclass
class Plan:
    """What an episode is to write.

    Attributes:
        tokens: planned ones; ``FREE``, or beyond their end: drawn.
        length: tokens that the episode will have.
        position: the position that was decided last; -1 before the first.
        token: what was decided there.
    """

    tokens: Ints
    length: int
    position: int = -1
    token: int = 0


class PlanningAgent(Agent):
    """Plans episodes, plays them within the masks, remembers what they earned.

    Args:
        problem: what is played.
        seed: of the search.
        settings: hyper-parameters.
    """

    def __init__(self, problem: Problem, seed: int, settings: Any) -> None:
        self.problem = problem
        self.seed = seed
        self.settings = settings
        self.streams = EpisodeStreams(seed)
        self.rules = MaskRules(problem)
        self.history = History(problem)
        self.length = problem.num_positions  # of the last batch's longest episode
        self._first = 0  # number of the first episode of this batch
        self._plans: dict[int, Plan] = {}
        self._written: set[tuple[int, ...]] = set()

    @abstractmethod
    def plan(self, number: int, length: int, rng: np.random.Generator) -> Ints:
        """Tokens for the episode that begins as the search's ``number``-th."""

    def act(self, observations: Observations) -> Ints:
        """Follow each row's plan."""
        positions, masks = positions_of(observations), masks_of(observations)
        tokens = np.asarray(observations["tokens"], np.int64) - 1  # (batch, positions)
        number = self.streams.started
        generators = self.streams.generators(positions)
        for row, position in enumerate(positions.tolist()):
            if position == 0 or row not in self._plans:
                length = self.length
                if "remaining" in observations:
                    length = position + int(np.reshape(observations["remaining"], -1)[row])
                self._plans[row] = Plan(self.plan(number, length, generators[row]), length)
                number += 1
        return np.array(
            [
                self._token(self._plans[row], tokens[row, :position], masks[row], generators[row])
                for row, position in enumerate(positions.tolist())
            ],
            np.int64,
        )

    def _token(
        self, plan: Plan, prefix: Ints, mask: NDArray[np.bool_], rng: np.random.Generator
    ) -> int:
        position = len(prefix)
        if position == plan.position:  # an episode that has ended is asked once more
            return plan.token
        token = int(plan.tokens[position]) if position < len(plan.tokens) else FREE
        last = position + 1 >= plan.length
        if last or token == FREE or not mask[token]:
            valid = np.flatnonzero(mask)
            if last:
                valid = self._new(prefix, valid)
            token = token if token in valid else int(rng.choice(valid))
        plan.position, plan.token = position, token
        if last:
            self._written.add((*prefix.tolist(), token))
        return token

    def _new(self, prefix: Ints, valid: Ints) -> Ints:
        """Those last tokens that make something new; all, if none does."""
        start = tuple(prefix.tolist())
        ends = [
            token
            for token in valid.tolist()
            if (*start, token) not in self.history.known and (*start, token) not in self._written
        ]
        return np.array(ends, np.int64) if ends else valid

    def learn(self, batch: Batch) -> dict[str, float]:
        """Learn from finished episodes; one without a reward (NaN) is as if it had not been."""
        for tokens, masks, _ in batch.rows():
            self.rules.learn(tokens, masks)
        counted = np.flatnonzero(~np.isnan(batch.rewards))
        kept = Batch(
            batch.tokens[counted],
            batch.masks[counted],
            batch.lengths[counted],
            batch.rewards[counted],
        )
        figures = self.learn_rewards(kept)
        repeats = self.history.add(kept)
        self.length = int(batch.lengths.max())
        self.begin_batch()
        return {**figures, "known": float(len(self.history)), "repeats": float(repeats)}

    def learn_rewards(self, batch: Batch) -> dict[str, float]:
        """Learn from episodes that have rewards, perhaps none; ``history`` lacks them still."""
        return {}

    def begin_batch(self) -> None:
        """Drop the episodes in flight."""
        self._first = self.streams.started
        self._plans.clear()
        self._written.clear()

    def batch_generator(self) -> np.random.Generator:
        """Randomness that the episodes of a batch share, a function of seed and batch."""
        entropy = np.random.SeedSequence([self.seed, self._first, 0x5C4EE7])
        return np.random.Generator(np.random.PCG64(entropy))

    def state(self) -> AgentState:
        """What was played, what was valid, and how many episodes were begun."""
        values = {
            "owner": owner(self.name, self.problem, self.settings),
            "episodes": self.streams.started,
            "longest": self.length,
        }
        return AgentState({**self.history.arrays(), **self.rules.arrays()}, values)

    def load_state(self, state: AgentState) -> None:
        """Continue after ``state``.

        Raises:
            CheckpointError: it cannot be this agent's.
        """
        check_owner(state, self.name, self.problem, self.settings)
        episodes = state.whole("episodes")
        self.length = state.whole("longest", 1, self.problem.num_positions)
        self.history.load(state)
        self.rules.load(state)
        if len(self.history) > episodes:
            raise CheckpointError(unfit(f"{len(self.history)} known after {episodes} episodes"))
        self.streams.forget(episodes)
        self.begin_batch()
