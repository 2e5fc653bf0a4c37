"""One choice of a user's own search space, as it may be written: a list, a range, a condition.

``[16, 32, 64]``
    these options.
``{"from": 1, "to": 4}``
    the whole numbers from 1 to 4; with ``"steps": n``, n of them.
``{"from": 1e-4, "to": 1e-1, "steps": 7, "scale": "log"}``
    7 numbers, each the same multiple of the one before.
``{"options": [0.0, 0.9], "when": {"optimiser": ["sgd"]}}``
    exists only where an earlier choice has one of certain values; ranges take ``"when"`` too.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nas_env.checks import listed, near_miss, shown
from nas_env.errors import ConfigurationError
from nas_env.space.layout import Option

MOST_STEPS = 1000
"""Of a range: each is a token."""
_DIGITS = 12  # of a number between the ends of a range, so that it reads well
_NAMES = ("options", "from", "to", "steps", "scale", "when")


@dataclass(frozen=True)
class Choice:
    """A named choice.

    Attributes:
        name: what is chosen.
        options: what from.
        when: (number of an earlier choice, its tokens): the choice exists where each of these has
            one of its tokens, and exists itself. Empty: always.
    """

    name: str
    options: tuple[Option, ...]
    when: tuple[tuple[int, frozenset[int]], ...] = ()


def read_choices(choices: Mapping[str, Any]) -> tuple[Choice, ...]:
    """The choices of a space, in order.

    Raises:
        ConfigurationError: a choice that cannot be, by name.
    """
    read: list[Choice] = []
    for name, given in choices.items():
        if not isinstance(name, str):
            raise ConfigurationError(f"Names of choices are strings, got {shown(name)}.")
        if not isinstance(given, Mapping):
            read.append(Choice(name, _listed_options(name, given)))
            continue
        _check_names(name, given)
        options = (
            _listed_options(name, given["options"]) if "options" in given else _range(name, given)
        )
        when = given.get("when")
        read.append(Choice(name, options, () if when is None else _condition(name, when, read)))
    return tuple(read)


def is_option(value: object) -> bool:
    """Strings and finite numbers: hashable, and the same after a trip through JSON."""
    if not isinstance(value, str | int | float):
        return False
    try:
        return bool(json.loads(json.dumps(value, allow_nan=False)) == value)
    except (TypeError, ValueError):
        return False


def _check_names(name: str, given: Mapping[Any, Any]) -> None:
    for key in given:
        if key not in _NAMES:
            raise ConfigurationError(
                f"The choice {shown(name)} has no {shown(key)}.{near_miss(key, _NAMES)} It takes "
                "'options', or 'from', 'to', 'steps' and 'scale'; and 'when'."
            )
    ranged = [key for key in ("from", "to", "steps", "scale") if key in given]
    if bool(ranged) == ("options" in given) or (ranged and not {"from", "to"} <= {*given}):
        raise ConfigurationError(
            f"The choice {shown(name)} is {shown(dict(given))}; give it either 'options', or a "
            "range: 'from' and 'to'."
        )


def _listed_options(name: str, options: object) -> tuple[Option, ...]:
    if isinstance(options, str) or not isinstance(options, Sequence) or not options:
        raise ConfigurationError(
            f"The options of {shown(name)} are {shown(options)}; give a non-empty list, "
            "e.g. [1, 2, 3]."
        )
    bad = [option for option in options if not is_option(option)]
    if bad:
        raise ConfigurationError(
            f"The options {shown(bad)} of {shown(name)} are not strings or finite numbers, so they "
            "cannot be stored as JSON; use names and look the objects up in your evaluator."
        )
    if len(set(options)) != len(options):
        raise ConfigurationError(f"The options of {shown(name)} repeat: {shown(list(options))}.")
    return tuple(options)


def _range(name: str, given: Mapping[str, Any]) -> tuple[Option, ...]:
    """The numbers of a range, both ends among them."""
    low, high, scale = given["from"], given["to"], given.get("scale", "linear")
    if scale not in ("linear", "log"):
        raise _no_range(name, given, "'scale' is 'linear' or 'log'")
    for end in (low, high):
        if isinstance(end, bool) or not isinstance(end, int | float) or not is_option(end):
            raise _no_range(name, given, "'from' and 'to' are finite numbers")
    whole = isinstance(low, int) and isinstance(high, int)
    if not low < high:
        raise _no_range(name, given, "'from' must be below 'to'")
    if scale == "log" and low <= 0:
        raise _no_range(name, given, "a log scale begins above 0")
    steps = given.get("steps", high - low + 1 if whole and scale == "linear" else None)
    if isinstance(steps, bool) or not isinstance(steps, int) or not 2 <= steps <= MOST_STEPS:
        raise _no_range(name, given, f"'steps', how many numbers, must be from 2 to {MOST_STEPS}")
    try:
        between = [_between(low, high, step, steps - 1, scale) for step in range(1, steps - 1)]
    except OverflowError as error:
        raise _no_range(name, given, f"its numbers cannot be told apart: {error}") from error
    numbers = (low, *between, high)
    if len(set(numbers)) != steps:
        raise _no_range(
            name, given, f"that many steps give only {len(set(numbers))} different numbers"
        )
    return numbers


def _between(low: float, high: float, step: int, last: int, scale: str) -> int | float:
    whole = isinstance(low, int) and isinstance(high, int)
    if scale == "log":
        value = math.exp(math.log(low) + (math.log(high) - math.log(low)) * step / last)
        return round(value) if whole else float(f"{value:.{_DIGITS}g}")
    if isinstance(low, int) and isinstance(high, int):  # exact, however large they are
        return low + (2 * step * (high - low) + last) // (2 * last)
    return float(f"{low + (high - low) * step / last:.{_DIGITS}g}")


def _no_range(name: str, given: Mapping[str, Any], why: str) -> ConfigurationError:
    return ConfigurationError(
        f"The range of {shown(name)}, {shown(dict(given))}, cannot be: {why}. "
        "As in {'from': 0.001, 'to': 0.1, 'steps': 5, 'scale': 'log'}."
    )


def _condition(
    name: str, when: object, earlier: Sequence[Choice]
) -> tuple[tuple[int, frozenset[int]], ...]:
    """The earlier choices that decide whether ``name`` exists, as numbers and tokens."""
    if not isinstance(when, Mapping) or not when:
        raise ConfigurationError(
            f"'when' of {shown(name)} is {shown(when)}; give the values of earlier choices, e.g. "
            "{'optimiser': ['sgd']}."
        )
    numbers = {choice.name: number for number, choice in enumerate(earlier)}
    found = []
    for other, values in when.items():
        if other not in numbers:
            raise ConfigurationError(
                f"{shown(name)} exists only with certain values of {shown(other)}, which is no "
                f"choice before it.{near_miss(other, numbers)} Before it come: {listed(numbers)}."
            )
        options = earlier[numbers[other]].options
        values = values if isinstance(values, list | tuple) else [values]
        strange = [value for value in values if not is_option(value) or value not in options]
        if strange or not values:
            raise ConfigurationError(
                f"{shown(name)} exists where {shown(other)} is among {shown(list(values))}; "
                f"its values: {shown(list(options))}."
            )
        found.append((numbers[other], frozenset(options.index(value) for value in values)))
    return tuple(found)
