"""What is said of how recipes rank is what was measured, wherever it is said."""

import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

from agents.ranking.table import read
from agents.search.banner import ranking_line
from agents.search.resolve import settings_given
from nas_env.envs.evidence import Evidence, evidence_of, measured
from nas_env.registration import REGISTRATIONS
from scripts.documents.evidence import (
    default_settings,
    digest_of,
    evidence_text,
    measurement,
    package_table,
    quick_evidence,
    words,
)

TRAINED = [one.id for one in REGISTRATIONS if not default_settings(one.id).looks_up]
MEASURED = [name for name in TRAINED if measurement(name) is not None]


def evidence(spearman: float, given_size: float | None = None) -> Evidence:
    around = None if given_size is None else (0.5, given_size, 0.8)
    return Evidence("0" * 32, "quick", 30, (0.7, spearman, 0.9), around)


def test_the_sentence_says_how_sure_it_is() -> None:
    clear = "`quick` orders 30 random networks like a long training with Spearman's correlation"
    assert evidence(0.4).words() == f"{clear} .70 (.40 to .90)"
    assert (
        evidence(0.4, 0.1).words() == f"{clear} .70 (.40 to .90), .50 (.10 to .80) given their size"
    )
    doubtful = evidence(0.4, -0.1).words()
    assert doubtful.startswith(clear) and doubtful.endswith("no better than their size alone")
    assert "may rank by chance" in evidence(-0.1, -0.1).words()


@pytest.mark.parametrize("name", TRAINED)
def test_every_page_says_first_how_its_quick_ranks_or_that_nobody_knows(name: str) -> None:
    page = Path(f"docs/environments/{name}.md").read_text()
    start = "\n".join(page.splitlines()[:6])
    found = quick_evidence(name)
    assert (found.words() if found else "`quick` has no evidence here") in start
    assert ("## How Recipes Rank" in page) == (found is not None)
    line = ranking_line(gym.spec(name), default_settings(name), "quick")
    assert line.count("\n") == 1 and line.startswith("recipe quick")
    assert ("has not been measured" in line) == (found is None)


@pytest.mark.parametrize("name", MEASURED)
def test_the_table_of_the_package_holds_the_measurement(name: str) -> None:
    content, settings = measurement(name), default_settings(name)
    assert content is not None and content["env"] == name
    assert len(measured(name)) >= 2
    for row in read(content).rows:
        full = content["recipes"].get(row.name)
        found = None if full is None else evidence_of(name, digest_of(settings, full))
        if found is not None:
            assert found.networks == row.networks
            figures = (row.spearman.value, row.spearman.low, row.spearman.high)
            assert found.spearman == pytest.approx(figures, abs=6e-4)


def test_every_measurement_has_its_trainings_beside_it() -> None:
    for name in MEASURED:
        content = measurement(name)
        assert content is not None
        lines = Path(f"docs/results/ranking/{name}.jsonl").read_text().splitlines()
        done = [one for one in map(json.loads, lines) if "network" in one]
        assert len({tuple(one["network"]) for one in done}) >= content["networks"]


def test_the_banner_is_silent_or_says_that_it_does_not_know() -> None:
    digits, table = gym.spec("NAS-Digits-v0"), gym.spec("NAS-Digits-Table-v0")
    assert ranking_line(table, settings_given(table, {}), None) == ""
    own = settings_given(digits, {"evaluator": lambda architecture, seed: 0.5})
    assert ranking_line(digits, own, "quick") == ""
    changed = ranking_line(digits, settings_given(digits, {}), {"name": "quick", "epochs": 7})
    cifar10 = gym.spec("NAS-CIFAR10-v0")
    other = ranking_line(cifar10, settings_given(cifar10, {"dataset": "elsewhere"}), "quick")
    known = ranking_line(cifar10, settings_given(cifar10, {}), "quick")
    assert "Spearman" in known, "the recipe is the same; the images are not"
    for line in (changed, other):
        assert line.startswith("recipe quick: how well this recipe ranks")


def test_arithmetic_does_not_change_what_is_known() -> None:
    settings = default_settings("NAS-Digits-v0")
    spec = gym.spec("NAS-Digits-v0")
    plain, fast = (
        ranking_line(spec, settings, {"name": "quick", "numerics": name})
        for name in ("float32", "bfloat16-channels_last")
    )
    assert plain == fast and "Spearman" in plain


def test_settings_in_words() -> None:
    full: dict[str, Any] = {"resolution": 8, "train_images": 3840, "epochs": 3, "batch_size": 32}
    full |= {"learning_rate": 0.1, "width": 0.5}
    said = "8x8 pixels, 3,840 images, 3 epochs, batch 32, learning rate 0.1"
    assert words(full) == f"{said}, 0.5 of the filters"
    assert words(full | {"width": 1.0}) == said
    cell: dict[str, Any] = {"train_tokens": None, "hidden_size": 64, "epochs": 1, "batch_size": 20}
    assert words(cell | {"learning_rate": 0.01}).startswith("all words, 64 units, 1 epoch, batch")


def test_a_table_is_not_trained_so_its_page_says_nothing_of_it() -> None:
    assert evidence_text("NAS-Digits-Table-v0") == ([], "")
    assert "NAS-Digits-Table-v0" not in json.loads(package_table())
