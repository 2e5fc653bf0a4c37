"""Settings are refused by name, in one wording, as their annotations say."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import pytest

from nas_env.checks import (
    above,
    at_least,
    below,
    between,
    check_seed,
    check_settings,
    different,
    kinds_of,
    matching,
    one_of,
    shown,
    some,
)
from nas_env.errors import ConfigurationError


@dataclass(frozen=True)
class Settings:
    count: int = 1
    rate: float = 0.5
    limit: float | None = None
    flag: bool = False
    name: str = "a"
    form: Literal["x", "y"] = "x"
    units: Annotated[int, at_least(1)] = 3
    clip: Annotated[float | None, above(0)] = None
    share: Annotated[float, at_least(0), below(1)] = 0.5
    decay: Annotated[float, between(0, 1)] = 1.0
    sizes: Annotated[tuple[Annotated[int, at_least(1)], ...], some, different] = (1, 3)
    kind: Annotated[str, one_of("p", "q")] = "p"
    odd: Annotated[int, matching(lambda n: n % 2 == 1, "that is odd")] = 3
    anything: Any = None

    def __post_init__(self) -> None:
        check_settings(self)


@pytest.mark.parametrize(
    "value",
    [{}, {"rate": 1}, {"limit": 2.5}, {"clip": 1e-9}, {"sizes": [5]}, {"anything": object()}],
)
def test_what_is_as_declared_passes(value: dict[str, Any]) -> None:
    Settings(**value)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("count", 1.0, "a whole number"),
        ("count", True, "a whole number"),
        ("rate", "0.5", "a finite number"),
        ("rate", float("nan"), "a finite number"),
        ("limit", float("inf"), "a finite number or None"),
        ("flag", 1, "True or False"),
        ("name", None, "text"),
        ("form", "z", "'x' or 'y'"),
        ("units", 0, "a whole number of at least 1"),
        ("units", None, "a whole number of at least 1"),
        ("clip", 0, "a finite number above 0 or None"),
        ("share", 1.0, "a finite number of at least 0 below 1"),
        ("decay", 1.5, "a finite number from 0 to 1"),
        ("sizes", (), "a non-empty list of different whole numbers of at least 1"),
        ("sizes", (1, 1), "a non-empty list of different whole numbers of at least 1"),
        ("sizes", (0,), "a non-empty list of different whole numbers of at least 1"),
        ("sizes", 3, "a non-empty list of different whole numbers of at least 1"),
        ("sizes", "13", "a non-empty list of different whole numbers of at least 1"),
        ("kind", "r", "text among 'p', 'q'"),
        ("odd", 4, "a whole number that is odd"),
    ],
)
def test_a_setting_is_refused_with_name_value_and_what_is_allowed(
    name: str, value: Any, allowed: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings(**{name: value})
    assert str(caught.value) == f"{name} must be {allowed}, got {value!r}."


def test_the_message_says_what_the_settings_are_of() -> None:
    settings = Settings()
    object.__setattr__(settings, "units", 0)
    with pytest.raises(ConfigurationError, match=r"^recipe units must be a whole number"):
        check_settings(settings, "recipe")


def test_numbers_of_numpy_and_lists_of_json_become_plain() -> None:
    sizes: Any = [np.int64(1), 3]
    settings = Settings(count=np.int64(4), rate=np.float32(0.5), sizes=sizes)  # type: ignore[arg-type]
    assert (settings.count, settings.rate, settings.sizes) == (4, 0.5, (1, 3))
    assert {type(v) for v in (settings.count, *settings.sizes)} == {int}
    assert type(settings.rate) is float


def test_a_whole_number_given_for_a_float_stays_one_because_digests_tell_them_apart() -> None:
    assert type(Settings(rate=1).rate) is int


def test_a_very_long_value_does_not_flood_the_message() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings(form="z" * 10_000)  # type: ignore[arg-type]
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("value", [10**20, -(10**20), 10**5000], ids=["20", "-20", "5000"])
def test_a_number_that_no_counter_holds_is_refused_everywhere(value: int) -> None:
    for name in ("count", "rate", "units", "clip", "sizes"):
        with pytest.raises(ConfigurationError, match=f"^{name} must be") as caught:
            given: Any = (value,) if name == "sizes" else value
            Settings(**{name: given})
        assert len(str(caught.value)) < 400
    with pytest.raises(ConfigurationError, match="at most 64 bits"):
        Settings(count=value)


def test_text_that_no_file_can_hold_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"name must be text, got .*not UTF-8"):
        Settings(name="a\udcff")


class Odd:
    def __repr__(self) -> str:
        raise RuntimeError


def nested(depth: int) -> list[Any]:
    made: list[Any] = []
    for _ in range(depth):
        made = [made]
    return made


@pytest.mark.parametrize(
    "value", [Odd(), nested(10**5), 10**5000, "z" * 10**8, b"z" * 10**8], ids=range(5)
)
def test_whatever_a_value_is_it_can_be_shown_in_a_few_words(value: Any) -> None:
    assert len(shown(value)) < 300


def test_every_annotation_is_known_in_words() -> None:
    assert {name: kind.words for name, kind in kinds_of(Settings).items()}["share"] == (
        "a finite number of at least 0 below 1"
    )
    assert "anything" not in kinds_of(Settings)


@pytest.mark.parametrize("seed", [-1, 1.0, True, "1", None, 2**128])
def test_a_seed_is_a_whole_number_of_0_or_more(seed: object) -> None:
    with pytest.raises(ConfigurationError, match="seed must be a whole number of at least 0"):
        check_seed(seed)


def test_a_seed_of_numpy_is_a_seed() -> None:
    assert type(check_seed(np.int64(3))) is int
    assert check_seed(2**127) == 2**127  # as NumPy draws them
