"""Playing one batch of episodes: agent and environment take turns until all have ended.

Three kinds of environment: ours, of which a batch of any size plays in lockstep so that its
children train side by side; foreign vector environments, in whole rounds; foreign single ones, one
episode after another.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray

from agents.agent import Agent, Batch, Problem
from nas_env.envs.architecture_env import ArchitectureEnv
from nas_env.envs.token_space import TokenSpace
from nas_env.envs.vector_env import ArchitectureVectorEnv
from nas_env.errors import ConfigurationError

AnyEnv = gym.Env[Any, Any] | VectorEnv[Any, Any, Any]


@dataclass(frozen=True)
class Played:
    """One episode as it was played.

    Attributes:
        tokens: (length,) what the agent chose.
        masks: (length, actions) bool: what was valid.
        reward: sum of the episode's rewards.
        info: of the last step.
        learnable: whether it has a reward to learn from.
    """

    tokens: NDArray[np.int64]
    masks: NDArray[np.bool_]
    reward: float
    info: dict[str, Any]
    learnable: bool = True

    def settled(self, lowest: float | None) -> "Played":
        """The same with what an agent is to make of a reward that the environment cannot tell.

        A child that failed, where nobody knows what the worst one is worth, counts as much as the
        worst that this search has seen: what an environment must not do (its rewards are to depend
        on the child alone), an agent may. Where the machine is to blame, or nothing was seen yet,
        there is nothing to learn.
        """
        if self.learnable or lowest is None or self.info.get("machine_fault", False):
            return self
        return replace(self, reward=lowest, learnable=True)


@dataclass(frozen=True)
class Order:
    """What to play.

    Attributes:
        episodes: how many.
        first: number of episodes that the search has played before.
        seed: run seed of the search.
        num_layers: depth asked for; None = the environment's own.
    """

    episodes: int
    first: int
    seed: int
    num_layers: int | None = None

    @property
    def options(self) -> dict[str, Any] | None:
        """Reset options."""
        return None if self.num_layers is None else {"num_layers": self.num_layers}

    def reset(self, episode: int, ours: bool) -> dict[str, Any]:
        """Arguments of ``reset`` where episodes are played one after another.

        Args:
            episode: its number in this order.
            ours: it is our environment in a wrapper, or Gymnasium's vector of ours: children's
                seeds then derive from the run seed, as everywhere, and what a wrapper draws from
                the episode's.
        """
        options = {**(self.options or {}), **({"run_seed": self.seed} if ours else {})}
        return {"seed": self.seed_of(episode), "options": options or None}

    def seed_of(self, episode: int) -> int:
        """Seed of a foreign environment's episode: a function of run seed and number."""
        sequence = np.random.SeedSequence([self.seed, self.first + episode])
        return int(sequence.generate_state(1)[0] >> 1)


class Player(ABC):
    """Plays batches of episodes of one environment."""

    problem: Problem

    @abstractmethod
    def play(self, agent: Agent, order: Order) -> list[Played]:
        """Play ``order.episodes`` episodes to their end; in the order of their numbers."""


def make_player(env: AnyEnv) -> Player:
    """The player of an environment.

    Raises:
        ConfigurationError: the environment does not keep the contract's spaces.
    """
    inner: Any = env.unwrapped
    if _is_ours(inner) and not _has_own_wrapper(env):
        return LockstepPlayer(inner)
    if isinstance(env, VectorEnv):
        return VectorPlayer(env)
    if isinstance(env, gym.Env):
        return SinglePlayer(env)
    raise ConfigurationError(f"Not a Gymnasium environment: {env!r}.")


def to_batch(episodes: Sequence[Played]) -> Batch:
    """Pad episodes to one length: tokens with 0, masks with True.

    Those without a reward are left out: nothing can be learned from them.
    """
    episodes = [episode for episode in episodes if episode.learnable]
    return Batch.padded(
        [episode.tokens for episode in episodes],
        [episode.masks for episode in episodes],
        [episode.reward for episode in episodes],
    )


