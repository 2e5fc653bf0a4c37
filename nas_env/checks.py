"""Checks the kind of settings: JSON, flags and dicts know no types."""

import math
import operator
from types import UnionType
from typing import TYPE_CHECKING, Union, get_args, get_origin, get_type_hints

from nas_env.errors import ConfigurationError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_KINDS = {int: "a whole number", float: "a finite number", bool: "True or False", str: "text"}
"""Types that are checked, in words."""


def wrong_kind(settings: "DataclassInstance") -> tuple[str, object, str] | None:
    """The first setting whose value is not of its declared kind.

    Fields declared as int, float, bool or str, each perhaps with None, are looked at. A whole
    number will do for a float; True is no number; NaN and infinity are no values.

    Returns:
        Name, value and what is allowed; None if every setting is as declared.
    """
    for name, hint in get_type_hints(type(settings)).items():
        choices = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
        kinds = [kind for kind in choices if kind in _KINDS]
        value, optional = getattr(settings, name), type(None) in choices
        if len(kinds) == 1 and not ((optional and value is None) or _is_kind(value, kinds[0])):
            return name, value, _KINDS[kinds[0]] + " or None" * optional
    return None


def check_kinds(settings: "DataclassInstance") -> None:
    """Refuse a setting of another kind than declared.

    Raises:
        ConfigurationError: naming the first such setting.
    """
    wrong = wrong_kind(settings)
    if wrong is not None:
        raise ConfigurationError(f"{wrong[0]} must be {wrong[2]}, got {wrong[1]!r}.")


def check_seed(seed: object) -> int:
    """A run seed as a plain int.

    Raises:
        ConfigurationError: it is no whole number, or below 0.
    """
    try:
        value = -1 if isinstance(seed, bool) else operator.index(seed)  # type: ignore[arg-type]
    except TypeError:
        value = -1
    if value < 0:
        raise ConfigurationError(f"seed must be a whole number of 0 or more, got {seed!r}.")
    return value


def _is_kind(value: object, kind: type) -> bool:
    if kind is float:
        return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]
    return type(value) is kind
