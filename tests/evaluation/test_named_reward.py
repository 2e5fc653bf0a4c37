"""Rewards by name: what they pay, and what is refused in words."""

import json
import math
from typing import Any

import pytest

from nas_env.errors import ConfigurationError
from nas_env.evaluation.evaluation import Evaluation, MetricName
from nas_env.evaluation.named_reward import (
    REWARDS,
    CostAware,
    NamedReward,
    SecondsWarning,
    chosen_reward,
    reward_from_text,
    reward_value,
)


def child(metric: float, metric_name: MetricName = "accuracy", **costs: Any) -> Evaluation:
    known = {"parameters": 1000, "macs": 40_000, "train_seconds": 2.0, **costs}
    return Evaluation("{}", 0, metric_name, metric, "complete", **known)


def paid(reward: Any, metric: float, metric_name: MetricName = "accuracy", **costs: Any) -> float:
    found = chosen_reward(reward, metric_name)
    return float(reward_value(found, child(metric, metric_name, **costs)))


def cost_aware(**settings: Any) -> dict[str, Any]:
    return {"name": "cost_aware", "cost": "macs", "target": 20_000, **settings}


@pytest.mark.parametrize(
    ("reward", "metric_name", "metric", "expected"),
    [
        ("accuracy", "accuracy", 0.8, 0.8),
        ("accuracy_cubed", "accuracy", 0.8, 0.512),
        ("metric", "accuracy", 0.8, 0.8),
        ("metric", "metric", -3.0, -3.0),
        ("inverse_square_perplexity", "perplexity", 40.0, 0.05),
        ({"name": "inverse_square_perplexity", "c": 200}, "perplexity", 10.0, 2.0),
        (lambda metric: 2 * metric, "perplexity", 3.0, 6.0),
    ],
)
def test_each_name_pays_what_it_says(
    reward: Any, metric_name: MetricName, metric: float, expected: float
) -> None:
    assert paid(reward, metric, metric_name) == pytest.approx(expected, abs=1e-12)


def test_costs_weigh_as_in_mnasnet() -> None:
    assert paid(cost_aware(), 0.9) == pytest.approx(0.9 * 2.0**-0.07)
    assert paid(cost_aware(exponent=-0.5), 0.9) == pytest.approx(0.9 / math.sqrt(2))
    assert paid(cost_aware(), 0.9, macs=10_000) == pytest.approx(0.9 * 2.0**0.07)
    assert paid(cost_aware(), 0.9, macs=20_000) == 0.9
    assert paid(cost_aware(cost="parameters", target=500), 0.9) == pytest.approx(0.9 * 2.0**-0.07)


def test_a_hard_constraint_asks_nothing_below_its_target() -> None:
    hard = cost_aware(constraint="hard")
    assert paid(hard, 0.9, macs=10_000) == paid(hard, 0.9, macs=20_000) == 0.9
    assert paid(hard, 0.9) == pytest.approx(0.45)  # exponent -1, twice the target


def test_what_is_weighted_is_the_metric_the_papers_reward_or_what_is_named() -> None:
    assert paid(cost_aware(base="accuracy_cubed"), 0.8, macs=20_000) == pytest.approx(0.512)
    assert paid(cost_aware(), 40.0, "perplexity", macs=20_000) == pytest.approx(0.05)
    base = {"name": "inverse_square_perplexity", "c": 160}
    assert paid(cost_aware(base=base), 40.0, "perplexity", macs=20_000) == pytest.approx(0.1)


def test_seconds_are_taken_with_a_warning() -> None:
    with pytest.warns(SecondsWarning, match="changes with the machine"):
        assert paid(cost_aware(cost="train_seconds", target=1), 0.9) == pytest.approx(
            0.9 * 2.0**-0.07
        )


def test_a_cost_that_nobody_knows_is_an_error_and_not_a_free_child() -> None:
    with pytest.raises(ConfigurationError, match="needs macs of a child"):
        paid(cost_aware(), 0.9, macs=0)


def test_a_negative_base_is_refused_because_it_would_turn_the_costs_round() -> None:
    with pytest.raises(ConfigurationError, match="negative base"):
        paid(cost_aware(), -2.0, "metric")


@pytest.mark.parametrize(
    ("reward", "metric_name", "message"),
    [
        ("acuracy", "accuracy", r"Unknown reward 'acuracy'\. Did you mean 'accuracy'\? Rewards: "),
        ("accuracy", "perplexity", r"made of accuracy.*Rewards that fit: inverse_square"),
        ("inverse_square_perplexity", "accuracy", r"Rewards that fit: accuracy, accuracy_cubed"),
        ("metric", "perplexity", "would prefer high perplexities"),
        (cost_aware(base="accuracy"), "perplexity", "made of accuracy"),
        (cost_aware(base="cost_aware"), "accuracy", "needs cost and target"),
        (cost_aware(base=cost_aware()), "accuracy", "base must be a reward without a cost"),
        (cost_aware(cost="mac"), "accuracy", "cost must be 'parameters' or 'macs'"),
        (cost_aware(target=0), "accuracy", "target must be a finite number above 0, got 0"),
        (cost_aware(exponent=1), "accuracy", "exponent must be .* from -10 to 0"),
        (cost_aware(exponents=1), "accuracy", "no setting 'exponents'. Did you mean 'exponent'"),
        ({"name": "cost_aware", "cost": "macs"}, "accuracy", r"needs target, as in \{"),
        ({"c": 80}, "perplexity", "reward must be a name .* got"),
        (3, "accuracy", "or a function metric -> reward, got 3"),
        (CostAware, "accuracy", "reward must be a name"),
        ({"name": "inverse_square_perplexity", "c": 0}, "perplexity", "c must be .* above 0"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(
    reward: Any, metric_name: MetricName, message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        chosen_reward(reward, metric_name)


@pytest.mark.parametrize("metric_name", ["accuracy", "perplexity", "metric"])
def test_every_reward_comes_back_from_its_json(metric_name: MetricName) -> None:
    wanted: list[Any] = [
        name for name, kind in REWARDS.items() if kind.metric_name == metric_name
    ] + [cost_aware(constraint="hard")]
    for given in wanted:
        reward = chosen_reward(given, metric_name)
        assert isinstance(reward, NamedReward)
        assert chosen_reward(json.loads(json.dumps(reward.to_json())), metric_name) == reward


def test_a_command_line_gives_a_name_or_an_object() -> None:
    assert reward_from_text("accuracy") == "accuracy"
    assert reward_from_text(json.dumps(cost_aware())) == cost_aware()
    with pytest.raises(ConfigurationError, match="--reward is not valid JSON"):
        reward_from_text('{"name": "cost_aware", ')