class LockstepPlayer(Player):
    """Our environments: all children of a batch go to the evaluator at once.

    It plays its own vector environment over the same search space, evaluator and reward, because a
    batch may have any size.
    """

    def __init__(self, env: ArchitectureEnv | ArchitectureVectorEnv) -> None:
        self.env = env
        space = env.search_space
        self.problem = Problem(len(space.layout), space.max_options, space.layout, space.masks)
        self._batches: dict[int, ArchitectureVectorEnv] = {}

    def play(self, agent: Agent, order: Order) -> list[Played]:
        """Play the whole batch in lockstep."""
        batch = self._batch(order.episodes)
        observations, _ = batch.reset(seed=order.seed, options=order.options)
        record = Record(order.episodes)
        while not record.ended.all():
            tokens = agent.act(observations)
            masks = observations["action_mask"]
            observations, rewards, ended, _, infos = batch.step(tokens)
            record.add(tokens, masks, rewards, ended, infos)
        return record.episodes()

    def _batch(self, size: int) -> ArchitectureVectorEnv:
        if size not in self._batches:
            self._batches[size] = ArchitectureVectorEnv(
                self.env.search_space,
                self.env.evaluator,
                self.env.reward,
                num_envs=size,
                metric_name=self.env.metric_name,
                failure_reward=self.env.failure_reward,
                autoreset_mode=AutoresetMode.DISABLED,
                owns_evaluator=False,  # it belongs to the environment that was given
            )
        return self._batches[size]


class VectorPlayer(Player):
    """Foreign vector environments: rounds of ``num_envs`` episodes."""

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        self.env = env
        self.problem = problem_of(env.single_observation_space, env.single_action_space, env)

    def play(self, agent: Agent, order: Order) -> list[Played]:
        """Play whole rounds."""
        count = self.env.num_envs
        if order.episodes % count:
            raise ConfigurationError(
                f"A batch of {order.episodes} episodes cannot be played by {count} "
                f"sub-environments: choose children and children_per_update as multiples of it."
            )
        played: list[Played] = []
        while len(played) < order.episodes:
            played += self._round(agent, order, len(played))
        return played

    def _round(self, agent: Agent, order: Order, first: int) -> list[Played]:
        ours = isinstance(self.env.single_action_space, TokenSpace)
        observations, _ = self.env.reset(**order.reset(first, ours))
        record = Record(self.env.num_envs)
        seen = {key: np.array(value) for key, value in observations.items()}
        while not record.ended.all():
            tokens = agent.act(seen)
            running, masks = ~record.ended, np.asarray(observations["action_mask"])
            # Rows that have ended get any valid token; what they play now is not recorded.
            actions = np.where(running, tokens, masks.argmax(axis=1))
            observations, rewards, terminated, truncated, infos = self.env.step(actions)
            ended = terminated | truncated
            record.add(tokens, seen["action_mask"], rewards, ended, infos)
            going_on = ~record.ended
            for key, value in observations.items():
                seen[key][going_on] = value[going_on]
        return record.episodes()


class SinglePlayer(Player):
    """Foreign single environments: one episode after another."""

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        self.env = env
        self.problem = problem_of(env.observation_space, env.action_space, env)

    def play(self, agent: Agent, order: Order) -> list[Played]:
        """Play all episodes, one after another."""
        return [self._episode(agent, order, number) for number in range(order.episodes)]

    def _episode(self, agent: Agent, order: Order, number: int) -> Played:
        observation, _ = self.env.reset(**order.reset(number, _is_ours(self.env.unwrapped)))
        record = Record(1)
        while not record.ended.all():
            observations = {key: np.asarray(value)[None] for key, value in observation.items()}
            token = agent.act(observations)
            observation, reward, terminated, truncated, info = self.env.step(int(token[0]))
            ended = np.array([terminated or truncated])
            masks = observations["action_mask"]
            record.add(token, masks, np.array([reward]), ended, {"final_info": [info]})
        return record.episodes()[0]


