"""Rewards by name, with settings: what ``reward=`` and ``--reward`` take besides a function.

One frozen dataclass a reward; its limits stand in its annotations. A new one is a class and a line
in ``REWARDS``.

Sources: Zoph & Le (2017), sections 4.1 and 4.2; for costs Tan et al. (2019), MnasNet:
Platform-Aware Neural Architecture Search for Mobile, section 3.
"""

import json
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from typing import Annotated, Any, ClassVar, Literal

from nas_env.checks import above, below, between, check_settings, near_miss, refuse, shown
from nas_env.errors import ConfigurationError
from nas_env.evaluation.evaluation import Evaluation, MetricName
from nas_env.evaluation.reward import cubed, identity, inverse_square
from nas_env.system.reading import reason, strict_json

Cost = Literal["parameters", "macs", "train_seconds"]
EXAMPLE = '{"name": "cost_aware", "cost": "macs", "target": 2e7}'


class SecondsWarning(UserWarning):
    """A reward that depends on how fast a machine was."""


@dataclass(frozen=True)
class NamedReward(ABC):
    """A reward: what a complete evaluation is worth. A subclass is final.

    Attributes:
        name: what users call it.
        metric_name: the metric that it is made for; None = every metric.
    """

    name: ClassVar[str]
    metric_name: ClassVar[MetricName | None] = None

    def __post_init__(self) -> None:
        """Check every field."""
        check_settings(self, f"reward {self.name}:")

    def for_metric(self, metric_name: MetricName) -> "NamedReward":
        """The same with what follows from the metric filled in.

        Raises:
            ConfigurationError: it is of another metric.
        """
        if self.metric_name not in (None, metric_name):
            raise ConfigurationError(
                f"The reward {self.name!r} is made of {self.metric_name}, and children are "
                f"measured by {metric_name} here. Rewards that fit: "
                f"{', '.join(names_for(metric_name))}, or a function metric -> reward."
            )
        return self

    @abstractmethod
    def of(self, evaluation: Evaluation) -> float:
        """The reward of a complete evaluation."""

    def to_json(self) -> dict[str, Any]:
        """What ``chosen_reward`` makes the same reward of."""
        return {"name": self.name, **asdict(self)}


@dataclass(frozen=True)
class Metric(NamedReward):
    """The metric itself, where more is better."""

    name: ClassVar[str] = "metric"

    def for_metric(self, metric_name: MetricName) -> NamedReward:
        """Refuse a perplexity, of which less is better."""
        if metric_name == "perplexity":
            raise ConfigurationError(
                "The reward 'metric' would prefer high perplexities. Rewards that fit: "
                f"{', '.join(names_for(metric_name))}, or a function metric -> reward."
            )
        return self

    def of(self, evaluation: Evaluation) -> float:
        """The metric."""
        return identity(measured(evaluation))


@dataclass(frozen=True)
class Accuracy(NamedReward):
    """The accuracy."""

    name: ClassVar[str] = "accuracy"
    metric_name: ClassVar[MetricName | None] = "accuracy"

    def of(self, evaluation: Evaluation) -> float:
        """The accuracy."""
        return identity(measured(evaluation))


@dataclass(frozen=True)
class AccuracyCubed(NamedReward):
    """Accuracy cubed, the paper's reward for images (section 4.1)."""

    name: ClassVar[str] = "accuracy_cubed"
    metric_name: ClassVar[MetricName | None] = "accuracy"

    def of(self, evaluation: Evaluation) -> float:
        """accuracy^3."""
        return cubed(measured(evaluation))


@dataclass(frozen=True)
class InverseSquarePerplexity(NamedReward):
    """c / perplexity^2, the paper's reward for language (section 4.2).

    Attributes:
        c: the constant.
    """

    name: ClassVar[str] = "inverse_square_perplexity"
    metric_name: ClassVar[MetricName | None] = "perplexity"

    c: Annotated[float, above(0), below(1e9)] = 80.0

    def of(self, evaluation: Evaluation) -> float:
        """C / perplexity^2."""
        return inverse_square(measured(evaluation), self.c)


