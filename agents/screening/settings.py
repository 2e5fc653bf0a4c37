"""Hyper-parameters of the screening agents; no torch, so that a command line can be read."""

from dataclasses import dataclass
from typing import Annotated

from nas_env.checks import above, at_least, at_most, below, check_settings


@dataclass(frozen=True)
class BreedingSettings:
    """How the best architectures are bred.

    Attributes:
        elite_candidates: mutants and crossovers of the best among the candidates of an update, in
            equal parts.
        breeding_elites: how many of the best are parents.
        one_change: chance that a mutant with so many changed positions gets no further one.
    """

    elite_candidates: Annotated[int, at_least(1)] = 64
    breeding_elites: Annotated[int, at_least(1)] = 16
    one_change: Annotated[float, above(0), at_most(1)] = 0.5

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class GpSettings(BreedingSettings):
    """Hyper-parameters of screening without a policy.

    Attributes:
        random_candidates: random architectures among the candidates of an update.
        first_children: children before anything is screened.
        gp_points: most architectures that the Gaussian process knows: half of them the best, the
            others the latest.
        scale_points: most of those that choose its length scales and noise, by the same rule.
    """

    random_candidates: Annotated[int, at_least(0)] = 64
    first_children: Annotated[int, at_least(1)] = 16
    gp_points: Annotated[int, at_least(2)] = 400
    scale_points: Annotated[int, at_least(2)] = 128


@dataclass(frozen=True)
class PolicySettings:
    """Hyper-parameters of the policy.

    Attributes:
        policy_candidates: architectures that the policy writes among the candidates of an update.
        learning_rate: step size of Adam.
        hidden_size: units of each of the two LSTM layers.
        baseline_decay: share of the old average that stays when one more reward enters the
            baseline.
        entropy_coefficient: weight of the mean entropy per episode in the objective.
        elite_size: how many of the best architectures the policy learns from again.
        elite_weight: weight of the mean log-likelihood of the elites in the objective.
        elite_steps: further steps of Adam on the elites alone after each update.
    """

    policy_candidates: Annotated[int, at_least(1)] = 64
    learning_rate: Annotated[float, above(0)] = 2e-2
    hidden_size: Annotated[int, at_least(1)] = 35
    baseline_decay: Annotated[float, at_least(0), below(1)] = 0.8
    entropy_coefficient: Annotated[float, at_least(0)] = 0.0
    elite_size: Annotated[int, at_least(1)] = 8
    elite_weight: Annotated[float, above(0)] = 0.5
    elite_steps: Annotated[int, at_least(0)] = 0

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class ScreenSettings(GpSettings, PolicySettings):
    """Hyper-parameters of screening with a policy: its own and those of the screening."""


@dataclass(frozen=True)
class HybridSettings(BreedingSettings, PolicySettings):
    """Hyper-parameters of a policy and mutants side by side, without screening."""

    breeding_elites: Annotated[int, at_least(1)] = 6
    one_change: Annotated[float, above(0), at_most(1)] = 1.0
    elite_steps: Annotated[int, at_least(0)] = 4
