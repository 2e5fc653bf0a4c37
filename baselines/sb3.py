"""PPO, A2C, MaskablePPO and RecurrentPPO of Stable-Baselines3 as agents of a search.

An agent here is SB3's own policy, rollout buffer and ``train``; only ``learn``'s loop around them
is replaced, by the search's, so that a baseline has the same budget, store, run folder and resume
as every agent. ``tests/baselines`` checks that weights come out as bit for bit as SB3's own
``learn`` makes them. (To drive SB3 yourself, see ``baselines.sb3_vec_env``.)

SB3's PPO, A2C and RecurrentPPO know no masks. Their action a plays the (a mod n)-th of the n valid
tokens, so what they play is always valid; where n does not divide the number of actions, the first
tokens are somewhat likelier. The policy learns about the action that it drew.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from importlib import import_module
from typing import Any, ClassVar

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.logger import Logger

from agents.agent import Agent, AgentState, Batch, Observations, Problem
from baselines.any_token import nth_valid
from baselines.sb3_rollout import Decision, Rollout
from baselines.sb3_settings import (
    A2CSettings,
    PPOSettings,
    RecurrentPPOSettings,
    Shared,
    minibatch,
)
from baselines.sb3_state import (
    OwnRandomness,
    apart,
    load_policy,
    optimiser_values,
    policy_arrays,
)
from baselines.sb3_vec_env import IntegerCombinedExtractor
from nas_env.errors import CheckpointError, ConfigurationError, MissingDependencyError

MOST = 2**53
"""Of what is counted: SB3 logs it as a float."""
NOT_FINITE = ("satisfy the constraint", "probability tensor contains", "overflow")
"""What torch says of such a number: with validation of distributions, without, and in Adam."""


class SB3Agent(Agent):
    """An on-policy algorithm of SB3.

    Args:
        problem: what it will play.
        seed: seed of the weights, of sampling and of shuffling.
        settings: hyper-parameters.

    Attributes:
        model: SB3's model, without an environment.
    """

    algorithm: ClassVar[str]
    """``module:class`` of SB3."""
    policy_name: ClassVar[str] = "MultiInputPolicy"
    settings_type: ClassVar[type[Shared]] = PPOSettings

    def __init__(self, problem: Problem, seed: int = 0, settings: Shared | None = None) -> None:
        self.problem = problem
        self.settings = settings or self.settings_type()
        with apart():
            self.model = self._make_model(seed % 2**32)
            self._randomness = OwnRandomness()
        self._rollout = Rollout()

    def act(self, observations: Observations) -> NDArray[np.int64]:
        """Sample from the policy.

        Raises:
            ConfigurationError: the weights have grown beyond all numbers.
        """
        seen = {key: np.array(observations[key]) for key in ("tokens", "position", "action_mask")}
        seen["remaining"] = np.array(observations.get("remaining", np.zeros_like(seen["position"])))
        masks = seen["action_mask"].astype(np.bool_)
        tensors = {key: torch.from_numpy(value) for key, value in seen.items()}
        with self._randomness.lent(), torch.no_grad(), self._finite():
            self.model.policy.set_training_mode(False)
            actions, values, log_probs, extras = self._forward(tensors, masks)
        drawn: NDArray[np.int64] = actions.numpy()
        decision = Decision(
            seen, drawn, self._played(drawn, masks), values.reshape(-1), log_probs, extras
        )
        self._rollout.add(decision)
        return decision.tokens

    def learn(self, batch: Batch) -> dict[str, float]:
        """One ``train`` of SB3 on the episodes; returns what SB3 logs as ``train/...``.

        Raises:
            ConfigurationError: other episodes than were just played, or the weights have grown
                beyond all numbers.
        """
        steps = int(batch.lengths.sum())
        self.model.rollout_buffer = self._buffer(steps)
        self._rollout.fill(self.model.rollout_buffer, batch)
        self._rollout.clear()
        # The spread of a single advantage is no number.
        self.model.normalize_advantage = self.settings.normalize_advantage and steps > 1
        if isinstance(self.settings, PPOSettings):
            self.model.batch_size = minibatch(steps, self.settings.batch_size)
        with self._randomness.lent(), self._finite():
            self.model.train()
        logged = self.model.logger.name_to_value
        figures = {name.removeprefix("train/"): float(value) for name, value in logged.items()}
        logged.clear()
        return figures

    def state(self) -> AgentState:
        """Weights, the optimiser's memory, both random generators."""
        arrays = {**policy_arrays(self.model.policy), **self._randomness.arrays()}
        values = {
            "owner": self._owner(),
            "optimiser": optimiser_values(self.model.policy),
            "random": self._randomness.values(),
            "n_updates": self.model._n_updates,
        }
        return AgentState(arrays, values)

    def load_state(self, state: AgentState) -> None:
        """Continue after ``state``.

        Raises:
            CheckpointError: it cannot be this agent's.
        """
        found = state.values.get("owner")
        if found != self._owner():
            raise CheckpointError(
                f"The checkpoint was written by {found}, this search has {self._owner()}. "
                "Resume with the environment, agent and hyper-parameters that wrote it."
            )
        load_policy(self.model.policy, state)
        self._randomness.load(state)
        self.model._n_updates = state.whole("n_updates", 0, MOST)
        self._rollout.clear()

    def _make_model(self, seed: int) -> Any:
        """SB3's model as its own ``load`` makes it: spaces first, then the set-up."""
        model = find_algorithm(self.algorithm)(
            self.policy_name,
            None,
            **self.settings.sb3_arguments(),
            n_steps=2,  # of a buffer that every update replaces
            policy_kwargs=self._policy_arguments(),
            seed=seed,
            device="cpu",  # a policy of this size is slower on a GPU
            _init_setup_model=False,
        )
        model.observation_space = observation_space(self.problem)
        model.action_space = spaces.Discrete(self.problem.num_actions)
        model.n_envs = 1
        model._setup_model()
        model.set_logger(Logger(None, []))
        return model

    def _policy_arguments(self) -> dict[str, Any]:
        return {
            "net_arch": [self.settings.hidden_size] * 2,
            "features_extractor_class": IntegerCombinedExtractor,
        }

    def _forward(
        self, observations: Mapping[str, torch.Tensor], masks: NDArray[np.bool_]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, dict[str, Any]]:
        """Actions, values, log-probabilities, and ``Decision.extras``."""
        actions, values, log_probs = self.model.policy(observations)
        return actions, values, log_probs, {}

    def _played(self, actions: NDArray[np.int64], masks: NDArray[np.bool_]) -> NDArray[np.int64]:
        """(rows,) valid tokens."""
        return nth_valid(actions, masks)

    def _buffer(self, steps: int, **arguments: Any) -> Any:
        """An empty rollout buffer of one environment."""
        model = self.model
        return type(model.rollout_buffer)(
            steps,
            model.observation_space,
            model.action_space,
            device=model.device,
            gamma=model.gamma,
            gae_lambda=model.gae_lambda,
            n_envs=1,
            **arguments,
        )

    @contextmanager
    def _finite(self) -> Iterator[None]:
        """Say what it means when torch refuses a number that is none."""
        try:
            yield
        except (ValueError, RuntimeError) as error:
            if not any(sign in str(error) for sign in NOT_FINITE):
                raise
            raise ConfigurationError(
                f"The policy of {self.name} diverged: its probabilities are not finite with "
                f"learning_rate {self.settings.learning_rate:g}. Start a new run with a lower "
                "learning_rate; with the same store, no child is trained twice."
            ) from error

    def _owner(self) -> dict[str, Any]:
        """What must be equal for a state to fit: JSON-able."""
        return {
            "agent": self.name,
            "positions": self.problem.num_positions,
            "actions": self.problem.num_actions,
            "settings": asdict(self.settings),
        }


