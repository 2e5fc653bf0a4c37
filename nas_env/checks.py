"""Checks settings by their annotations: the limit of a setting stands beside its name, once.

    @dataclass(frozen=True)
    class Settings:
        units: Annotated[int, at_least(1)] = 35
        clip: Annotated[float | None, above(0)] = None
        schedule: Literal["step", "linear"] = "step"
        sizes: Annotated[tuple[Annotated[int, at_least(1)], ...], some, different] = (1, 3)

        def __post_init__(self) -> None:
            check_settings(self)

JSON, flags and dicts know no types, so the kind of every setting is checked too. One place words
every message: ``units must be a whole number of at least 1, got 0.``
"""

import difflib
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from numbers import Integral, Real
from types import UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    NoReturn,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from nas_env.errors import ConfigurationError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@dataclass(frozen=True)
class Limit:
    """What a value must hold to.

    Attributes:
        holds: whether a value of the right kind does.
        words: what follows the kind in a message: ``a whole number {of at least 1}``.
    """

    holds: Callable[[Any], bool]
    words: str = ""


def at_least(low: float) -> Limit:
    """``low`` or more."""
    return Limit(lambda value: value >= low, f"of at least {_number(low)}")


def at_most(high: float) -> Limit:
    """``high`` or less, after ``at_least``."""
    return Limit(lambda value: value <= high, f"and at most {_number(high)}")


def above(low: float) -> Limit:
    """More than ``low``."""
    return Limit(lambda value: value > low, f"above {_number(low)}")


def between(low: float, high: float) -> Limit:
    """``low`` to ``high``, both included."""
    return Limit(lambda value: low <= value <= high, f"from {_number(low)} to {_number(high)}")


def below(high: float) -> Limit:
    """Less than ``high``."""
    return Limit(lambda value: value < high, f"below {_number(high)}")


def one_of(*names: str) -> Limit:
    """One of these texts."""
    return Limit(lambda value: value in names, f"among {', '.join(map(repr, names))}")


def matching(holds: Callable[[Any], bool], words: str) -> Limit:
    """A rule of another kind, in words that follow the kind."""
    return Limit(holds, words)


some = Limit(lambda values: len(values) > 0)
"""A list with an entry at least."""
different = Limit(lambda values: len(set(values)) == len(values))
"""A list whose entries differ."""


@dataclass(frozen=True)
class Kind:
    """What an annotation allows.

    Attributes:
        type: int, float, bool, str, tuple, or None: anything.
        optional: whether None is a value.
        limits: what a value must hold to.
        choices: the only values, of a ``Literal``.
        entries: of a tuple, what each entry must be.
    """

    type: type | None
    optional: bool = False
    limits: tuple[Limit, ...] = ()
    choices: tuple[Any, ...] = ()
    entries: "Kind | None" = None

    @property
    def words(self) -> str:
        """What is allowed."""
        return self._phrase() + " or None" * self.optional

    def _phrase(self, several: bool = False) -> str:
        if self.choices:
            return " or ".join(map(repr, self.choices))
        if self.type is bool:
            return "True or False"
        rest = "".join(f" {limit.words}" for limit in self.limits if limit.words)
        if self.entries is None:
            return f"{_NOUNS[self.type][several]}{rest}"
        some_words = "a non-empty list" if some in self.limits else "a list"
        inside = "different " if different in self.limits else ""
        return f"{some_words} of {inside}{self.entries._phrase(several=True)}{rest}"

    def plain(self, value: Any) -> Any:
        """The value in Python's own type: what NumPy counts with becomes int and float."""
        if self.type in (int, float) and type(value) not in (int, float, bool):
            if isinstance(value, Integral):
                return int(value)
            if self.type is float and isinstance(value, Real):
                return float(value)
        if self.type is tuple and isinstance(value, list | tuple | range):
            assert self.entries is not None
            return tuple(self.entries.plain(entry) for entry in value)
        return value

    def allows(self, value: Any) -> bool:
        """Whether a plain value is allowed."""
        if self.optional and value is None:
            return True
        if self.choices:
            return any(type(value) is type(choice) and value == choice for choice in self.choices)
        if type(value) is int and not -LARGEST <= value <= LARGEST:
            return self.type is None
        if self.type is float:
            right = type(value) in (int, float) and math.isfinite(value)
        elif self.type is str:
            right = type(value) is str and _is_unicode(value)
        else:
            right = self.type is None or type(value) is self.type
        if self.type is tuple and right:
            assert self.entries is not None
            right = all(self.entries.allows(entry) for entry in value)
        return right and all(limit.holds(value) for limit in self.limits)


def check_settings(settings: "DataclassInstance", what: str = "") -> None:
    """Refuse a setting of another kind than declared, or beyond its limits.

    A whole number will do for a float; True is no number; NaN and infinity are no values. Numbers
    of NumPy become Python's own, lists become tuples.

    Args:
        settings: a dataclass, frozen or not.
        what: what the settings are of, for the message: ``recipe``.

    Raises:
        ConfigurationError: naming the first such setting, its value and what is allowed.
    """
    for name, kind in kinds_of(type(settings)).items():
        value = getattr(settings, name)
        plain = kind.plain(value)
        if not kind.allows(plain):
            refuse(name, value, kind.words, what)
        if plain is not value:
            object.__setattr__(settings, name, plain)


