"""RLlib's PPO with its own action-masking module, on any environment of ours.

``python scripts/examples/rllib_ppo.py``, or on children that are trained here with
``--env NAS-Digits-v0 --arguments '{"num_layers": 2, "recipe": "quick"}'``; ``--help`` has all
flags. It needs RLlib: ``pip install -e ".[rllib]"``. Ray starts for this process
alone, which plays and learns: it needs no cluster.

One update is a whole number of episodes: the only reward comes with the last token, so nothing is
discounted (gamma 1) and nothing bootstrapped (lambda 1: advantage = reward - value).
"""

import json
import os
import signal
from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym
import numpy as np
import tyro

import nas_env  # registers the environments
from agents.command import run_script
from nas_env.errors import ConfigurationError, MissingDependencyError, NasEnvError


@dataclass(frozen=True)
class Options:
    """RLlib's PPO."""

    env: str = "NAS-Digits-Table-v0"
    """Environment. Default: its children were trained beforehand, so this ends in a minute."""
    arguments: str = "{}"
    """Its keyword arguments as JSON."""
    updates: int = 10
    """Updates; children = updates x episodes."""
    episodes: int = 16
    """Episodes per update."""
    epochs: int = 8
    """Passes over the steps of an update."""
    learning_rate: float = 3e-3
    """Of Adam."""
    entropy_coefficient: float = 0.01
    """Weight of the entropy bonus."""
    seed: int = 1
    """Run seed."""

    def __post_init__(self) -> None:
        for name in ("updates", "episodes", "epochs"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"{name} must be at least 1, got {getattr(self, name)}.")

    def make_env(self) -> gym.Env[Any, Any]:
        """The environment.

        Raises:
            ConfigurationError: no such id, or arguments that it does not take.
        """
        try:
            return gym.make(self.env, **json.loads(self.arguments))
        except json.JSONDecodeError as error:
            raise ConfigurationError(f"--arguments is no JSON: {self.arguments}") from error
        except (gym.error.Error, TypeError) as error:
            raise ConfigurationError(f"{self.env} cannot be made: {error}") from error

    def steps_of_an_update(self) -> int:
        """How many tokens its episodes have together.

        Raises:
            ConfigurationError: the environment is none of ours.
        """
        env = self.make_env()
        if not isinstance(env.unwrapped, nas_env.ArchitectureEnv):
            raise ConfigurationError(
                f"{self.env} is none of our environments; docs/index.md lists those."
            )
        space = env.unwrapped.search_space
        env.close()
        return int(self.episodes * space.length(space.num_layers))


class MaskedObservation(gym.ObservationWrapper[Any, Any, Any]):
    """What RLlib's masking module expects: ``{"observations": flat, "action_mask": floats}``."""

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        seen = dict(env.observation_space.items())  # type: ignore[attr-defined]
        actions = seen.pop("action_mask").n
        self.seen = gym.spaces.Dict(seen)  # tokens and position: one-hot when flattened
        size = gym.spaces.flatdim(self.seen)
        self.observation_space = gym.spaces.Dict(
            {
                "observations": gym.spaces.Box(0.0, 1.0, (size,), np.float32),
                "action_mask": gym.spaces.Box(0.0, 1.0, (actions,), np.float32),
            }
        )

    def observation(self, observation: Any) -> Any:
        """Flatten what is seen; the mask stays apart."""
        seen = {key: observation[key] for key in self.seen}
        return {
            "observations": np.asarray(gym.spaces.flatten(self.seen, seen), np.float32),
            "action_mask": observation["action_mask"].astype(np.float32),
        }


@dataclass
class Children:
    """The children of a search, as the last ``info`` of each episode tells of them."""

    rewards: list[float] = field(default_factory=list)
    failed: int = 0
    best: dict[str, Any] | None = None  # the last info of the best episode

    def add(self, episode: Any) -> None:
        """Count the child of a finished episode of RLlib's."""
        reward, info = float(episode.get_return()), episode.get_infos(-1)
        self.failed += info["state"] == "failed"
        if info["state"] != "failed" and reward > max(self.rewards, default=float("-inf")):
            self.best = info
        self.rewards.append(reward)

    def summary(self) -> str:
        """How many there were, and the best one."""
        counted = f"{len(self.rewards)} children, {self.failed} failed"
        if self.best is None:
            return counted
        measure = next(n for n in ("accuracy", "perplexity", "metric") if n in self.best)
        return f"{counted}; best {measure} {self.best[measure]:.4f}\n{self.best['architecture']}"


def start_ray() -> None:
    """Start Ray for this process alone, whatever cluster there is.

    Raises:
        MissingDependencyError: it is not installed.
    """
    try:
        import ray
        import ray.rllib
    except ImportError as error:
        raise MissingDependencyError(
            f'This example needs RLlib ({error}): pip install -e ".[rllib]"'
        ) from error
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing leaves this machine
    stop = signal.getsignal(signal.SIGTERM)
    ray.init("local", include_dashboard=False, logging_level="ERROR")
    signal.signal(signal.SIGTERM, stop)  # Ray's own ends in an abort


def make_ppo(options: Options, steps: int, children: Children) -> Any:
    """RLlib's ``PPO``; every episode that it plays is counted in ``children``."""
    from ray.rllib.algorithms.ppo import PPOConfig
    from ray.rllib.core.rl_module.rl_module import RLModuleSpec
    from ray.rllib.examples.rl_modules.classes import action_masking_rlm
    from ray.tune.registry import register_env

    def count(*, episode: Any, **_: Any) -> None:  # not a method: RLlib would copy its object
        children.add(episode)

    register_env("masked", lambda _: MaskedObservation(options.make_env()))
    module = RLModuleSpec(module_class=action_masking_rlm.ActionMaskingTorchRLModule)
    config = (
        PPOConfig()
        .environment("masked")
        .env_runners(num_env_runners=0, batch_mode="complete_episodes")
        .rl_module(rl_module_spec=module)
        .callbacks(on_episode_end=count)
        .debugging(seed=options.seed, log_level="ERROR")
        .training(
            gamma=1.0,
            lambda_=1.0,
            lr=options.learning_rate,
            entropy_coeff=options.entropy_coefficient,
            train_batch_size_per_learner=steps,
            minibatch_size=steps,
            num_epochs=options.epochs,
        )
    )
    return config.build_algo()


def train(ppo: Any, options: Options, children: Children) -> None:
    """Learn, and say after each update how it went.

    Raises:
        NasEnvError: what the environment said; RLlib hides it in an error of its own.
    """
    for update in range(1, options.updates + 1):
        before = len(children.rewards)
        try:
            ppo.train()
        except RuntimeError as error:
            if isinstance(error.__cause__, NasEnvError):
                raise error.__cause__ from None
            raise
        mean = np.mean(children.rewards[before:])
        print(f"update {update}: mean reward {mean:.3f}", flush=True)


def main() -> int:
    """Train and say what was found."""
    options = tyro.cli(Options, description=__doc__)
    steps = options.steps_of_an_update()  # what is wrong with the environment is said at once
    start_ray()
    children = Children()
    ppo = make_ppo(options, steps, children)
    try:
        train(ppo, options, children)
    finally:
        ppo.stop()
        if children.rewards:  # also of a search that was stopped
            print(children.summary())
    return 0


if __name__ == "__main__":
    run_script(main)