@dataclass(frozen=True)
class CostAware(NamedReward):
    """base * (cost / target)^w, of Tan et al. (2019), equation 2.

    With the soft constraint w is the exponent for every cost: the dearer, the less, and below the
    target a little more than the base. With the hard one w is 0 up to the target.

    Attributes:
        cost: ``"parameters"``, ``"macs"`` (multiply-accumulates of one example) or
            ``"train_seconds"``. Seconds depend on the machine and its load: the same child earns
            another reward when it is trained again.
        target: the cost at which the reward is the base itself.
        exponent: w; None = -0.07 for the soft constraint and -1 for the hard one, as Tan et al.
            chose them for an accuracy.
        constraint: ``"soft"`` or ``"hard"``.
        base: name, or settings, of the reward that is weighted; None = the metric itself, and
            c / perplexity^2 for a perplexity.
    """

    name: ClassVar[str] = "cost_aware"

    cost: Cost
    target: Annotated[float, above(0)]
    exponent: Annotated[float | None, between(-10, 0)] = None
    constraint: Literal["soft", "hard"] = "soft"
    base: Any = None

    def __post_init__(self) -> None:
        """Check every field."""
        super().__post_init__()
        if self.base is not None:
            object.__setattr__(self, "base", named(self.base))
            if isinstance(self.base, CostAware):
                refuse("base", self.base, "a reward without a cost", f"reward {self.name}:")

    def for_metric(self, metric_name: MetricName) -> NamedReward:
        """With the base that the metric asks for; warns of seconds."""
        base = self.base
        if base is None:
            base = InverseSquarePerplexity() if metric_name == "perplexity" else Metric()
        if self.cost == "train_seconds":
            warnings.warn(
                "The reward depends on seconds of training: it changes with the machine and its "
                "load, and the same search ends elsewhere. cost='macs' is the same everywhere.",
                SecondsWarning,
                stacklevel=2,
            )
        return replace(self, base=base.for_metric(metric_name))

    @property
    def weight(self) -> float:
        """The exponent that is used."""
        if self.exponent is not None:
            return self.exponent
        return -0.07 if self.constraint == "soft" else -1.0

    def of(self, evaluation: Evaluation) -> float:
        """The base, weighted by the cost.

        Raises:
            ConfigurationError: the cost is unknown, or the base is negative.
        """
        base = (self.base or Metric()).of(evaluation)
        cost = float(getattr(evaluation, self.cost))
        if cost <= 0:
            raise ConfigurationError(
                f"The reward 'cost_aware' needs {self.cost} of a child, which this evaluator does "
                "not tell. Choose a cost that the terminal info has, or give a function as reward."
            )
        if base < 0:
            raise ConfigurationError(
                f"The reward 'cost_aware' is a product, and the base is {base:g}: a negative base "
                "would make dear children the better ones. Choose a base that is never negative."
            )
        if self.constraint == "hard" and cost <= self.target:
            return base
        return float(base * (cost / self.target) ** self.weight)

    def to_json(self) -> dict[str, Any]:
        """With the base by its name and settings."""
        base = None if self.base is None else self.base.to_json()
        return {**super().to_json(), "base": base}


REWARDS: dict[str, type[NamedReward]] = {
    kind.name: kind
    for kind in (Accuracy, AccuracyCubed, InverseSquarePerplexity, Metric, CostAware)
}
"""Every reward that has a name."""

Reward = Callable[[float], float] | NamedReward
"""What an environment holds: a function of the metric, or a reward with a name."""


def chosen_reward(given: Any, metric_name: MetricName) -> Reward:
    """The reward that a user means.

    Args:
        given: a name, a dict of a name and settings, a reward, or a function of the metric.
        metric_name: what children are measured by.

    Raises:
        ConfigurationError: an unknown name or setting, a value out of range, a reward of another
            metric.
    """
    if callable(given) and given not in REWARDS.values():
        return given  # type: ignore[no-any-return]
    return named(given, metric_name).for_metric(metric_name)


