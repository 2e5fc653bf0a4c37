"""Plain Stable-Baselines3 on our environments, the children of a batch trained side by side.

``python scripts/examples/sb3_side_by_side.py`` (MaskablePPO, which draws valid tokens only)
``python scripts/examples/sb3_side_by_side.py --algorithm ppo`` (PPO, which knows no masks)

Here SB3 drives, with its own ``learn``, callbacks and saved models. For a run folder, a report and
a resume use ``scripts/train_agent.py --agent maskable_ppo`` instead.
"""

from dataclasses import dataclass
from typing import Any, Literal

import tyro
from sb3_contrib import MaskablePPO
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback

from agents.command import run_command, run_script
from baselines.sb3_vec_env import ArchitectureVecEnv
from nas_env.errors import ConfigurationError

ARGUMENTS: dict[str, dict[str, Any]] = {
    "NAS-Digits-v0": {"num_layers": 2, "recipe": "quick"},  # small, for a first look
    "NAS-Digits-Table-v0": {},
}
"""Arguments of ``gym.make``."""


@dataclass(frozen=True)
class Options:
    """Search with Stable-Baselines3."""

    algorithm: Literal["maskable_ppo", "ppo"] = "maskable_ppo"
    """PPO plays the (action mod n)-th of the n valid tokens."""
    env: Literal["NAS-Digits-v0", "NAS-Digits-Table-v0"] = "NAS-Digits-v0"
    """The second looks its children up in a table: thousands a second."""
    side_by_side: int = 4
    """Episodes in lockstep; their children train at the same time, one a worker process."""
    updates: int = 2
    """Updates of the policy; each learns from one episode of every row."""
    seed: int = 0
    """Run seed of the children and of the policy."""


class Children(BaseCallback):
    """Prints every child as it is trained, and keeps the best."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.best: dict[str, Any] = {}

    def _on_step(self) -> bool:
        for info in self.locals["infos"]:
            if "episode" not in info:  # not the last token of an episode
                continue
            self.count += 1
            outcome = f"failed: {info['failure']}"
            if info["state"] == "complete":
                outcome = f"accuracy {info['accuracy']:.4f}"
                if info["episode"]["r"] > self.best.get("episode", {"r": -1.0})["r"]:
                    self.best = {**info, "number": self.count}
            print(f"child {self.count}: {outcome}, reward {info['episode']['r']:.3f}")
        return True


def search(options: Options) -> Children:
    """Learn; returns the children."""
    for name in ("side_by_side", "updates"):
        if getattr(options, name) < 1:
            raise ConfigurationError(f"{name} is {getattr(options, name)}; it must be at least 1.")
    env = ArchitectureVecEnv.make(
        options.env,
        options.side_by_side,
        invalid_tokens="error" if options.algorithm == "maskable_ppo" else "modulo",
        **ARGUMENTS[options.env],
    )
    try:
        length = env.env.search_space.length()
        batch = options.side_by_side * length
        algorithm: Any = MaskablePPO if options.algorithm == "maskable_ppo" else PPO
        model = algorithm(
            "MultiInputPolicy",
            env,
            n_steps=length,  # a rollout is whole episodes
            batch_size=batch,
            gamma=1.0,  # the reward comes with the last token alone
            gae_lambda=1.0,
            seed=options.seed,
            device="cpu",
        )
        children = Children()
        model.learn(options.updates * batch, callback=children)
    finally:
        env.close()
    return children


def main() -> int:
    """Search and print the best child."""

    def body() -> int:
        children = search(tyro.cli(Options, description=__doc__))
        if children.best:
            print(f"best: child {children.best['number']}\n{children.best['architecture']}")
        return 0

    return run_command(body)


if __name__ == "__main__":
    run_script(main)
