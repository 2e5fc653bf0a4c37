"""What the recipes of images and of text share: naming one, changing one, checks and the digest."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_type_hints

from nas_env.errors import ConfigurationError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

RecipeT = TypeVar("RecipeT", bound="DataclassInstance")

_NOT_IN_DIGEST = ("name", "time_limit_s")  # they cannot change a metric


def find_recipe(name: str, table: Mapping[str, RecipeT]) -> RecipeT:
    """The recipe of that name.

    Raises:
        ConfigurationError: there is none; lists those that there are.
    """
    if name not in table:
        raise ConfigurationError(f"Unknown recipe {name!r}. Recipes: {', '.join(table)}.")
    return table[name]


def changed_recipe(changes: Mapping[str, Any], table: Mapping[str, RecipeT]) -> RecipeT:
    """A named recipe (``changes["name"]``, default ``"quick"``) with some fields changed.

    Raises:
        ConfigurationError: unknown name or field, or a value out of range.
    """
    base = find_recipe(str(changes.get("name", "quick")), table)
    given = {name: value for name, value in changes.items() if name != "name"}
    check_names("recipe", given, type(base))
    return replace(base, **given)


def check_names(what: str, given: Mapping[str, Any], target: "type[DataclassInstance]") -> None:
    """Raise ``ConfigurationError`` for names that are not fields of ``target``."""
    known = sorted(field.name for field in fields(target))
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ConfigurationError(
            f"Unknown {what} settings {', '.join(unknown)}. Known: {', '.join(known)}."
        )


def require(condition: bool, name: str, value: object, allowed: str) -> None:
    """Raise ``ConfigurationError`` unless a setting is as it must be."""
    if not condition:
        raise ConfigurationError(f"Recipe setting {name}={value!r} is not allowed: use {allowed}.")


_KINDS = {int: "a whole number", float: "a finite number", bool: "true or false", str: "text"}
"""Types of settings that are checked, in words."""


def check_kinds(recipe: "DataclassInstance") -> None:
    """Refuse values of another kind than a setting has: JSON and dicts know no types.

    Raises:
        ConfigurationError: naming the first such setting.
    """
    for name, hint in get_type_hints(type(recipe)).items():
        allowed = [kind for kind in get_args(hint) or (hint,) if kind in _KINDS]
        value = getattr(recipe, name)
        optional = type(None) in get_args(hint)
        if allowed and not (optional and value is None):
            words = "None or " * optional + _KINDS[allowed[0]]
            require(_is_kind(value, allowed[0]), name, value, words)


def _is_kind(value: object, kind: type) -> bool:
    """Whole numbers are numbers too; True is no number."""
    if kind is float:
        return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]
    return type(value) is kind


def recipe_digest(kind: str, recipe: "DataclassInstance") -> str:
    """32 hex digits of everything that can change a metric or refuse an architecture."""
    values = {name: value for name, value in asdict(recipe).items() if name not in _NOT_IN_DIGEST}
    text = json.dumps({"kind": kind, **values}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
