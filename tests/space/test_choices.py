"""ChoiceSpace: a user's own named choices."""

import time
from typing import Any

import pytest

from nas_env.errors import ConfigurationError, InvalidArchitectureError, InvalidTokenError
from nas_env.space.architecture_json import architecture_from_json
from nas_env.space.choices import ChoiceArchitecture, ChoiceSpace
from nas_env.tasks.drawing import draw_figure, draw_text, draw_tokens_figure

SPACE = ChoiceSpace({"optimiser": ["sgd", "adam"], "width": [8, 16, 32], "rate": [0.1, 1e-3]})


def test_choices_read_as_a_mapping() -> None:
    architecture = SPACE.decode([1, 2, 0])
    assert architecture["optimiser"] == "adam"
    assert (
        architecture.choices
        == dict(architecture)
        == {
            "optimiser": "adam",
            "width": 32,
            "rate": 0.1,
        }
    )
    assert SPACE.encode(architecture) == (1, 2, 0)
    assert SPACE.size == 12
    assert (SPACE.num_layers, SPACE.min_layers, SPACE.max_layers) == (1, 1, 1)


def test_changing_the_returned_dict_does_not_change_the_architecture() -> None:
    architecture = SPACE.decode([0, 0, 0])
    architecture.choices["width"] = 99
    assert architecture["width"] == 8


def test_equal_choices_are_equal_and_hash_alike_in_any_order() -> None:
    first, second = ChoiceArchitecture({"a": 1, "b": "x"}), ChoiceArchitecture({"b": "x", "a": 1})
    assert first == second
    assert len({first, second}) == 1
    assert first != ChoiceArchitecture({"a": 2, "b": "x"})
    assert first != {"a": 1, "b": "x"}


def test_json_brings_the_choices_back() -> None:
    architecture = SPACE.decode([1, 0, 1])
    assert architecture_from_json(architecture.to_json()) == architecture


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({}, "non-empty dict"),
        ([("a", [1])], "non-empty dict"),
        ({"a": []}, "options of 'a' are .*non-empty"),
        ({"a": "xyz"}, "options of 'a' are 'xyz'"),
        ({"a": {1, 2}}, "options of 'a'"),
        ({"a": 3}, "options of 'a' are 3"),
        ({"a": [1, 2, 1]}, "options of 'a' repeat"),
        ({"a": [1, True]}, "options of 'a' repeat"),
        ({"a": [1, [2]]}, r"options \[\[2\]\] of 'a'.*JSON"),
        ({"a": [None]}, "JSON"),
        ({"a": [float("nan")]}, "JSON"),
        ({"a": [1.0, float("inf")]}, "JSON"),
        ({"a": [len]}, "JSON"),
        ({3: [1]}, "Names of choices are strings, got 3"),
    ],
)
def test_choices_that_give_no_space_are_named(choices: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ChoiceSpace(choices)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"optimiser": "sgd", "width": 8}, "optimiser, width, rate"),
        ({"optimiser": "sgd", "width": 8, "rate": 0.1, "depth": 2}, "optimiser, width, rate"),
        ({"optimiser": "sgd", "width": 9, "rate": 0.1}, r"width is 9; allowed: \[8, 16, 32\]"),
    ],
)
def test_encoding_what_the_space_lacks_says_what_is_allowed(
    choices: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidArchitectureError, match=message):
        SPACE.encode(ChoiceArchitecture(choices))


def test_encoding_a_plain_dict_is_refused() -> None:
    with pytest.raises(InvalidArchitectureError, match="cannot encode"):
        SPACE.encode({"optimiser": "sgd", "width": 8, "rate": 0.1})  # type: ignore[arg-type]


@pytest.mark.parametrize("tokens", [[0, 3, 0], [0, 0], [-1, 0, 0]])
def test_invalid_tokens_are_refused(tokens: list[int]) -> None:
    with pytest.raises(InvalidTokenError):
        SPACE.decode(tokens)


@pytest.mark.parametrize(
    "data",
    [
        {"kind": "choice"},
        {"kind": "choice", "choices": {}},
        {"kind": "choice", "choices": {"a": [1]}},
        {"kind": "choice", "choices": {"a": 1}, "extra": 1},
        {"kind": "choice", "choices": [1, 2]},
    ],
)
def test_damaged_json_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(InvalidArchitectureError):
        architecture_from_json(data)


@pytest.mark.parametrize("letter", ["i", "W", "\u4e00", "\n"])
def test_names_and_options_of_a_million_characters_are_drawn_and_refused_in_time(
    letter: str,
) -> None:
    long = letter * 10**6
    space = ChoiceSpace({long: [long, "b"], "a": list(range(100))})
    started = time.process_time()
    architecture = space.decode([0, 0])
    assert long in draw_text(architecture)
    assert len(draw_figure(architecture).svg()) < 10_000
    assert len(draw_tokens_figure(space, [0], 1).svg()) < 100_000
    assert len(repr(space)) < 2_200
    wrong_ones: list[dict[str, int | float | str]] = [{long: "c", "a": 0}, {"a": 0}]
    for wrong in wrong_ones:
        with pytest.raises(InvalidArchitectureError) as caught:
            space.encode(ChoiceArchitecture(wrong))
        assert len(str(caught.value)) < 1000
    assert time.process_time() - started < 10  # one second, on a quiet machine; it was twenty


@pytest.mark.parametrize(
    "options", [["x" * 10**6] * 2, [[0] * 10**6], "x" * 10**6, 10**5000], ids=range(4)
)
def test_an_absurd_option_is_refused_in_a_short_message(options: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ChoiceSpace({"n" * 10**6: options})
    assert len(str(caught.value)) < 1000
