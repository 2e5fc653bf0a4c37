"""The policy of a screening agent: REINFORCE's LSTM, which writes candidates and learns from all.

It learns as ``agents.reinforce.agent`` does, though what was played is what the screening chose and
not what the policy would have written: the gradient is not corrected for that. Steps on the elites
alone follow (priority queue training), which are right whoever wrote them.
"""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from agents.agent import AgentState, Batch, Problem
from agents.reinforce.agent import ReinforceAgent
from agents.reinforce.sampler import ControllerSampler
from agents.reinforce.settings import ReinforceSettings
from agents.screening.candidates import Ints
from agents.screening.settings import PolicySettings
from nas_env.errors import ConfigurationError
from nas_env.system.threads import one_torch_thread

PREFIX = "policy."
"""Of its arrays in a checkpoint."""
FIGURES = ("loss", "baseline", "entropy", "gradient_norm")


class CandidatePolicy:
    """Writes candidates, learns from finished episodes.

    Args:
        problem: what is played.
        seed: of the first weights.
        settings: hyper-parameters.
    """

    def __init__(self, problem: Problem, seed: int, settings: PolicySettings) -> None:
        reinforce = ReinforceSettings(
            learning_rate=settings.learning_rate,
            hidden_size=settings.hidden_size,
            baseline_decay=settings.baseline_decay,
            entropy_coefficient=settings.entropy_coefficient,
            elite_size=settings.elite_size,
            elite_weight=settings.elite_weight,
            unit_advantages=True,
        )
        self.learner = ReinforceAgent(problem, seed, reinforce)
        self.sampler = ControllerSampler(self.learner.controller)
        self.elite_steps = settings.elite_steps

    def __call__(
        self, tokens: Ints, position: int, masks: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """(batch, actions) probabilities of the next token.

        Raises:
            ConfigurationError: the weights have grown beyond all numbers.
        """
        chosen = np.arange(tokens.shape[1]) < position
        observations = {
            "tokens": np.where(chosen, tokens + 1, 0),
            "position": np.full(len(tokens), position),
            "action_mask": masks,
        }
        with np.errstate(over="ignore", invalid="ignore"):  # checked below
            probabilities = self.sampler.probabilities(observations)
        if not np.isfinite(probabilities).all():
            rate = self.learner.settings.learning_rate
            raise ConfigurationError(
                f"The controller diverged: its probabilities are not finite with learning_rate "
                f"{rate:g}. Start a new run with a lower one; with the same store, no child is "
                "trained twice."
            )
        return probabilities

    def learn(self, batch: Batch) -> dict[str, float]:
        """One step of REINFORCE, then the steps on the elites; figures of the first."""
        if not len(batch.rewards):
            return dict.fromkeys(FIGURES, 0.0)
        figures = self.learner.learn(replace(batch, rewards=self._finite(batch.rewards)))
        for _ in range(self.elite_steps):
            self._elite_step()
        self.sampler.forget()
        return {name: figures[name] for name in FIGURES}

    def _finite(self, rewards: NDArray[np.float64]) -> NDArray[np.float64]:
        """Rewards with the lowest number of the batch (else the baseline) where there is none."""
        numbers = rewards[np.isfinite(rewards)]
        lowest = numbers.min() if len(numbers) else self.learner.baseline.value
        return np.where(np.isfinite(rewards), rewards, lowest)

    def _elite_step(self) -> None:
        """One step of Adam on minus the mean log-likelihood of the elites."""
        batch = self.learner.elites.batch()
        inside = torch.from_numpy(np.arange(batch.tokens.shape[1]) < batch.lengths[:, None])
        self.learner.optimiser.zero_grad(set_to_none=False)
        with one_torch_thread():
            log_p, _ = self.learner.controller(batch.tokens, batch.masks)  # (elites, longest)
            loss = -log_p.masked_fill(~inside, 0.0).sum(dim=1).mean()
            loss.backward()
            self.learner.optimiser.step()
        self.learner.sampler.forget()

    def add_to(self, state: AgentState) -> None:
        """Put everything into the state of the agent whose policy this is."""
        own = self.learner.state()
        state.arrays |= {PREFIX + name: array for name, array in own.arrays.items()}
        state.values["policy"] = own.values

    def load_from(self, state: AgentState) -> None:
        """Continue after a state that ``add_to`` was given.

        Raises:
            CheckpointError: it cannot be this policy's.
        """
        arrays = {
            name.removeprefix(PREFIX): array
            for name, array in state.arrays.items()
            if name.startswith(PREFIX)
        }
        own = AgentState(arrays, state.group("policy").values)
        own.whole("episodes", 0, 0)  # it writes candidates, and plays none itself
        self.learner.load_state(own)
        self.sampler.forget()
