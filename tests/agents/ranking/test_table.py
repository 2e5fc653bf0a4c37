"""The table says what the ledger holds."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.ranking import command
from agents.ranking.candidates import candidate, draw_networks, settings_of
from agents.ranking.command import RankOptions, rank
from agents.ranking.measure import SIZE_ALONE, Measured, measure
from agents.ranking.table import as_json, markdown
from agents.ranking.trainings import Done, Ledger, Plan
from nas_env.errors import ConfigurationError
from nas_env.evaluation.evaluation import MetricName

SETTINGS = settings_of("NAS-Digits-v0", {})
GOOD, POOR = '{"epochs": 2, "numerics": "float32"}', '{"epochs": 3, "numerics": "float32"}'
LONG = '{"epochs": 9, "numerics": "float32"}'


def plan(networks: int = 40) -> Plan:
    short = [candidate(text, SETTINGS) for text in (GOOD, POOR)]
    drawn = draw_networks(SETTINGS, networks, 0)
    return Plan(SETTINGS.search_space(), drawn, candidate(LONG, SETTINGS), short)


def filled(folder: Path, one: Plan, metric_name: MetricName = "accuracy") -> Measured:
    """A truth that grows with size; one recipe sees it through a little noise, one sees size."""
    ledger, rng = Ledger(folder, {}), np.random.default_rng(0)
    for network in one.networks:
        size, rest = rng.normal(size=2)
        values = {
            one.long.key: (size + rest, 0.01, 60.0),
            one.short[0].key: (size + rest, 0.3, 2.0),
            one.short[1].key: (size, 0.3, 1.0),
        }
        for key, (truth, noise, seconds) in values.items():
            for repeat in range(2):
                score = 0.5 + (truth + noise * rng.normal()) / 20
                metric = math.exp(-score) if metric_name == "perplexity" else score
                macs = round(1e6 * math.exp(size))
                ledger.done[network, key, repeat] = Done(metric, macs, seconds)
    return measure(one, ledger, metric_name)


@pytest.mark.parametrize("metric_name", ["accuracy", "perplexity"])
def test_a_recipe_that_sees_size_alone_is_found_out(tmp_path: Path, metric_name: Any) -> None:
    good, poor, size = filled(tmp_path, plan(), metric_name).rows
    assert good.spearman.value > 0.9 and good.pearson.low > 0.9
    assert good.partial_spearman.low > 0.7 and good.partial_pearson.low > 0.7
    assert poor.pearson.value > 0.4
    assert abs(poor.partial_pearson.value) < 0.3
    assert good.between_seeds > 0.9
    assert good.hits > 0.9 > 0.7 > poor.hits
    assert (good.seconds, poor.seconds, size.seconds) == (2.0, 1.0, 0.0)
    assert size.name == SIZE_ALONE
    assert size.pearson.value > 0.4 and math.isnan(size.partial_pearson.value)


def test_what_is_not_there_yet_is_left_out(tmp_path: Path) -> None:
    one = plan(12)
    ledger = Ledger(tmp_path, {})
    for number, network in enumerate(one.networks):
        ledger.done[network, one.long.key, 0] = Done(0.1 * number, 10 + number, 3.0)
        if number < 10:
            metric = None if number == 9 else 0.01 * number
            ledger.done[network, one.short[0].key, 0] = Done(metric, 5, 1.0)
    found = measure(one, ledger, "accuracy")
    good, poor, size = found.rows
    assert (found.networks, found.long_repeats) == (12, (1, 1))
    assert math.isnan(found.long_between_seeds)
    assert (good.networks, good.failed) == (9, 1)
    assert good.spearman.value == pytest.approx(1.0)
    assert (poor.networks, size.networks) == (0, 12)
    text = markdown(found)
    assert f"| `{GOOD}` | 9 | 1.00 (1.00 to 1.00) |" in text
    assert f"| `{POOR}` | 0 | - | - | - | - | - | - | - | - | - |" in text
    assert json.loads(as_json(found, {}))["rows"][1]["pearson"]["value"] is None


def test_a_price_compares_the_same_networks(tmp_path: Path) -> None:
    one = plan(3)
    ledger = Ledger(tmp_path, {})
    first, second, third = one.networks
    good, poor = (recipe.key for recipe in one.short)
    ledger.done[first, good, 0] = Done(0.5, 1, 1.0)
    ledger.done[second, good, 0] = Done(0.5, 1, 2.0)
    ledger.done[second, good, 1] = Done(0.5, 1, 4.0)
    ledger.done[first, poor, 0] = Done(0.5, 1, 2.0)
    ledger.done[second, poor, 1] = Done(0.5, 1, 4.0)
    ledger.done[third, poor, 0] = Done(0.5, 1, 900.0)
    rows = measure(one, ledger, "accuracy").rows
    assert [row.price for row in rows] == [1.0, pytest.approx((2 + 4) / (1 + 3))]


def test_the_table_and_its_evidence_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = '{"train_images": 64, "numerics": "float32"}'
    options = [*("--recipes", small, "--long", LONG, "--env", "NAS-Digits-v0"), "--report"]
    options += ["--output", str(tmp_path), "--data-note", "as they come", "--networks", "3"]
    monkeypatch.setattr("sys.argv", ["rank_recipes.py", *options])
    assert command.main() == 0
    assert (tmp_path / "table.md").read_text() in capsys.readouterr().out
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["data"]["note"] == "as they come"
    assert figures["recipes"][small]["train_images"] == 64
    assert {"torch", "numpy"} <= set(figures["versions"]) and figures["hardware"]["processor"]
    assert "rank_recipes" in figures["command"] or "pytest" in figures["command"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"networks": 0}, "networks must be at least 1, got 0"),
        ({"recipes": (GOOD, f" {GOOD}")}, "are the same recipe"),
        ({"long": "slow"}, "'slow'"),
    ],
)
def test_options_that_cannot_be_are_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    given: dict[str, Any] = {"recipes": (GOOD,), "long": LONG, "output": tmp_path / "new"}
    with pytest.raises(ConfigurationError, match=message):
        rank(RankOptions(**(given | {"env": "NAS-Digits-v0"} | change)))
    assert not (tmp_path / "new").exists()
