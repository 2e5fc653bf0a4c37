"""What a search says first of the recipe that trains its children: how well it ranks."""

from collections.abc import Mapping
from typing import Any

from nas_env.envs.evidence import UNKNOWN, evidence_of
from nas_env.envs.settings import ChildSettings


def ranking_line(spec: Any, settings: ChildSettings | None, recipe: Any) -> str:
    """One line on how the recipe orders networks; ``""`` where no child is trained by a recipe.

    Args:
        spec: Gymnasium's of the id.
        settings: what children are trained with, where they are ours.
        recipe: in full, or as a run's configuration holds it.
    """
    if settings is None or settings.family == "other" or callable(settings.evaluator):
        return ""
    if isinstance(recipe, Mapping) and recipe.get("name") not in settings.recipes:
        return ""
    full = settings.kind.recipe(recipe, settings.dataset)
    if not hasattr(full, "seed_digest"):  # of a kind of the user's own
        return ""
    usual = settings.dataset == spec.kwargs.get("dataset")
    found = evidence_of(spec.id, full.seed_digest()) if usual else None
    if found is None:
        return f"recipe {full.name}: {UNKNOWN} here (scripts/rank_recipes.py does)\n"
    return f"recipe {found.words().replace('`', '')}\n"
