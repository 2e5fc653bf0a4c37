"""Your own agent, in thirty lines, against random search on a small search space.

``python scripts/examples/own_agent.py``

The search space and what its members are worth are made up here, so it ends in seconds; the same
agent plays every environment, ours or not.
"""

from typing import Any

import numpy as np
import tyro
from numpy.typing import NDArray

import agents
import nas_env
from agents.agent import Agent, AgentState, Batch, Observations, Problem
from agents.command import run_script
from agents.streams import EpisodeStreams, draw, masks_of, positions_of


class CrossEntropyAgent(Agent):
    """One distribution a position, moved towards the tokens of the best quarter of each batch."""

    name = "cross_entropy"

    def __init__(self, problem: Problem, seed: int) -> None:
        self.weights = np.ones((problem.num_positions, problem.num_actions))
        self.streams = EpisodeStreams(seed)  # one generator an episode: runs repeat and resume

    def act(self, observations: Observations) -> NDArray[np.int64]:
        """Draw a valid token for each row."""
        positions = positions_of(observations)  # (batch,)
        valid = self.weights[positions] * masks_of(observations)  # (batch, actions)
        return draw(valid, self.streams.generators(positions))

    def learn(self, batch: Batch) -> dict[str, float]:
        """Count the tokens of the best episodes, forgetting older ones slowly."""
        best = np.argsort(-batch.rewards)[: max(1, len(batch.rewards) // 4)]
        self.weights = 0.95 * self.weights + 0.01
        for row in best:
            length = batch.lengths[row]
            self.weights[np.arange(length), batch.tokens[row, :length]] += 1
        return {"best_of_batch": float(batch.rewards.max())}  # a column of updates.csv

    def state(self) -> AgentState:
        """Everything that a resumed search needs."""
        return AgentState({"weights": self.weights}, {"episodes": self.streams.started})

    def load_state(self, state: AgentState) -> None:
        """Continue after ``state``."""
        self.weights = state.arrays["weights"]
        self.streams.forget(int(state.values["episodes"]))


SPACE = nas_env.ChoiceSpace({f"width_{n}": [8, 16, 32, 64] for n in range(8)})


def worth(architecture: Any, seed: int) -> float:
    """Widths that grow with depth are best; no training, so that this ends in a second."""
    widths = np.log2([float(width) for width in architecture.choices.values()])
    return float(1 - np.abs(widths - np.linspace(3, 6, len(widths))).mean() / 3)


def compare(children: int = 400, seed: int = 0) -> None:
    """Search with both and compare the last hundred children.

    Args:
        children: budget of each.
        seed: run seed.
    """
    for agent in (CrossEntropyAgent, "random"):
        env = nas_env.ArchitectureEnv(SPACE, worth)
        found = agents.run_search(env, agent, children, seed=seed)
        last = np.mean([episode.reward for episode in found.episodes[-100:]])
        name = agent if isinstance(agent, str) else agent.name
        print(f"{name:<14} mean of the last 100: {last:.3f}, best {found.best.reward:.3f}")


def main() -> int:
    """Read the flags and compare."""
    tyro.cli(compare, description=__doc__)
    return 0


if __name__ == "__main__":
    run_script(main)
