"""Hyper-parameters of the Stable-Baselines3 agents; no torch.

Names are SB3's, except where the project has one word for a thing that several agents share:
``entropy_coefficient`` is SB3's ``ent_coef`` and ``gradient_clip`` its ``max_grad_norm``. Defaults
are SB3's too, except those of ``Shared`` and ``RecurrentPPOSettings`` that say otherwise. A rollout
is always the episodes of one update, whole: ``n_steps`` = their length.
"""

from dataclasses import dataclass
from typing import Annotated

from nas_env.checks import above, at_least, between, check_settings


@dataclass(frozen=True)
class Shared:
    """What all on-policy algorithms of SB3 have.

    Attributes:
        learning_rate: of the optimiser.
        gamma: discount. 1, not SB3's .99: the only reward comes with the last token, and every
            token of an architecture has the same part in it.
        gae_lambda: 1, not SB3's .95 for PPO: advantage = reward - value, no bootstrapping inside an
            episode, as in the paper's REINFORCE.
        entropy_coefficient: weight of the entropy in the objective (SB3: ``ent_coef``).
        vf_coef: weight of the value loss in the objective.
        gradient_clip: largest norm of the gradient (SB3: ``max_grad_norm``).
        normalize_advantage: scale advantages to mean 0 and standard deviation 1.
        hidden_size: units of each of the two hidden layers of policy and value network.
    """

    learning_rate: Annotated[float, above(0)] = 3e-4
    gamma: Annotated[float, between(0, 1)] = 1.0
    gae_lambda: Annotated[float, between(0, 1)] = 1.0
    entropy_coefficient: Annotated[float, at_least(0)] = 0.0
    vf_coef: Annotated[float, at_least(0)] = 0.5
    gradient_clip: Annotated[float, above(0)] = 0.5
    normalize_advantage: bool = True
    hidden_size: Annotated[int, at_least(1)] = 64

    def __post_init__(self) -> None:
        check_settings(self)

    def sb3_arguments(self) -> dict[str, float | bool]:
        """Keyword arguments of SB3's class, without those of its policy."""
        return {
            "learning_rate": self.learning_rate,
            "gamma": self.gamma,
            "gae_lambda": self.gae_lambda,
            "ent_coef": self.entropy_coefficient,
            "vf_coef": self.vf_coef,
            "max_grad_norm": self.gradient_clip,
            "normalize_advantage": self.normalize_advantage,
        }


@dataclass(frozen=True)
class A2CSettings(Shared):
    """Hyper-parameters of A2C: one RMSprop step on the whole rollout.

    Attributes:
        learning_rate: SB3's for A2C.
        normalize_advantage: False, as in SB3.
    """

    learning_rate: Annotated[float, above(0)] = 7e-4
    normalize_advantage: bool = False


@dataclass(frozen=True)
class PPOSettings(Shared):
    """Hyper-parameters of PPO and MaskablePPO.

    Attributes:
        n_epochs: passes over the rollout per update.
        batch_size: largest minibatch. A rollout is cut into equal parts no larger than this (one
            larger where a part of one step would be left, whose advantage cannot be scaled).
        clip_range: how far the probability of a token may move in one update.
    """

    n_epochs: Annotated[int, at_least(1)] = 10
    batch_size: Annotated[int, at_least(2)] = 64
    clip_range: Annotated[float, above(0)] = 0.2

    def sb3_arguments(self) -> dict[str, float | bool]:
        """Those of all, and of PPO."""
        return {
            **super().sb3_arguments(),
            "n_epochs": self.n_epochs,
            "clip_range": self.clip_range,
        }


@dataclass(frozen=True)
class RecurrentPPOSettings(PPOSettings):
    """Hyper-parameters of RecurrentPPO.

    Attributes:
        batch_size: SB3's for RecurrentPPO.
        lstm_size: units of the LSTM of the policy and of that of the value. 64, not SB3's 256,
            which only slows a sequence of a few dozen tokens down.
    """

    batch_size: Annotated[int, at_least(2)] = 128
    lstm_size: Annotated[int, at_least(1)] = 64


def minibatch(steps: int, largest: int) -> int:
    """Size of equal minibatches of a rollout: at most ``largest``, none of a single step."""
    parts = -(-steps // largest)
    size = -(-steps // parts)
    while size > 1 and steps % size == 1:
        size += 1
    return size
