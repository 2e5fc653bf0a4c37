"""PPO in one file, in CleanRL's manner, on any environment of ours: no agent of this project.

``python scripts/examples/cleanrl_ppo.py``, or for a cell of base 4 with
``--env-id NAS-PyDocs-v0 --arguments '{"base_number": 4}'``; ``--help`` has all flags.

Observations are flattened (``FlattenObservation``), invalid tokens get the lowest logit, and
one update is a whole number of episodes: the only reward comes with the last token, so nothing
is discounted (gamma 1) and nothing bootstrapped (lambda 1: advantage = reward - value).
"""

import json
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import torch
import tyro
from gymnasium.vector import VectorEnv
from torch import Tensor, nn
from torch.distributions import Categorical

import nas_env  # noqa: F401 - registers the environments
from agents.command import run_script
from nas_env.errors import ConfigurationError

RECIPE = {"name": "quick", "epochs": 2, "reward_epochs": 1, "train_images": 256}
AnyVectorEnv = VectorEnv[Any, Any, Any]


@dataclass(frozen=True)
class Options:
    """PPO in one file."""

    env_id: str = "NAS-Digits-v0"
    """Environment."""
    arguments: str = json.dumps({"num_layers": 2, "recipe": RECIPE})
    """Its keyword arguments as JSON. Default: children of seconds, for a first look."""
    updates: int = 4
    """Updates; children = updates x num_envs."""
    num_envs: int = 4
    """Episodes per update; their children train at the same time."""
    update_epochs: int = 4
    """Passes over the steps of an update."""
    minibatches: int = 2
    """Parts of a pass."""
    learning_rate: float = 1e-3
    """Of Adam."""
    clip: float = 0.2
    """How far the probability of a token may move in an update."""
    entropy_coefficient: float = 0.01
    """Weight of the entropy bonus."""
    seed: int = 1
    """Run seed."""

    def __post_init__(self) -> None:
        for name in ("updates", "num_envs", "update_epochs", "minibatches"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"{name} must be at least 1, got {getattr(self, name)}.")


@dataclass(frozen=True)
class Rollout:
    """One episode of every sub-environment, step after step."""

    observations: Tensor  # (steps, envs, features)
    masks: Tensor  # (steps, envs, actions) bool
    actions: Tensor  # (steps, envs)
    log_probs: Tensor  # (steps, envs) as they were when the actions were drawn
    values: Tensor  # (steps, envs)
    rewards: Tensor  # (envs,) of the last step


class ActorCritic(nn.Module):
    """Two small networks, as in CleanRL's ``ppo.py``."""

    def __init__(self, features: int, actions: int) -> None:
        super().__init__()
        self.critic = _layers(features, 1, scale=1.0)
        self.actor = _layers(features, actions, scale=0.01)

    def policy(self, observations: Tensor, masks: Tensor) -> Any:
        """``Categorical`` over tokens, in which invalid ones have probability 0."""
        logits = self.actor(observations)  # (..., actions)
        lowest = torch.finfo(logits.dtype).min
        return Categorical(logits=logits.masked_fill(~masks, lowest))

    def value(self, observations: Tensor) -> Tensor:
        """(...,) estimate of the reward."""
        value: Tensor = self.critic(observations).squeeze(-1)
        return value


def _layers(inputs: int, outputs: int, scale: float) -> nn.Sequential:
    linear = [nn.Linear(inputs, 64), nn.Linear(64, 64), nn.Linear(64, outputs)]
    for layer, gain in zip(linear, (2**0.5, 2**0.5, scale), strict=True):
        nn.init.orthogonal_(layer.weight, gain)
        nn.init.zeros_(layer.bias)
    return nn.Sequential(linear[0], nn.Tanh(), linear[1], nn.Tanh(), linear[2])