class PPOAgent(SB3Agent):
    """Proximal policy optimisation (Schulman et al. 2017)."""

    name = "ppo"
    algorithm = "stable_baselines3:PPO"


class A2CAgent(SB3Agent):
    """Synchronous advantage actor-critic (Mnih et al. 2016)."""

    name = "a2c"
    algorithm = "stable_baselines3:A2C"
    settings_type = A2CSettings


class MaskablePPOAgent(SB3Agent):
    """PPO that gives masked tokens probability 0 (Huang and Ontañón 2022)."""

    name = "maskable_ppo"
    algorithm = "sb3_contrib:MaskablePPO"

    def _forward(
        self, observations: Mapping[str, torch.Tensor], masks: NDArray[np.bool_]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, dict[str, Any]]:
        actions, values, log_probs = self.model.policy(observations, action_masks=masks)
        return actions, values, log_probs, {"action_masks": masks}

    def _played(self, actions: NDArray[np.int64], masks: NDArray[np.bool_]) -> NDArray[np.int64]:
        return actions


class RecurrentPPOAgent(SB3Agent):
    """PPO whose policy and value each have an LSTM."""

    name = "recurrent_ppo"
    algorithm = "sb3_contrib:RecurrentPPO"
    policy_name = "MultiInputLstmPolicy"
    settings_type = RecurrentPPOSettings

    def __init__(self, problem: Problem, seed: int = 0, settings: Shared | None = None) -> None:
        super().__init__(problem, seed, settings)
        self._states = self._zero_states(1)

    def _policy_arguments(self) -> dict[str, Any]:
        assert isinstance(self.settings, RecurrentPPOSettings)
        return {**super()._policy_arguments(), "lstm_hidden_size": self.settings.lstm_size}

    def _forward(
        self, observations: Mapping[str, torch.Tensor], masks: NDArray[np.bool_]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, dict[str, Any]]:
        rows = len(masks)
        if self._states.pi[0].shape[1] != rows:  # another batch: all its episodes begin
            self._states = self._zero_states(rows)
        before, starts = self._states, (observations["position"] == 0).float()
        actions, values, log_probs, self._states = self.model.policy(observations, before, starts)
        return actions, values, log_probs, {"lstm_states": before}

    def _buffer(self, steps: int, **arguments: Any) -> Any:
        lstm = self.model.policy.lstm_actor
        shape = (steps, lstm.num_layers, 1, lstm.hidden_size)
        return super()._buffer(steps, hidden_state_shape=shape, **arguments)

    def _zero_states(self, rows: int) -> Any:
        """States of actor and critic, each two tensors (layers, rows, units)."""
        lstm = self.model.policy.lstm_actor
        zeros = torch.zeros(lstm.num_layers, rows, lstm.hidden_size)
        return type(self.model._last_lstm_states)((zeros, zeros), (zeros, zeros))


def find_algorithm(name: str) -> Any:
    """SB3's class by ``module:class``.

    Raises:
        MissingDependencyError: its package is not installed.
    """
    module, _, algorithm = name.partition(":")
    try:
        return getattr(import_module(module), algorithm)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        package = module.replace("_", "-")
        raise MissingDependencyError(
            f"{algorithm} is part of {package}, which is not installed: pip install {package}"
        ) from error


def observation_space(problem: Problem) -> spaces.Dict:
    """The contract's observation space, as far as an agent knows it."""
    if problem.layout is None:
        options = np.full(problem.num_positions, problem.num_actions + 1)
    else:
        options = np.array([len(position.options) + 1 for position in problem.layout])
    return spaces.Dict(
        {
            "tokens": spaces.MultiDiscrete(options),
            "position": spaces.Discrete(problem.num_positions + 1),
            "remaining": spaces.Discrete(problem.num_positions + 1),
            "action_mask": spaces.MultiBinary(problem.num_actions),
        }
    )