def named(given: Any, metric_name: MetricName | None = None) -> NamedReward:
    """A reward from its name, or from a dict of name and settings.

    Raises:
        ConfigurationError: no such reward, or settings that cannot be.
    """
    if isinstance(given, NamedReward):
        return given
    names = ", ".join(REWARDS if metric_name is None else names_for(metric_name))
    settings = {"name": given} if isinstance(given, str) else given
    if not isinstance(settings, Mapping) or not isinstance(settings.get("name"), str):
        refuse(
            "reward",
            given,
            f"a name ({names}), a dict of a name and its settings such as {EXAMPLE}, or a function "
            "metric -> reward",
        )
    settings = dict(settings)
    name = settings.pop("name")
    if name not in REWARDS:
        hint = near_miss(name, REWARDS)
        raise ConfigurationError(
            f"Unknown reward {shown(name)}.{hint} Rewards: {names}, or a function metric -> reward."
        )
    return _made(REWARDS[name], settings)


def names_for(metric_name: MetricName) -> list[str]:
    """Names of the rewards that fit a metric."""
    fitting = (name for name, kind in REWARDS.items() if kind.metric_name in (None, metric_name))
    return [name for name in fitting if (name, metric_name) != ("metric", "perplexity")]


def reward_value(reward: Reward, evaluation: Evaluation) -> Any:
    """What a reward makes of a complete evaluation."""
    if isinstance(reward, NamedReward):
        return reward.of(evaluation)
    return reward(measured(evaluation))


def reward_from_text(text: str) -> str | dict[str, Any]:
    """A reward as a command line gives it: a name, or a JSON object of a name and settings.

    Raises:
        ConfigurationError: it starts like a JSON object but is none.
    """
    if not text.lstrip().startswith("{"):
        return text
    try:
        return dict(strict_json(text))
    except ValueError as error:
        raise ConfigurationError(
            f"--reward is not valid JSON ({reason(error)}): {shown(text)}. Give a name, or an "
            f"object such as '{EXAMPLE}'."
        ) from error


def reward_json(reward: Any) -> Any:
    """What a run's configuration says of a reward: JSON, or a function's name."""
    if isinstance(reward, NamedReward):
        return json.loads(json.dumps(reward.to_json()))
    return getattr(reward, "__qualname__", type(reward).__name__)


def reward_text(value: Any) -> str:
    """What ``reward_json`` gave, in short: the name and the settings that are not the default."""
    try:
        reward = named(value)
    except ConfigurationError:  # a function's name
        return str(value)
    given = [
        f"{one.name}={reward_text(found) if isinstance(found, NamedReward) else found}"
        for one in fields(reward)
        if (found := getattr(reward, one.name)) not in (one.default, Metric())
    ]
    return f"{reward.name}({', '.join(given)})" if given else reward.name


def measured(evaluation: Evaluation) -> float:
    """The metric of a complete evaluation."""
    assert evaluation.metric is not None, "a failed child has no metric"
    return evaluation.metric


def _made(kind: type[NamedReward], settings: Mapping[str, Any]) -> NamedReward:
    own = [one for one in fields(kind) if one.init]
    known = [one.name for one in own]
    if unknown := [name for name in settings if name not in known]:
        hint = near_miss(unknown[0], known)
        raise ConfigurationError(
            f"The reward {kind.name!r} has no setting {shown(unknown[0])}.{hint} Settings: "
            f"{', '.join(known) or 'none'}."
        )
    missing = [
        one.name
        for one in own
        if one.default is MISSING and one.default_factory is MISSING and one.name not in settings
    ]
    if missing:
        raise ConfigurationError(
            f"The reward {kind.name!r} needs {' and '.join(missing)}, as in {EXAMPLE}."
        )
    return kind(**settings)