@torch.no_grad()
def play(envs: AnyVectorEnv, agent: ActorCritic, seed: int) -> Rollout:
    """Play one episode in each sub-environment; ``seed`` is the run seed of the children."""
    steps: list[tuple[Tensor, ...]] = []
    observation, infos = envs.reset(seed=seed)
    ended = False
    while not ended:
        seen = torch.as_tensor(observation, dtype=torch.float32)  # (envs, features)
        mask = torch.as_tensor(infos["action_mask"]).bool()  # (envs, actions)
        policy = agent.policy(seen, mask)
        action = policy.sample()
        steps.append((seen, mask, action, policy.log_prob(action), agent.value(seen)))
        observation, rewards, terminated, _, infos = envs.step(action.numpy())
        ended = bool(terminated.all())  # all have the same depth, so all end together
    seen, mask, action, log_prob, value = map(torch.stack, zip(*steps, strict=True))
    earned = torch.as_tensor(rewards, dtype=torch.float32)  # (envs,)
    return Rollout(seen, mask, action, log_prob, value, earned)


def learn(agent: ActorCritic, optimiser: Any, rollout: Rollout, options: Options) -> float:
    """PPO's update on one rollout; returns the mean distance of the ratios from 1."""
    advantages = (rollout.rewards - rollout.values).flatten()  # (steps * envs,)
    returns = rollout.rewards.expand_as(rollout.values).flatten()
    seen, masks = rollout.observations.flatten(0, 1), rollout.masks.flatten(0, 1)
    actions, old = rollout.actions.flatten(), rollout.log_probs.flatten()
    moved = torch.tensor(0.0)
    for _ in range(options.update_epochs):
        for part in torch.randperm(len(actions)).chunk(options.minibatches):
            policy = agent.policy(seen[part], masks[part])
            ratio = (policy.log_prob(actions[part]) - old[part]).exp()
            scaled = _normalised(advantages[part])
            clipped = ratio.clamp(1 - options.clip, 1 + options.clip)
            policy_loss = -torch.min(ratio * scaled, clipped * scaled).mean()
            value_loss = (agent.value(seen[part]) - returns[part]).square().mean() / 2
            entropy = policy.entropy().mean()
            loss = policy_loss + value_loss / 2 - options.entropy_coefficient * entropy
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
            optimiser.step()
            moved = (ratio.detach() - 1).abs().mean()
    return moved.item()


def _normalised(advantages: Tensor) -> Tensor:
    return (advantages - advantages.mean()) / (advantages.std(correction=0) + 1e-8)


def train(envs: AnyVectorEnv, options: Options) -> list[float]:
    """Play and learn; returns the mean reward of each update.

    Args:
        envs: flat observations, and ``infos["action_mask"]``.
        options: see there.
    """
    torch.manual_seed(options.seed)
    features = int(envs.single_observation_space.shape[0])  # type: ignore[index]
    agent = ActorCritic(features, int(envs.single_action_space.n))  # type: ignore[attr-defined]
    optimiser = torch.optim.Adam(agent.parameters(), lr=options.learning_rate, eps=1e-5)
    means = []
    for update in range(1, options.updates + 1):
        rollout = play(envs, agent, options.seed)
        moved = learn(agent, optimiser, rollout, options)
        means.append(rollout.rewards.mean().item())
        print(f"update {update}: mean reward {means[-1]:.3f}, ratios moved by {moved:.3f}")
    return means


def main() -> int:
    """Make the environments and train."""
    options = tyro.cli(Options, description=__doc__)
    try:
        arguments = {"evaluator": "process", **json.loads(options.arguments)}
        envs = gym.make_vec(options.env_id, num_envs=options.num_envs, **arguments)
    except json.JSONDecodeError as error:
        raise ConfigurationError(f"--arguments is no JSON: {options.arguments}") from error
    except (gym.error.Error, TypeError) as error:
        raise ConfigurationError(f"{options.env_id} cannot be made: {error}") from error
    try:
        train(gym.wrappers.vector.FlattenObservation(envs), options)
    finally:
        envs.close()
    return 0


if __name__ == "__main__":
    run_script(main)
