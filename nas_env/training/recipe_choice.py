"""What the recipes of images and of text share: naming one, changing one, checks and the digest."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from nas_env.checks import kinds_of
from nas_env.errors import ConfigurationError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

RecipeT = TypeVar("RecipeT", bound="DataclassInstance")

_NOT_IN_DIGEST = ("name", "time_limit_s")  # they cannot change a metric


def recipe_from_text(text: str) -> str | dict[str, Any]:
    """A recipe as a command line gives it: a name, or a JSON object of changes.

    Raises:
        ConfigurationError: it starts like a JSON object but is none.
    """
    if not text.lstrip().startswith("{"):
        return text
    try:
        return dict(json.loads(text))
    except ValueError as error:
        raise ConfigurationError(
            f"--recipe is not valid JSON ({error}): {text}. Give a name, or an object of changes "
            """such as '{"name": "quick", "epochs": 2}'."""
        ) from error


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
    if not isinstance(changes, Mapping):
        raise ConfigurationError(
            f"A recipe is a name ({', '.join(table)}), a dict of changes such as "
            f"{{'name': 'quick', 'epochs': 2}}, or a recipe of this kind of data; got {changes!r}."
        )
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


def check_kinds(recipe: "DataclassInstance") -> None:
    """Refuse values of another kind than a setting has: JSON and dicts know no types.

    Raises:
        ConfigurationError: naming the first such setting.
    """
    for name, kind in kinds_of(type(recipe)).items():
        value = getattr(recipe, name)
        require(kind.allows(value), name, value, kind.words)


def recipe_digest(kind: str, recipe: "DataclassInstance") -> str:
    """32 hex digits of everything that can change a metric or refuse an architecture."""
    values = {name: value for name, value in asdict(recipe).items() if name not in _NOT_IN_DIGEST}
    text = json.dumps({"kind": kind, **values}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
