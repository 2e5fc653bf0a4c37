from dataclasses import replace

import pytest
import torch

from nas_env.errors import ConfigurationError
from nas_env.space.published import NAS_CELL
from nas_env.training.language_recipes import (
    CHARACTER,
    PAPER,
    QUICK,
    RECIPES,
    ZAREMBA_MEDIUM_RECIPE,
    ZAREMBA_SMALL,
    language_recipe,
)


def test_the_paper_recipe_has_the_papers_numbers() -> None:
    assert (PAPER.epochs, PAPER.batch_size, PAPER.bptt_steps, PAPER.layers) == (35, 20, 35, 2)
    assert PAPER.sizes(NAS_CELL, 10_000).hidden_size == 533
    assert replace(PAPER, tied=True).sizes(NAS_CELL, 10_000).hidden_size == 645


def test_zarembas_small_rates_are_constant_for_four_epochs_then_halved() -> None:
    rates = [ZAREMBA_SMALL.rate(epoch) for epoch in range(13)]
    assert rates[:6] == [1, 1, 1, 1, 0.5, 0.25] and rates[12] == 2.0**-9
    assert ZAREMBA_SMALL.sizes("lstm", 10_000).hidden_size == 200


def test_zarembas_medium_is_the_budget_of_the_paper() -> None:
    medium = ZAREMBA_MEDIUM_RECIPE
    assert medium.sizes("lstm", 10_000).hidden_size == 650
    assert medium.rate(5) == 1.0 and medium.rate(6) == pytest.approx(1 / 1.2)


def test_a_cooldown_ends_at_zero_and_leaves_the_start_alone() -> None:
    recipe = replace(QUICK, epochs=2, learning_rate=1.0, constant_epochs=2, cooldown=0.5)
    assert [recipe.rate(0), recipe.rate(0, 0.9), recipe.rate(1)] == [1.0, 1.0, 1.0]
    assert recipe.rate(1, 0.5) == pytest.approx(0.5)
    assert 0 < recipe.rate(1, 0.99) < 0.03


def test_the_character_recipe_is_80_000_steps_at_6_57_million_parameters() -> None:
    assert CHARACTER.sizes(NAS_CELL, 50).hidden_size == 501
    assert CHARACTER.sizes("lstm", 50).hidden_size == 716
    steps = CHARACTER.epochs * -(-5_017_482 // 32 // 100)
    assert steps == pytest.approx(80_000, rel=0.01)


def test_a_dict_changes_the_recipe_it_names() -> None:
    recipe = language_recipe({"name": "fast", "epochs": 2, "dropout": {"input": 0.1}})
    assert recipe.epochs == 2 and recipe.dropout.input == 0.1
    assert language_recipe({"parameter_budget": 500_000}).hidden_size is None
    assert language_recipe(QUICK) is QUICK


def test_the_digest_follows_every_number_but_name_and_time_limit() -> None:
    assert replace(QUICK, name="mine", time_limit_s=1.0).digest() == QUICK.digest()
    digests = {recipe.digest() for recipe in RECIPES.values()}
    digests |= {replace(QUICK, bptt_steps=34).digest(), replace(QUICK, tied=True).digest()}
    assert len(digests) == len(RECIPES) + 2


def test_auto_numerics_become_the_choice_of_this_machine() -> None:
    recipe = replace(QUICK, numerics="auto").with_numerics(torch.device("cpu"))
    assert recipe.numerics in ("float32", "bfloat16")


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"reward_epochs": 9},
        {"hidden_size": 3, "parameter_budget": 10_000},
        {"batch_size": 2.5},
        {"optimiser": "rmsprop"},
        {"numerics": "float8"},
        {"learning_rate": 0.0},
        {"level": "byte"},
        {"dropout": {"inputs": 0.1}},
        {"epoch": 3},
        {"name": "slow"},
        {"time_limit_s": -1.0},
        {"learning_rate": "fast"},
        {"decay": float("nan")},
        {"tied": "yes"},
        {"train_tokens": 2.5},
        {"dropout": 0.5},
        {"dropout": {"input": "0.5"}},
    ],
)
def test_a_recipe_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        language_recipe(wrong)


def test_a_budget_below_one_unit_is_refused_when_the_vocabulary_is_known() -> None:
    recipe = language_recipe({"parameter_budget": 1000})
    with pytest.raises(ConfigurationError, match="No hidden size"):
        recipe.sizes(NAS_CELL, 10_000)
