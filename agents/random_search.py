"""Random search: every valid token with the same probability, nothing learned."""

import numpy as np
from numpy.typing import NDArray

from agents.agent import Agent, AgentState, Batch, Observations, Problem
from agents.agent_state import check_owner, owner
from agents.streams import EpisodeStreams, draw, masks_of, positions_of


class RandomSearchAgent(Agent):
    """The control of every search (Zoph & Le 2017, Figure 6): uniform over valid tokens."""

    name = "random"

    def __init__(self, problem: Problem, seed: int = 0) -> None:
        self.problem = problem
        self.streams = EpisodeStreams(seed)

    def act(self, observations: Observations) -> NDArray[np.int64]:
        """Choose uniformly among the valid tokens of each row."""
        generators = self.streams.generators(positions_of(observations))
        return draw(masks_of(observations).astype(np.float64), generators)

    def learn(self, batch: Batch) -> dict[str, float]:
        """Nothing to learn."""
        return {}

    def state(self) -> AgentState:
        """Only how many episodes were begun."""
        values = {"owner": owner(self.name, self.problem), "episodes": self.streams.started}
        return AgentState(values=values)

    def load_state(self, state: AgentState) -> None:
        """Continue after ``state``."""
        check_owner(state, self.name, self.problem)
        self.streams.forget(state.whole("episodes"))