class Record:
    """Collects what happens to a batch of episodes that begin together."""

    def __init__(self, count: int) -> None:
        self.ended = np.zeros(count, np.bool_)
        self._tokens: list[list[int]] = [[] for _ in range(count)]
        self._masks: list[list[NDArray[np.bool_]]] = [[] for _ in range(count)]
        self._rewards = np.zeros(count)
        self._infos: list[dict[str, Any]] = [{} for _ in range(count)]

    def add(
        self,
        tokens: NDArray[np.int64],
        masks: NDArray[Any],
        rewards: NDArray[Any],
        ended: NDArray[Any],
        infos: dict[str, Any],
    ) -> None:
        """Note one step of the rows that have not ended yet."""
        valid = np.asarray(masks).astype(np.bool_)
        for row in np.flatnonzero(~self.ended).tolist():
            self._tokens[row].append(int(tokens[row]))
            self._masks[row].append(valid[row])
            self._rewards[row] += rewards[row]
            if ended[row]:
                self._infos[row] = row_info(infos, row)
        self.ended |= np.asarray(ended, np.bool_)

    def episodes(self) -> list[Played]:
        """All rows, finished."""
        return [
            Played(
                np.array(tokens, np.int64),
                np.stack(masks),
                float(reward),
                info,
                learnable=not info.get("reward_missing", False),
            )
            for tokens, masks, reward, info in zip(
                self._tokens, self._masks, self._rewards, self._infos, strict=True
            )
        ]


def row_info(infos: dict[str, Any], row: int) -> dict[str, Any]:
    """The info of one row of a vector environment's step that ended its episode."""
    final = infos.get("final_info")
    if isinstance(final, dict):  # autoreset in the same step
        return row_info(final, row)
    if final is not None:
        return dict(final[row])
    keys = [key for key in infos if not key.startswith("_")]
    found: dict[str, Any] = {}
    for key in keys:
        value = infos[key]
        if infos.get(f"_{key}", [True] * (row + 1))[row]:
            found[key] = row_info(value, row) if isinstance(value, dict) else value[row]
    return found


def problem_of(observation_space: Any, action_space: Any, env: AnyEnv) -> Problem:
    """What an agent may know of a foreign environment.

    Raises:
        ConfigurationError: other spaces than the contract's.
    """
    kept = isinstance(observation_space, gym.spaces.Dict) and isinstance(
        action_space, gym.spaces.Discrete
    )
    if not kept or not {"tokens", "position", "action_mask"} <= set(observation_space.keys()):
        raise ConfigurationError(
            "Agents play environments with action space Discrete and observation space "
            f"Dict(tokens, position, action_mask); got {action_space} and {observation_space}."
        )
    space = getattr(env.unwrapped, "search_space", None)
    layout, masks = (
        getattr(space, "layout", None),
        getattr(space or _inner_space(env), "masks", None),
    )
    return Problem(int(observation_space["tokens"].shape[0]), int(action_space.n), layout, masks)


def _inner_space(env: AnyEnv) -> Any:
    """The search space that the first sub-environment publishes; None if there is none."""
    try:
        return env.get_attr("search_space")[0]  # type: ignore[union-attr]
    except Exception:  # a single environment, or whatever a stranger's vector environment raises
        return None


def _is_ours(inner: Any) -> bool:
    """Whether it is one of our classes, its rules of play unchanged."""
    for ours in (ArchitectureEnv, ArchitectureVectorEnv):
        if isinstance(inner, ours):
            return type(inner).step is ours.step and type(inner).reset is ours.reset
    return False


def _has_own_wrapper(env: AnyEnv) -> bool:
    """Whether a wrapper that Gymnasium did not put there itself may change what is played."""
    harmless = (gym.wrappers.OrderEnforcing, gym.wrappers.PassiveEnvChecker)
    while env is not env.unwrapped:
        if not isinstance(env, harmless):
            return True
        env = env.env
    return False
