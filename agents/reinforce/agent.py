"""REINFORCE with an LSTM controller (Zoph & Le 2017, section 3.2).

    gradient = 1/m sum_k sum_t grad log P(a_t | a_1 .. a_{t-1}) (R_k - b)

m architectures per update, R_k the reward of architecture k, which every one of its decisions is
credited with in full (the paper has no discount), and b an exponential moving average of *previous*
rewards: it never contains a reward of the batch whose advantage it forms.

The settings add three things that the paper does not have, for budgets of a few hundred children:

* advantages of unit size: learning rate, entropy and elites no longer depend on the spread of
  rewards;
* priority queue training (``elites``): the best found so far become likelier at every update, so
  that an entropy bonus does not lose them again;
* sampling without replacement (``unseen``): only new architectures are drawn, as long as there are
  any. The samples then differ from the policy's, and the gradient does not correct for it.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.agent import Agent, AgentState, Batch, Observations, Problem
from agents.agent_state import check_owner, owner
from agents.reinforce.baseline import MovingBaseline
from agents.reinforce.controller import Controller, ControllerSizes
from agents.reinforce.elites import Elites
from agents.reinforce.plan import make_plan
from agents.reinforce.sampler import ControllerSampler
from agents.reinforce.settings import ReinforceSettings
from agents.reinforce.torch_state import load_optimiser, optimiser_arrays
from agents.reinforce.unseen import Unseen
from agents.streams import EpisodeStreams, draw, positions_of
from nas_env.errors import ConfigurationError
from nas_env.system.threads import one_torch_thread

SMALLEST_SCALE = 1e-8
"""Advantages are not blown up further where all rewards are equal."""


class ReinforceAgent(Agent):
    """Samples architectures from an LSTM and makes the better ones likelier."""

    name = "reinforce"

    def __init__(
        self, problem: Problem, seed: int = 0, settings: ReinforceSettings | None = None
    ) -> None:
        self.problem = problem
        self.settings = settings or ReinforceSettings()
        sizes = ControllerSizes(
            self.settings.hidden_size, self.settings.lstm_layers, self.settings.init_range
        )
        self.controller = Controller(make_plan(problem), sizes, seed)
        self.sampler = ControllerSampler(self.controller)
        self.streams = EpisodeStreams(seed)
        self.baseline = MovingBaseline(self.settings.baseline_decay)
        self.squares = MovingBaseline(self.settings.baseline_decay)  # of advantages
        self.elites = Elites(self.settings.elite_size)
        self.unseen = Unseen(self.controller, problem) if self.settings.avoid_repeats else None
        self.optimiser = torch.optim.Adam(
            self.controller.parameters(), lr=self.settings.learning_rate
        )

    def act(self, observations: Observations) -> NDArray[np.int64]:
        """Sample each row's token from the policy.

        Raises:
            ConfigurationError: the weights have grown beyond all numbers.
        """
        generators = self.streams.generators(positions_of(observations))
        with np.errstate(over="ignore", invalid="ignore"):  # checked below
            if self.unseen is not None:
                try:
                    return self.unseen.act(observations, generators)
                except FloatingPointError as error:
                    raise self._diverged(len(generators)) from error
            probabilities = self.sampler.probabilities(observations)  # (batch, actions)
        if not np.isfinite(probabilities).all():
            raise self._diverged(len(generators))
        return draw(probabilities, generators)

    def _diverged(self, rows: int) -> ConfigurationError:
        return ConfigurationError(
            f"The controller diverged: its probabilities are not finite after "
            f"{self.streams.started - rows} episodes with learning_rate "
            f"{self.settings.learning_rate:g}. Start a new run with a lower learning_rate or a "
            "gradient_clip; with the same store, no child is trained twice."
        )

    def learn(self, batch: Batch) -> dict[str, float]:
        """One Adam step on the batch; then its rewards enter the baseline."""
        advantages = self.baseline.advantages(batch.rewards)
        used = self.baseline.value if self.baseline.weight else float(batch.rewards.mean())
        if self.settings.unit_advantages:
            self.squares.update(advantages**2)
            advantages = advantages / max(math.sqrt(self.squares.value), SMALLEST_SCALE)
        self.elites.add(batch)
        self.optimiser.zero_grad(set_to_none=False)
        with one_torch_thread():
            loss, entropy = self._loss(batch, advantages)
            if self.settings.elite_size:
                loss = loss + self.settings.elite_weight * self._elite_loss()
            loss.backward()  # type: ignore[no-untyped-call]
            limit = self.settings.gradient_clip
            norm = torch.nn.utils.clip_grad_norm_(
                self.controller.parameters(), torch.inf if limit is None else limit
            )
            self.optimiser.step()
        self.baseline.update(batch.rewards)
        self.sampler.forget()
        return {
            "loss": loss.item(),
            "baseline": used,
            "entropy": entropy.item(),
            "gradient_norm": norm.item(),
            **({} if self.unseen is None else self.unseen.add(batch)),
        }

    def _loss(self, batch: Batch, advantages: NDArray[np.float64]) -> tuple[Tensor, Tensor]:
        """The loss whose gradient is the module's formula, negated; and mean entropy per token."""
        log_p, entropies = self.controller(batch.tokens, batch.masks)  # (episodes, longest)
        steps = _steps(batch)
        episode_log_p = log_p.masked_fill(~steps, 0.0).sum(dim=1)  # (episodes,)
        loss = -(torch.from_numpy(advantages) * episode_log_p).mean()
        entropies = entropies.masked_fill(~steps, 0.0)
        if self.settings.entropy_coefficient:
            loss = loss - self.settings.entropy_coefficient * entropies.sum(dim=1).mean()
        return loss, entropies.sum() / steps.sum()

    def _elite_loss(self) -> Tensor:
        """Minus the mean log-likelihood of the elites."""
        batch = self.elites.batch()
        log_p, _ = self.controller(batch.tokens, batch.masks)  # (elites, longest)
        episode_log_p: Tensor = log_p.masked_fill(~_steps(batch), 0.0).sum(dim=1)  # (elites,)
        return -episode_log_p.mean()

    def state(self) -> AgentState:
        """Weights, Adam's moments, baseline, elites, known episodes, and how many were begun."""
        arrays = {
            f"weight.{name}": value.detach().numpy().copy()
            for name, value in self.controller.named_parameters()
        }
        arrays |= optimiser_arrays(self.optimiser, self.controller)
        if self.settings.elite_size:
            arrays |= self.elites.arrays()
        values = {
            "owner": owner(self.name, self.problem, self.settings),
            "episodes": self.streams.started,
            "baseline": self.baseline.to_json(),
            "squares": self.squares.to_json(),
        }
        state = AgentState(arrays, values)
        return state if self.unseen is None else self.unseen.save(state)

    def load_state(self, state: AgentState) -> None:
        """Continue after ``state``.

        Raises:
            CheckpointError: it cannot be this agent's.
        """
        check_owner(state, self.name, self.problem, self.settings)
        with torch.no_grad():
            for name, parameter in self.controller.named_parameters():
                shape = tuple(parameter.shape)
                array = state.array(f"weight.{name}", np.float64, shape)
                parameter.copy_(torch.from_numpy(array))
        load_optimiser(self.optimiser, self.controller, state)
        self.baseline.load(state.values.get("baseline"))
        self.squares.load(state.values.get("squares"))
        if self.settings.elite_size:
            self.elites.load(state, self.problem)
        if self.unseen is not None:
            self.unseen.load(state)
        self.streams.forget(state.whole("episodes"))
        self.sampler.forget()


def _steps(batch: Batch) -> Tensor:
    """(episodes, longest) bool: what is no padding."""
    return torch.from_numpy(np.arange(batch.tokens.shape[1]) < batch.lengths[:, None])
