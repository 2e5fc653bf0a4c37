"""Presets: the paper's numbers, and that every preset can be used as it stands."""

from dataclasses import fields

import pytest

from agents.presets import PRESETS, find_preset
from agents.registry import AGENTS, agent_settings
from agents.search.schedule import DepthSchedule
from nas_env.errors import ConfigurationError
from nas_env.training.image_recipes import image_recipe
from nas_env.training.language_recipes import language_recipe

ALL = [(family, name) for family, table in PRESETS.items() for name in table]


def test_paper_is_the_papers_search() -> None:
    image = find_preset("paper", "image")
    assert (image.children, image.children_per_update) == (12_800, 8)
    assert image.children / image.children_per_update == 1600
    assert image.schedule == DepthSchedule(first=6, step=2, every=1600, last=20)
    settings = agent_settings("reinforce", image.options("reinforce"))
    assert (settings.learning_rate, settings.hidden_size, settings.lstm_layers) == (6e-4, 35, 2)
    assert (settings.init_range, settings.baseline_decay) == (0.08, 0.95)
    assert (settings.entropy_coefficient, settings.gradient_clip) == (0.0, None)
    language = find_preset("paper", "language")
    settings = agent_settings("reinforce", language.options("reinforce"))
    assert (settings.learning_rate, language.children_per_update) == (5e-4, 10)


@pytest.mark.parametrize(("family", "name"), ALL)
def test_every_preset_names_a_recipe_and_options_that_exist(family: str, name: str) -> None:
    preset = find_preset(name, family)
    for agent in AGENTS:
        settings = agent_settings(agent, preset.options(agent))
        if agent == "reinforce" and name == "paper":
            assert settings.entropy_coefficient == 0, "the paper's algorithm"
            assert not settings.unit_advantages and not settings.elite_size
            assert not settings.avoid_repeats
        if agent == "evolution":
            assert settings.population <= preset.children / 2, "no time to evolve"
            assert {field.name for field in fields(settings)} == {"population", "tournament"}
    if family == "image":
        assert image_recipe(preset.recipe).name == name
    if family == "language":
        assert language_recipe(preset.recipe).name == name


def test_an_unknown_preset_names_the_near_miss() -> None:
    with pytest.raises(ConfigurationError, match="Did you mean 'paper'"):
        find_preset("papre", "image")
