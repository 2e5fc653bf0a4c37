"""Recipes: the paper's numbers, early errors, and a digest of what can change a metric."""

import re
from dataclasses import replace

import pytest
import torch

from nas_env.errors import ConfigurationError
from nas_env.training.image_recipes import RECIPES, ImageRecipe, image_recipe
from nas_env.training.image_step import learning_rate_factor


def test_paper_recipe_has_the_papers_settings() -> None:
    paper = image_recipe("paper")
    assert (paper.epochs, paper.reward_epochs, paper.batch_size) == (50, 5, 64)
    assert (paper.learning_rate, paper.momentum, paper.weight_decay) == (0.1, 0.9, 1e-4)
    assert (paper.crop, paper.crop_margin, paper.flip) == ("upsample", 4, True)
    assert (paper.split, paper.width, paper.batch_norm_epsilon) == ("random", 1.0, 1e-5)
    assert paper.train_images is paper.valid_images is paper.resolution is None


@pytest.mark.parametrize(
    ("epoch", "factor"), [(0, 1.0), (24, 1.0), (25, 0.1), (37, 0.1), (38, 0.01)]
)
def test_paper_rate_falls_tenfold_at_half_and_three_quarters(epoch: int, factor: float) -> None:
    steps = 50 * 703
    assert learning_rate_factor(image_recipe("paper"), epoch * 703 + 351, steps) == factor


@pytest.mark.parametrize(
    ("epochs", "rates"), [((2,), [1, 1, 0.1, 0.1]), ((1, 3), [1, 0.1, 0.1, 0.01]), ((), [1] * 4)]
)
def test_the_rate_falls_tenfold_after_each_epoch_that_a_recipe_names(
    epochs: tuple[int, ...], rates: list[float]
) -> None:
    recipe = image_recipe(
        {"name": "paper", "epochs": 4, "reward_epochs": 1, "decay_epochs": epochs}
    )
    found = [learning_rate_factor(recipe, step, 4 * 3) for step in range(4 * 3)]
    assert found == pytest.approx([rate for rate in rates for _ in range(3)])


def test_the_usual_epochs_of_decay_are_half_and_three_quarters() -> None:
    usual, named = (image_recipe({"name": "paper", "decay_epochs": e}) for e in (None, [25, 37.5]))
    assert named.decay_epochs == (25, 37.5), "a list of a file becomes a tuple"
    for step in (0, 499, 500, 749, 750, 999):
        expected = learning_rate_factor(usual, step, 1000)
        assert learning_rate_factor(named, step, 1000) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"decay_epochs": [50]}, r"decay_epochs must be rising, each below epochs \(50\)"),
        ({"decay_epochs": [9, 3]}, "must be rising"),
        ({"decay_epochs": [0]}, "different finite numbers above 0"),
        ({"decay_epochs": [3], "schedule": "linear"}, 'None unless schedule is "step"'),
    ],
)
def test_epochs_of_decay_that_cannot_be_are_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        image_recipe({"name": "paper", **given})


def test_linear_rate_rises_to_the_peak_then_falls_and_never_stops() -> None:
    recipe = replace(image_recipe("quick"), schedule="linear", warmup=0.2)
    rates = [learning_rate_factor(recipe, step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.05) and rates[19] == 1.0
    assert rates[20:] == sorted(rates[20:], reverse=True)
    assert 0 < rates[99] < 0.02 and max(rates) == 1.0


def test_digits_are_never_flipped() -> None:
    assert not any(image_recipe(name, "digits").flip for name in RECIPES)
    assert image_recipe("quick", "digits").epochs == 1
    assert image_recipe("quick", "/some/folder") is image_recipe("quick") is RECIPES["quick"]


def test_changes_by_the_user_come_after_those_of_the_data_set() -> None:
    changed = image_recipe({"name": "quick", "flip": True}, "digits")
    assert changed == replace(image_recipe("quick", "digits"), flip=True)


def test_dict_changes_single_settings_of_a_named_recipe() -> None:
    changed = image_recipe({"name": "paper", "epochs": 7})
    assert changed == replace(image_recipe("paper"), epochs=7)
    assert image_recipe({"epochs": 9}) == replace(image_recipe("quick"), epochs=9)


def test_unknown_recipe_lists_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"'papper'.*paper, fast, quick"):
        image_recipe("papper")


def test_a_recipe_of_no_known_form_says_what_a_recipe_is() -> None:
    with pytest.raises(ConfigurationError, match="a dict of changes"):
        image_recipe(3)  # type: ignore[arg-type]


def test_unknown_setting_lists_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"epoch\. Known:.*epochs"):
        image_recipe({"epoch": 3})


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("epochs", 0),
        ("reward_epochs", 99),
        ("batch_size", 1),
        ("learning_rate", 0.0),
        ("momentum", 1.0),
        ("schedule", "cosine"),
        ("numerics", "float16"),
        ("train_images", 3),
        ("time_limit_s", -1),
        ("epochs", "two"),
        ("epochs", 1.5),
        ("flip", "no"),
        ("split_seed", None),
        ("max_parameters", True),
        ("crop_margin", [1]),
        ("width", 0.0),
        ("width", 1.5),
        ("batch_norm_epsilon", 0.0),
        ("split", "even"),
    ],
)
def test_setting_out_of_range_is_named_with_what_is_allowed(setting: str, value: object) -> None:
    expected = rf"recipe {setting} must be .*, got {re.escape(repr(value))}"
    with pytest.raises(ConfigurationError, match=expected):
        image_recipe({setting: value})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(ConfigurationError, match="must be a finite number"):
        image_recipe({"learning_rate": value})


def test_digest_ignores_what_cannot_change_a_metric() -> None:
    recipe = image_recipe("quick")
    assert replace(recipe, name="mine", time_limit_s=5.0).digest() == recipe.digest()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        *(("epochs", 9), ("split_seed", 1), ("numerics", "float32"), ("max_parameters", 10)),
        *(("width", 0.3), ("batch_norm_epsilon", 1e-3), ("split", "random")),
    ],
)
def test_digest_follows_what_can_change_a_result(setting: str, value: object) -> None:
    recipe = image_recipe("quick")
    changed = replace(recipe, **{setting: value})  # type: ignore[arg-type]
    assert changed.digest() != recipe.digest()


def test_arithmetic_changes_the_digest_and_not_the_one_that_seeds_derive_from() -> None:
    one, other = (
        replace(image_recipe("quick"), numerics=name)
        for name in ("float32", "bfloat16-channels_last")
    )
    assert one.digest() != other.digest()
    assert one.seed_digest() == other.seed_digest()
    assert replace(one, epochs=9).seed_digest() != one.seed_digest()


def test_numerics_are_pinned_once_chosen() -> None:
    pinned: ImageRecipe = replace(image_recipe("quick"), numerics="float32")
    assert pinned.with_numerics(torch.device("cpu")) is pinned
