"""Screening with a policy, which writes a part of the candidates and learns from all rewards."""

from agents.agent import AgentState, Batch, Problem
from agents.screening.candidates import SOURCES, Candidates, Writer
from agents.screening.gp import GpAgent
from agents.screening.policy import CandidatePolicy
from agents.screening.settings import ScreenSettings


class ScreenAgent(GpAgent):
    """A Gaussian process picks among candidates of the policy, of the elites, and random ones."""

    name = "screen"
    settings: ScreenSettings

    def __init__(
        self, problem: Problem, seed: int = 0, settings: ScreenSettings | None = None
    ) -> None:
        chosen = settings or ScreenSettings()
        super().__init__(problem, seed, chosen)
        self.policy = CandidatePolicy(problem, seed, chosen)

    def candidates(self, writer: Writer) -> Candidates:
        """New architectures of all sources."""
        own = self.settings
        return writer.candidates(own, own.random_candidates, own.policy_candidates, self.policy)

    def learn_rewards(self, batch: Batch) -> dict[str, float]:
        """The policy learns."""
        return {**super().learn_rewards(batch), **self.policy.learn(batch)}

    @property
    def sources(self) -> tuple[str, ...]:
        """Where candidates come from."""
        return SOURCES

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
