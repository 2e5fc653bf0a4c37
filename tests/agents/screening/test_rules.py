"""What is valid where, learned from masks that were seen."""

from typing import Any

import numpy as np
import pytest

from agents.agent import AgentState, Problem
from agents.screening.rules import MaskRules
from nas_env.errors import CheckpointError
from nas_env.space.layer_types import LayerTypesSpace

SPACE = LayerTypesSpace(3, 3)


def learned(episodes: int, layout: bool = True) -> MaskRules:
    positions = len(SPACE.layout)
    rules = MaskRules(Problem(positions, SPACE.max_options, SPACE.layout if layout else None))
    steps = np.arange(positions)
    for row in SPACE.sample_batch(np.random.default_rng(0), episodes):
        rules.learn(row, SPACE.masks(np.broadcast_to(row, (positions, positions)), steps))
    return rules


def wrong(rules: MaskRules) -> int:
    """Masks that are not those of the space, over new episodes."""
    rows, count = SPACE.sample_batch(np.random.default_rng(1), 50), 0
    for position in range(rows.shape[1]):
        expected = SPACE.masks(rows, np.full(len(rows), position))
        count += int((rules.masks(rows, position) != expected).any(axis=1).sum())
    return count


@pytest.mark.parametrize("layout", [True, False])
def test_masks_that_an_earlier_token_decides_are_found(layout: bool) -> None:
    assert wrong(learned(200, layout)) == 0
    owners = {SPACE.layout[p].name for p in np.flatnonzero(learned(200, layout).deciding())}
    assert owners == {"layer_type"}


def test_a_mask_that_depends_on_the_position_alone_is_known_after_one_episode() -> None:
    rules = MaskRules(Problem(2, 3))
    assert rules.masks(np.zeros((4, 2), np.int64), 1).all(), "nothing is known: all may be valid"
    rules.learn(np.array([0, 1]), np.array([[True, True, True], [False, True, False]]))
    assert rules.masks(np.zeros((4, 2), np.int64), 1).tolist() == [[False, True, False]] * 4
    assert not rules.deciding().any()


def test_an_environment_that_publishes_its_space_is_asked() -> None:
    problem = Problem(len(SPACE.layout), SPACE.max_options, SPACE.layout, SPACE.masks)
    assert wrong(MaskRules(problem)) == 0, "before anything was seen"


def test_rules_are_those_of_the_checkpoint() -> None:
    rules = learned(40)
    restored = MaskRules(rules.problem)
    restored.load(AgentState(rules.arrays()))
    rows = SPACE.sample_batch(np.random.default_rng(2), 30)
    for position in range(rows.shape[1]):
        assert np.array_equal(rules.masks(rows, position), restored.masks(rows, position))
    for name, array in rules.arrays().items():
        assert np.array_equal(array, restored.arrays()[name])


@pytest.mark.parametrize("change", ["two equal masks", "a mask of nothing", "a number too high"])
def test_rules_that_cannot_be_are_refused(change: str) -> None:
    arrays: dict[str, Any] = learned(10).arrays()
    if change == "two equal masks":
        arrays["rules.seen"][1] = arrays["rules.seen"][0]
    elif change == "a mask of nothing":
        arrays["rules.seen"][0] = False
    else:
        arrays["rules.only"][0] = len(arrays["rules.seen"])
    with pytest.raises(CheckpointError, match="rules"):
        MaskRules(learned(1).problem).load(AgentState(arrays))
