"""What the recipes of images and of text share: naming one, changing one, checks and the digest."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from nas_env.checks import require
from nas_env.data.datasets import Dataset, dataset_of
from nas_env.errors import ConfigurationError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

RecipeT = TypeVar("RecipeT", bound="DataclassInstance")

_EXCLUSIVE = ("hidden_size", "parameter_budget")  # a language recipe has exactly one of them
_NOT_IN_DIGEST = ("name", "time_limit_s")  # they cannot change a metric
_AS_BEFORE = (
    *(("width", 1.0), ("batch_norm_epsilon", 1e-5), ("decay_epochs", None), ("split", "balanced")),
)
"""Fields that recipes gained, with what was done before: so a store keeps its keys."""
_SEEDING_NUMERICS = "float32"


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


def chosen_recipe(
    recipe: "str | Mapping[str, Any] | RecipeT",
    table: Mapping[str, RecipeT],
    kind: type[Dataset],
    dataset: str | Dataset | None,
) -> RecipeT:
    """The recipe that a user means: a name, a named recipe with changes, or a recipe.

    Args:
        recipe: what the user gave.
        table: the recipes of the kind by name.
        kind: of the data set.
        dataset: its row's changes are laid over ``table``; None = no changes.

    Raises:
        ConfigurationError: unknown name or field, or a value out of range.
    """
    if isinstance(recipe, type(next(iter(table.values())))):
        return recipe
    if not isinstance(recipe, str | Mapping):
        raise ConfigurationError(
            f"A recipe is a name ({', '.join(table)}), a dict of changes such as "
            f"{{'name': 'quick', 'epochs': 2}}, or a recipe of this kind of data; got {recipe!r}."
        )
    changes = {"name": recipe} if isinstance(recipe, str) else dict(recipe)
    name = str(changes.pop("name", "quick"))
    of_data = {} if dataset is None else dataset_of(kind, dataset).recipes
    for unknown in {name, *of_data} - {*table}:
        raise ConfigurationError(f"Unknown recipe {unknown!r}. Recipes: {', '.join(table)}.")
    return _changed(_changed(table[name], of_data.get(name, {})), changes)


def _changed(base: RecipeT, changes: Mapping[str, Any]) -> RecipeT:
    """``base`` with some fields changed; one of ``_EXCLUSIVE`` given takes the other's place."""
    check_names("recipe", changes, type(base))
    given = dict(changes)
    if len(named := [name for name in _EXCLUSIVE if name in given]) == 1:
        given |= {name: None for name in _EXCLUSIVE if name not in named}
    return replace(base, **given) if given else base


def check_names(what: str, given: Mapping[str, Any], target: "type[DataclassInstance]") -> None:
    """Raise ``ConfigurationError`` for names that are not fields of ``target``."""
    known = sorted(field.name for field in fields(target))
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ConfigurationError(
            f"Unknown {what} settings {', '.join(unknown)}. Known: {', '.join(known)}."
        )


def check_reward_epochs(recipe: Any) -> None:
    """Refuse more epochs for the reward than there are."""
    allowed = f"at most epochs ({recipe.epochs})"
    epochs = recipe.reward_epochs
    require(epochs <= recipe.epochs, "reward_epochs", epochs, allowed, "recipe")


def recipe_digest(kind: str, recipe: "DataclassInstance") -> str:
    """32 hex digits of everything that can change a metric or refuse an architecture."""
    values = {
        name: value
        for name, value in asdict(recipe).items()
        if name not in _NOT_IN_DIGEST and (name, value) not in _AS_BEFORE
    }
    text = json.dumps({"kind": kind, **values}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def seed_digest(kind: str, recipe: Any) -> str:
    """The digest that children's seeds derive from: that of the recipe in plain float32.

    So a child has the same seed, initial weights and order of images whatever arithmetic is fastest
    on the machine.
    """
    return recipe_digest(kind, replace(recipe, numerics=_SEEDING_NUMERICS))
