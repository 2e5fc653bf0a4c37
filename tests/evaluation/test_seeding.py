"""A child's seed is a function of all that determines its training, and of nothing else."""

import nas_env
from nas_env.evaluation.seeding import child_seed
from nas_env.space.choices import ChoiceArchitecture


def test_every_part_of_a_childs_identity_changes_its_seed() -> None:
    one, other = ChoiceArchitecture({"width": 1}), ChoiceArchitecture({"width": 2})
    seeds = [
        child_seed(0, one, "data", "recipe"),
        child_seed(1, one, "data", "recipe"),
        child_seed(0, other, "data", "recipe"),
        child_seed(0, one, "other data", "recipe"),
        child_seed(0, one, "data", "other recipe"),
        child_seed(0, one, "data", "recipe", repeat=1),
    ]
    assert len(set(seeds)) == 6
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_architectures_that_are_the_same_network_have_the_same_seed() -> None:
    figure = nas_env.published.FIGURE_7
    assert child_seed(0, figure, "d", "r") == child_seed(0, figure.canonical(), "d", "r")
