"""ChoiceSpace with ranges and conditions: masks, size and JSON are exact, agents play it."""

import itertools
import json
from typing import Any

import numpy as np
import pytest

import agents
import nas_env
from nas_env.errors import ConfigurationError, InvalidArchitectureError, InvalidTokenError
from nas_env.space.architecture_json import architecture_from_json
from nas_env.space.choices import ChoiceArchitecture, ChoiceSpace
from nas_env.tables.table import count_members
from nas_env.tasks.drawing import draw_figure, draw_text, draw_tokens, draw_tokens_figure

CHOICES: dict[str, Any] = {
    "optimiser": ["sgd", "adam", "none"],
    "momentum": {"options": [0.0, 0.5, 0.9], "when": {"optimiser": ["sgd"]}},
    "nesterov": {"options": ["yes", "no"], "when": {"momentum": [0.5, 0.9]}},
    "rate": {"from": 1e-3, "to": 1e-1, "steps": 3, "scale": "log",
             "when": {"optimiser": ["sgd", "adam"]}},
    "layers": {"from": 1, "to": 3},
    "width": {"options": [8, 16], "when": {"layers": [2, 3], "optimiser": ["adam"]}},
}  # fmt: skip
SPACE = ChoiceSpace(CHOICES)


def valid_sequences(space: ChoiceSpace) -> list[tuple[int, ...]]:
    """Every sequence that the masks allow, token by token."""
    found: list[tuple[int, ...]] = [()]
    for position in range(len(space.layout)):
        longer: list[tuple[int, ...]] = []
        for tokens in found:
            row = np.zeros((1, len(space.layout)), np.int64)
            row[0, :position] = tokens
            mask = space.masks(row, np.array([position]))[0]
            longer += [(*tokens, int(token)) for token in np.flatnonzero(mask)]
        found = longer
    return found


def test_size_masks_decode_and_encode_agree_on_every_member() -> None:
    sequences = valid_sequences(SPACE)
    architectures = [SPACE.decode(tokens) for tokens in sequences]
    assert len(sequences) == SPACE.size == len(set(architectures)) == 63  # 5 * 9 + 3 * 5 + 3
    assert [SPACE.encode(architecture) for architecture in architectures] == sequences
    for tokens in itertools.product(*(range(len(p.options)) for p in SPACE.layout)):
        if tokens not in sequences:
            with pytest.raises(InvalidTokenError):
                SPACE.decode(tokens)


def test_what_does_not_exist_is_not_in_the_architecture() -> None:
    assert dict(SPACE.decode((2, 0, 0, 0, 1, 0))) == {"optimiser": "none", "layers": 2}
    full = SPACE.decode((0, 1, 0, 2, 0, 0))
    assert dict(full) == {
        "optimiser": "sgd", "momentum": 0.5, "nesterov": "yes", "rate": 0.1, "layers": 1,
    }  # fmt: skip
    assert architecture_from_json(json.loads(json.dumps(full.to_json()))) == full


def test_a_choice_that_hangs_on_one_that_does_not_exist_does_not_exist_either() -> None:
    """Token 0 of momentum with adam is no momentum of 0."""
    space = ChoiceSpace({
        "a": [1, 2],
        "b": {"options": ["x", "y"], "when": {"a": [1]}},
        "c": {"options": [5, 6], "when": {"b": ["x"]}},
    })  # fmt: skip
    assert [dict(space.decode(t)) for t in valid_sequences(space)] == [
        {"a": 1, "b": "x", "c": 5}, {"a": 1, "b": "x", "c": 6}, {"a": 1, "b": "y"}, {"a": 2},
    ]  # fmt: skip


def test_only_conditional_positions_say_so_and_plain_spaces_keep_their_table() -> None:
    kinds = {position.name: position.kind for position in SPACE.layout}
    assert [n for n, kind in kinds.items() if kind == "conditional"] == [
        "momentum", "nesterov", "rate", "width",
    ]  # fmt: skip
    assert not SPACE.has_static_masks and ChoiceSpace({"a": [1, 2]}).has_static_masks
    with pytest.raises(ConfigurationError, match="masks that depend on earlier tokens"):
        count_members(SPACE)


def test_masks_ignore_what_is_not_chosen_yet() -> None:
    rows = np.full((2, len(SPACE.layout)), 999)
    rows[:, 0] = (0, 1)
    masks = SPACE.masks(rows, np.array([1, 1]))
    assert masks.tolist() == [[True] * 3, [True, False, False]]


def test_invalid_tokens_and_architectures_say_what_a_choice_depends_on() -> None:
    with pytest.raises(InvalidTokenError, match="momentum exists only where optimiser is sgd, and"):
        SPACE.decode((1, 1, 0, 0, 0, 0))
    with pytest.raises(InvalidTokenError, match=r"Valid tokens .*0 \(sgd\), 1 \(adam\)"):
        SPACE.decode((3, 0, 0, 0, 0, 0))
    wrong: dict[str, Any] = {"optimiser": "adam", "rate": 0.1, "layers": 1}
    for extra in ({"momentum": 0.5}, {"width": 8}):
        with pytest.raises(InvalidArchitectureError, match=r"exists only where .*cannot encode"):
            SPACE.encode(ChoiceArchitecture({**wrong, **extra}))
    with pytest.raises(
        InvalidArchitectureError, match="rate exists only where optimiser is sgd, adam"
    ):
        SPACE.encode(ChoiceArchitecture({"optimiser": "adam", "layers": 1}))
    with pytest.raises(InvalidArchitectureError, match="The space chooses optimiser"):
        SPACE.encode(ChoiceArchitecture({**wrong, "depth": 1}))


