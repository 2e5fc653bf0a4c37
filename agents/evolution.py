"""Regularised (aging) evolution: tournament, one mutation, the oldest dies.

Source: Real et al. 2019, "Regularized Evolution for Image Classifier Architecture Search",
Algorithm 1. The strongest simple control beside random search.
"""

from collections import deque
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from agents.agent import Agent, AgentState, Batch, Observations, Problem, unfit
from agents.agent_state import check_owner, owner
from agents.streams import EpisodeStreams, masks_of, positions_of
from nas_env.checks import at_least, between, check_settings, require
from nas_env.errors import CheckpointError


@dataclass(frozen=True)
class EvolutionSettings:
    """Hyper-parameters of regularised evolution.

    Attributes:
        population: architectures alive; the first ``population`` children are random.
        tournament: architectures drawn (without replacement), of which the best becomes the parent.
    """

    population: Annotated[int, between(1, 1_000_000)] = 100
    tournament: Annotated[int, at_least(1)] = 25

    def __post_init__(self) -> None:
        check_settings(self)
        allowed = f"at most population ({self.population})"
        require(self.tournament <= self.population, "tournament", self.tournament, allowed)


@dataclass(frozen=True)
class Member:
    """One architecture alive.

    Attributes:
        tokens: its whole token sequence.
        free: (tokens,) bool: positions that had more than one valid option.
        reward: what it earned.
    """

    tokens: NDArray[np.int64]
    free: NDArray[np.bool_]
    reward: float


@dataclass(frozen=True)
class Proposal:
    """What an episode in flight copies: a parent and the position to change (-1: none)."""

    parent: NDArray[np.int64]
    changed: int


RANDOM = Proposal(np.zeros(0, np.int64), -1)


class EvolutionAgent(Agent):
    """Mutates the best of a random few of the last ``population`` architectures.

    A child keeps its parent's token wherever the mask allows and draws uniformly where it does not,
    or where the parent has no token (a deeper child). All children of a batch have their parents
    in the same population, so a batch can be trained side by side.
    """

    name = "evolution"

    def __init__(
        self, problem: Problem, seed: int = 0, settings: EvolutionSettings | None = None
    ) -> None:
        self.problem = problem
        self.settings = settings or EvolutionSettings()
        self.streams = EpisodeStreams(seed)
        self.population: deque[Member] = deque(maxlen=self.settings.population)
        self._proposals: dict[int, Proposal] = {}

    def act(self, observations: Observations) -> NDArray[np.int64]:
        """Copy the parent, with one position changed; random until the population is full."""
        positions, masks = positions_of(observations), masks_of(observations)
        generators = self.streams.generators(positions)
        tokens = np.zeros(len(positions), np.int64)
        for row, (position, rng) in enumerate(zip(positions.tolist(), generators, strict=True)):
            if position == 0 or row not in self._proposals:
                self._proposals[row] = self._propose(rng)
            tokens[row] = _child_token(self._proposals[row], position, masks[row], rng)
        return tokens

    def _propose(self, rng: np.random.Generator) -> Proposal:
        if len(self.population) < self.settings.population:
            return RANDOM
        drawn = rng.choice(len(self.population), self.settings.tournament, replace=False)
        parent = max((self.population[index] for index in sorted(drawn)), key=lambda m: m.reward)
        free = np.flatnonzero(parent.free)
        return Proposal(parent.tokens, int(rng.choice(free)) if len(free) else -1)

    def learn(self, batch: Batch) -> dict[str, float]:
        """Add the children; the oldest architectures die."""
        for row, length in enumerate(batch.lengths.tolist()):
            free = batch.masks[row, :length].sum(axis=1) > 1
            tokens = batch.tokens[row, :length].copy()
            self.population.append(Member(tokens, free, float(batch.rewards[row])))
        rewards = [member.reward for member in self.population]
        return {
            "population": float(len(rewards)),
            "population_mean": float(np.mean(rewards)),
            "population_best": max(rewards),
        }

    def state(self) -> AgentState:
        """The population, oldest first, and how many episodes were begun."""
        count = len(self.population)
        tokens = np.zeros((count, self.problem.num_positions), np.int64)
        free = np.zeros((count, self.problem.num_positions), np.bool_)
        for row, member in enumerate(self.population):
            tokens[row, : len(member.tokens)] = member.tokens
            free[row, : len(member.free)] = member.free
        arrays = {
            "tokens": tokens,
            "free": free,
            "lengths": np.array([len(member.tokens) for member in self.population], np.int64),
            "rewards": np.array([member.reward for member in self.population], np.float64),
        }
        values = {
            "owner": owner(self.name, self.problem, self.settings),
            "episodes": self.streams.started,
        }
        return AgentState(arrays, values)

    def load_state(self, state: AgentState) -> None:
        """Continue after ``state``.

        Raises:
            CheckpointError: it cannot be this agent's.
        """
        check_owner(state, self.name, self.problem, self.settings)
        episodes = state.whole("episodes")
        positions = self.problem.num_positions
        last = self.problem.num_actions - 1
        tokens = state.array("tokens", np.int64, (None, positions), 0, last)
        count = len(tokens)
        free = state.array("free", np.bool_, (count, positions))
        lengths = state.array("lengths", np.int64, (count,), 1, positions)
        rewards = state.array("rewards", np.float64, (count,))
        if count > min(episodes, self.settings.population):
            raise CheckpointError(unfit(f"a population of {count} after {episodes} episodes"))
        self.population.clear()
        for row, length in enumerate(lengths.tolist()):
            member = Member(
                tokens[row, :length].copy(), free[row, :length].copy(), float(rewards[row])
            )
            self.population.append(member)
        self._proposals.clear()
        self.streams.forget(episodes)


def _child_token(
    proposal: Proposal, position: int, mask: NDArray[np.bool_], rng: np.random.Generator
) -> int:
    valid = np.flatnonzero(mask)
    inherited = int(proposal.parent[position]) if position < len(proposal.parent) else -1
    if position == proposal.changed:
        others = valid[valid != inherited]
        return int(rng.choice(others if len(others) else valid))
    if 0 <= inherited < len(mask) and mask[inherited]:
        return inherited
    return int(rng.choice(valid))
