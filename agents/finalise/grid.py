"""The paper's small grid on the winner (section 4.1), over what a recipe has of it.

"a small grid search over learning rate, weight decay, batchnorm epsilon and what epoch to decay the
learning rate". Learning rate and weight decay are multiplied by factors, so that what a short
recipe prefers carries over to the long one; the others are values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import Any

from nas_env.space.conv_architecture import ConvArchitecture
from nas_env.training.image_recipes import ImageRecipe


@dataclass(frozen=True)
class Axis:
    """One setting of the grid.

    Attributes:
        name: field of the recipe.
        values: tried; with ``factors``, what the recipe's own value is multiplied by.
        factors: see ``values``.
    """

    name: str
    values: tuple[Any, ...]
    factors: bool = False


SMALL = (
    Axis("learning_rate", (0.5, 1.0, 2.0), factors=True),
    Axis("weight_decay", (0.2, 1.0, 5.0), factors=True),
)
FULL = (*SMALL,)
GRIDS: dict[str, tuple[Axis, ...]] = {"small": SMALL, "full": FULL, "none": ()}

Point = Mapping[str, Any]
"""Field of the recipe -> the axis's value."""


def grid_points(
    name: str, recipe: ImageRecipe, architecture: ConvArchitecture
) -> list[dict[str, Any]]:
    """All points of a grid; what is as it is comes first.

    An architecture that brings its own learning rate has that, whatever the recipe says.
    """
    known = {field.name for field in fields(recipe)}
    axes = [axis for axis in GRIDS[name] if axis.name in known]
    if architecture.learning_rate is not None:
        axes = [axis for axis in axes if axis.name != "learning_rate"]
    points = [
        dict(zip([axis.name for axis in axes], values, strict=True))
        for values in product(*(axis.values for axis in axes))
    ]
    return sorted(points, key=lambda point: apply(recipe, point) != recipe)


def apply(recipe: ImageRecipe, point: Point) -> ImageRecipe:
    """The recipe at a point of the grid."""
    factors = {axis.name for axis in FULL if axis.factors}
    changes = {
        name: getattr(recipe, name) * value if name in factors else value
        for name, value in point.items()
    }
    return replace(recipe, **changes) if changes else recipe


def describe(point: Point) -> str:
    """In a table: ``learning rate x0.5, weight decay x1``."""
    factors = {axis.name for axis in FULL if axis.factors}
    parts = [
        f"{name.replace('_', ' ')} {'x' if name in factors else ''}{value:g}"
        for name, value in point.items()
    ]
    return ", ".join(parts) or "the recipe as it is"


def best_point(metrics: Sequence[float | None]) -> int:
    """Index of the highest metric, the first of equals; 0 where all failed."""
    values = [-1.0 if metric is None else metric for metric in metrics]
    return values.index(max(values))
