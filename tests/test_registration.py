import re

import gymnasium as gym
import pytest
from gymnasium.envs.registration import load_env_creator

import nas_env
from nas_env.registration import REGISTRATIONS, Registration, register_environments


def test_importing_the_package_registers_every_id() -> None:
    assert {entry.id for entry in REGISTRATIONS} <= set(gym.registry)
    assert nas_env.__version__


def test_registering_again_changes_nothing() -> None:
    before = dict(gym.registry)
    register_environments()
    assert dict(gym.registry) == before


def test_ids_are_versioned_and_unique() -> None:
    ids = [entry.id for entry in REGISTRATIONS]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"NAS-[A-Za-z0-9-]+-v\d+", env_id) for env_id in ids)


def test_a_mistyped_id_suggests_the_near_one() -> None:
    with pytest.raises(gym.error.NameNotFound, match="Did you mean: `NAS-Digits`"):
        gym.make("NAS-Digit-v0")


@pytest.mark.parametrize("entry", REGISTRATIONS, ids=lambda entry: entry.id)
def test_both_entry_points_load_and_the_environment_has_its_page(entry: Registration) -> None:
    vector, single = load_env_creator(entry.vector_entry_point), load_env_creator(entry.entry_point)
    assert vector.__doc__
    page = single.__doc__ or ""
    for heading in (
        *("Description", "Action Space", "Observation Space", "Rewards", "Starting State"),
        *("Episode End", "Information", "Arguments", "Version History", "References"),
    ):
        assert f"## {heading}" in page