def refuse(name: str, value: object, allowed: str, what: str = "") -> NoReturn:
    """The one message for a setting that cannot be.

    Raises:
        ConfigurationError: always.
    """
    got = f"got {shown(value)}{_why_not(value)}"
    raise ConfigurationError(f"{what + ' ' if what else ''}{name} must be {allowed}, {got}.")


def shown(value: object, longest: int = 200) -> str:
    """A value in a message: at most so many characters, whatever it is and at little cost."""
    if isinstance(value, str | bytes) and len(value) > longest:
        return f"{value[:longest]!r}..."
    try:
        text = repr(value)
    except Exception:  # an own __repr__, a number of 5,000 digits, lists nested too deeply
        return f"a value of type {type(value).__name__} that cannot be shown"
    return text if len(text) <= longest else f"{text[:longest]}..."


def listed(names: Iterable[str], longest: int = 200) -> str:
    """Names in a message, as many as fit."""
    text = ", ".join(names)
    return text if len(text) <= longest else f"{text[:longest]}..."


def near_miss(given: object, known: Iterable[str], likeness: float = 0.6) -> str:
    """`` Did you mean 'x'?``, or nothing where no known name is near."""
    text = given if isinstance(given, str) else shown(given)
    if len(text) > _LONGEST_NAME:  # nobody's typing mistake, and comparing takes seconds
        return ""
    close = difflib.get_close_matches(text, list(known), 1, likeness)
    return f" Did you mean {close[0]!r}?" if close else ""


_LONGEST_NAME = 100


def _why_not(value: object) -> str:
    """What the kind and the limits do not say of a value that is not allowed."""
    if type(value) is int and not -LARGEST <= value <= LARGEST:
        return " (whole numbers have at most 64 bits)"
    if isinstance(value, str) and not _is_unicode(value):
        return " (not UTF-8)"
    return ""


def _is_unicode(text: str) -> bool:
    """False where bytes that were no UTF-8 became text: no file or store could hold it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def require(holds: bool, name: str, value: object, allowed: str, what: str = "") -> None:
    """``refuse`` unless a rule between several settings holds."""
    if not holds:
        refuse(name, value, allowed, what)


def checked(name: str, value: object, hint: Any) -> Any:
    """One value, as ``check_settings`` checks a field that is annotated with ``hint``.

    Returns:
        The value in Python's own types.

    Raises:
        ConfigurationError: it is not allowed.
    """
    kind = kind_of(hint)
    assert kind is not None, hint
    plain = kind.plain(value)
    if not kind.allows(plain):
        refuse(name, value, kind.words)
    return plain


def check_seed(seed: object) -> int:
    """A run seed as a plain int.

    Raises:
        ConfigurationError: it is no whole number, below 0, or has more bits than NumPy draws.
    """
    if type(seed) is int and 0 <= seed < 2**128:  # as ``numpy.random.SeedSequence`` draws them
        return seed
    return int(checked("seed", seed, Annotated[int, at_least(0)]))


@cache
def kinds_of(settings: "type[DataclassInstance]") -> dict[str, Kind]:
    """Field -> what its annotation allows; fields of other types than these are left out."""
    hints = get_type_hints(settings, include_extras=True)
    names = {field for field in settings.__dataclass_fields__}
    found = {name: kind_of(hint) for name, hint in hints.items() if name in names}
    return {name: kind for name, kind in found.items() if kind is not None}


def kind_of(hint: Any, limits: Iterable[Limit] = ()) -> Kind | None:
    """What an annotation allows; None where it is of a type that is not checked."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        own = [extra for extra in arguments[1:] if isinstance(extra, Limit)]
        return kind_of(arguments[0], [*limits, *own])
    if origin in (Union, UnionType):
        inner = [one for one in arguments if one is not type(None)]
        kind = kind_of(inner[0], limits) if len(inner) == 1 else None
        if kind is None:
            return None
        return Kind(kind.type, len(inner) < len(arguments), kind.limits, kind.choices, kind.entries)
    if origin is Literal:
        return Kind(None, choices=arguments)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        entries = kind_of(arguments[0])
        return None if entries is None else Kind(tuple, limits=tuple(limits), entries=entries)
    if hint in (int, float, bool, str):
        return Kind(hint, limits=tuple(limits))
    return None


LARGEST = 2**63 - 1
"""What counts and databases hold."""
_NOUNS: dict[type | None, tuple[str, str]] = {  # one, several
    int: ("a whole number", "whole numbers"),
    float: ("a finite number", "finite numbers"),
    str: ("text", "texts"),
}


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) and abs(value) >= 10_000 else f"{value:g}"
