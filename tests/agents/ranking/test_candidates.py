"""Recipes keep their identity, children their seeds, and copies their shape."""

from dataclasses import make_dataclass, replace

import pytest

from agents.ranking.candidates import Candidate, candidate, draw_networks, settings_of
from nas_env.envs.conv_env import ConvSettings
from nas_env.errors import ConfigurationError
from nas_env.training.image_recipes import ImageRecipe

SETTINGS = settings_of("NAS-Digits-v0", {})
NUMERICS = "float32"


def digits(text: str) -> Candidate:
    return candidate(text, SETTINGS, NUMERICS)


def test_a_recipe_is_what_it_states_however_it_is_written() -> None:
    quick = digits("quick")
    assert quick.key == digits('{"name": "quick", "crop_margin": 1, "width": 1}').key
    assert quick.key == digits('{"time_limit_s": 5}').key
    others = ['{"epochs": 2}', '{"width": 0.5}', '{"numerics": "bfloat16-channels_last"}']
    assert len({quick.key, *(digits(text).key for text in others)}) == 4
    assert quick.task.recipe.time_limit_s is None, "a wall clock must not decide"


def test_a_field_that_recipes_gain_changes_no_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = digits("quick")
    grown = make_dataclass("Grown", [("cutout", int, 0)], bases=(ImageRecipe,), frozen=True)
    later = grown(**{name: getattr(quick.task.recipe, name) for name in vars(quick.task.recipe)})
    monkeypatch.setattr(quick.task, "_resolved", later)
    after = Candidate(quick.given, quick.task)
    assert "cutout" in after.full
    assert after.key == quick.key
    monkeypatch.setattr(quick.task, "_resolved", replace(later, cutout=3))
    assert Candidate(quick.given, quick.task).key != quick.key


def test_every_child_has_a_seed_of_its_own_and_arithmetic_does_not_change_it() -> None:
    networks = draw_networks(SETTINGS, 5, 0)
    recipes = [digits("quick"), digits('{"epochs": 2}')]
    seeds = {one.seed(n, repeat) for one in recipes for n in networks for repeat in range(3)}
    assert len(seeds) == 30
    assert all(0 <= seed < 2**63 for seed in seeds)
    bfloat = digits('{"numerics": "bfloat16-channels_last"}')
    assert bfloat.seed(networks[0], 1) == recipes[0].seed(networks[0], 1)


def test_the_seed_is_the_same_on_every_machine_and_day() -> None:
    one = digits("quick")
    vars(one)["stated"] = {"epochs": 2, "width": 0.5, "numerics": "float32"}
    assert one.seed((0, 1, 2), 0) == 2766888654759490460


def test_more_networks_begin_with_the_same_ones() -> None:
    few, many = draw_networks(SETTINGS, 3, 7), draw_networks(SETTINGS, 6, 7)
    assert many[:3] == few
    assert len(set(many)) == 6
    assert draw_networks(SETTINGS, 3, 8) != few


def test_a_space_with_too_few_members_is_refused() -> None:
    tiny = ConvSettings(num_layers=1, max_layers=1, filters=(4,), filter_sizes=(1, 3))
    assert len(draw_networks(tiny, 4, 0)) == 4
    with pytest.raises(ConfigurationError, match="networks is 5; only 4 different ones"):
        draw_networks(tiny, 5, 0)


@pytest.mark.parametrize("text", ['{"width": 0}', '{"width": 1.5}', '{"width": "half"}'])
def test_a_width_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="width must be a finite number above 0 and at"):
        digits(text)


def test_a_cell_has_no_filters() -> None:
    with pytest.raises(ConfigurationError, match=r"settings width.*hidden_size"):
        candidate('{"width": 0.5}', settings_of("NAS-PyDocs-v0", {}), NUMERICS)


def test_an_environment_that_trains_nothing_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="CartPole-v1 trains no children"):
        settings_of("CartPole-v1", {})