@pytest.mark.parametrize(
    ("given", "options"),
    [
        ({"from": 1, "to": 4}, (1, 2, 3, 4)),
        ({"from": 0, "to": 100, "steps": 5}, (0, 25, 50, 75, 100)),
        ({"from": 16, "to": 256, "steps": 5, "scale": "log"}, (16, 32, 64, 128, 256)),
        ({"from": 0.0, "to": 0.5, "steps": 6}, (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)),
        ({"from": 1e-4, "to": 1e-1, "steps": 4, "scale": "log"}, (1e-4, 1e-3, 1e-2, 1e-1)),
        ({"from": -1, "to": 1.0, "steps": 3}, (-1, 0.0, 1.0)),
        ({"from": 2**62, "to": 2**62 + 2, "steps": 3}, (2**62, 2**62 + 1, 2**62 + 2)),
    ],
)
def test_a_range_has_both_ends_and_so_many_steps(given: Any, options: tuple[float, ...]) -> None:
    space = ChoiceSpace({"a": given})
    assert space.layout[0].options == options
    assert [type(x) for x in space.layout[0].options] == [type(x) for x in options]
    assert space.size == len(options)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"from": 1}, "either 'options', or a range"),
        ({"options": [1], "from": 1, "to": 2}, "either 'options', or a range"),
        ({"when": {"b": [1]}}, "either 'options', or a range"),
        ({"from": 1, "to": 9, "step": 2}, "has no 'step'. Did you mean 'steps'"),
        ({"from": 2, "to": 1}, "'from' must be below 'to'"),
        ({"from": 0.0, "to": 1.0}, "'steps', how many numbers, must be from 2 to 1000"),
        ({"from": 1, "to": 10**9}, "must be from 2 to 1000"),
        ({"from": 0, "to": 8, "steps": 3, "scale": "log"}, "a log scale begins above 0"),
        ({"from": 1, "to": 8, "scale": "log"}, "'steps', how many"),
        ({"from": 1, "to": 3, "steps": 9}, "give only 3 different numbers"),
        ({"from": 1, "to": 8, "steps": 1}, "must be from 2"),
        ({"from": 1, "to": 8, "scale": "exp"}, "'scale' is 'linear' or 'log'"),
        ({"from": "1", "to": 8}, "are finite numbers"),
        ({"from": 0.0, "to": float("inf"), "steps": 3}, "are finite numbers"),
        ({"from": 1, "to": True}, "are finite numbers"),
        ({"options": [1], "when": {}}, "'when' of 'a' is {}"),
        ({"options": [1], "when": {"c": [1]}}, "no choice before it. Before it come: b"),
        ({"options": [1], "when": {"a": [1]}}, "no choice before it"),
        ({"options": [1], "when": {"b": [7]}}, r"among \[7\]; its values: \[1, 2\]"),
        ({"options": [1], "when": {"b": []}}, r"among \[\]"),
        ({"options": [], "when": {"b": [1]}}, "options of 'a' are"),
    ],
)
def test_ranges_and_conditions_that_cannot_be_are_named(given: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        ChoiceSpace({"b": [1, 2], "a": given, "c": [1, 2]})


def test_the_size_of_many_conditions_is_exact_or_refused() -> None:
    """Each bit has a choice of 3 where it is 1: 4 ways, whatever the others are."""
    near: dict[str, Any] = {}
    for number in range(60):
        near[f"bit {number}"] = [0, 1]
        near[f"of {number}"] = {"options": [1, 2, 3], "when": {f"bit {number}": 1}}
    assert ChoiceSpace(near).size == 4**60
    far = dict(sorted(near.items()))  # all bits first
    with pytest.raises(ConfigurationError, match="right behind what it depends on"):
        ChoiceSpace(far)


def test_drawings_tell_what_does_not_exist() -> None:
    tokens = (1, 0, 0, 2, 0)
    lines = draw_tokens(SPACE, tokens, 1).splitlines()
    assert [line.split(": ")[1] for line in lines] == ["adam", "-", "-", "0.1", "1", "?"]
    assert "momentum" not in draw_text(SPACE.decode((1, 0, 0, 2, 0, 0)))
    assert len(draw_figure(SPACE.decode((1, 0, 0, 2, 0, 0))).svg()) > 500
    chosen = [draw_tokens_figure(SPACE, t, 1).svg().count("#cfe3f7") for t in ((0, 1), (1, 0))]
    assert chosen == [2, 1]


@pytest.mark.parametrize("agent", ["reinforce", "evolution", "random"])
def test_agents_play_it_and_find_a_rare_member(agent: str) -> None:
    def worth(architecture: Any, seed: int) -> float:
        return float(len(architecture) / 8 + (architecture.get("momentum") == 0.9) / 4)

    env = nas_env.ArchitectureEnv(SPACE, worth)
    options: dict[str, Any] = {"population": 20, "tournament": 5} if agent == "evolution" else {}
    result = agents.run_search(env, agent, children=160, children_per_update=8, seed=1, **options)
    for episode in result.episodes:
        assert SPACE.encode(SPACE.decode(episode.tokens)) == tuple(episode.tokens)
    assert result.best is not None and result.best.reward == 5 / 8 + 1 / 4
    again = agents.run_search(env, agent, children=160, children_per_update=8, seed=1, **options)
    assert [e.tokens for e in again.episodes] == [e.tokens for e in result.episodes]
