"""Settings of the wrong kind are refused by name; what fits is let through."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pytest

from nas_env.checks import check_kinds, check_seed
from nas_env.errors import ConfigurationError


@dataclass(frozen=True)
class Settings:
    count: int = 1
    rate: float = 0.5
    limit: float | None = None
    flag: bool = False
    name: str = "a"
    form: Literal["x", "y"] = "x"
    several: tuple[int, ...] = (1,)


@pytest.mark.parametrize("value", [{}, {"rate": 1}, {"limit": 2.5}, {"form": "z"}, {"several": 3}])
def test_what_is_as_declared_or_not_looked_at_passes(value: dict[str, object]) -> None:
    check_kinds(Settings(**value))  # type: ignore[arg-type]


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
    ],
)
def test_another_kind_is_refused_with_name_value_and_what_is_allowed(
    name: str, value: object, allowed: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} must be {allowed}, got {value!r}"):
        check_kinds(Settings(**{name: value}))  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", [-1, 1.0, True, "1", None])
def test_a_seed_is_a_whole_number_of_0_or_more(seed: object) -> None:
    with pytest.raises(ConfigurationError, match="seed must be a whole number of 0 or more"):
        check_seed(seed)


def test_a_seed_of_numpy_is_a_seed() -> None:
    assert type(check_seed(np.int64(3))) is int
