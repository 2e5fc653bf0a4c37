"""The paper's small grid on the winner (section 4.1), over what a recipe has of it.

"a small grid search over learning rate, weight decay, batchnorm epsilon and what epoch to decay the
learning rate". Learning rate and weight decay are multiplied by factors, so that what a short
recipe prefers carries over to the long one; the others are values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Literal

from nas_env.space.conv_architecture import ConvArchitecture
from nas_env.training.image_recipes import ImageRecipe


@dataclass(frozen=True)
class Axis:
    """One setting of the grid.

    Attributes:
        name: field of the recipe.
        values: tried.
        kind: ``"value"``; ``"factor"``: the recipe's own value is multiplied by it; ``"shares"``:
            shares of the epochs, because recipes differ in length.
    """

    name: str
    values: tuple[Any, ...]
    kind: Literal["value", "factor", "shares"] = "value"


SMALL = (
    Axis("learning_rate", (0.5, 1.0, 2.0), "factor"),
    Axis("weight_decay", (0.2, 1.0, 5.0), "factor"),
)
FULL = (
    *SMALL,
    Axis("batch_norm_epsilon", (1e-5, 1e-3)),
    Axis("decay_epochs", ((0.5, 0.75), (0.4, 0.7), (0.6, 0.85)), "shares"),
)
GRIDS: dict[str, tuple[Axis, ...]] = {"small": SMALL, "full": FULL, "none": ()}
AXES = {axis.name: axis for axis in FULL}

Point = Mapping[str, Any]
"""Field of the recipe -> the axis's value."""


def grid_points(
    name: str, recipes: Sequence[ImageRecipe], architecture: ConvArchitecture
) -> list[dict[str, Any]]:
    """All points of a grid; what is as it is comes first.

    Args:
        name: of ``GRIDS``.
        recipes: the short and the long one: epochs of decay are tried where both have steps.
        architecture: one that brings its own learning rate has that, whatever a recipe says.
    """
    axes = list(GRIDS[name])
    if any(recipe.schedule != "step" for recipe in recipes):
        axes = [axis for axis in axes if axis.name != "decay_epochs"]
    if architecture.learning_rate is not None:
        axes = [axis for axis in axes if axis.name != "learning_rate"]
    points = [
        dict(zip([axis.name for axis in axes], values, strict=True))
        for values in product(*(axis.values for axis in axes))
    ]
    changed = [any(v != _as_it_is(n, recipes[0]) for n, v in point.items()) for point in points]
    return [point for _, point in sorted(zip(changed, points, strict=True), key=lambda p: p[0])]


def _as_it_is(name: str, recipe: ImageRecipe) -> Any:
    """The value of an axis that leaves the recipe as it is; of shares, those of its default."""
    kinds = {"value": getattr(recipe, name), "factor": 1.0, "shares": (0.5, 0.75)}
    return kinds[AXES[name].kind]


def apply(recipe: ImageRecipe, point: Point) -> ImageRecipe:
    """The recipe at a point of the grid."""
    changes = {name: _value(recipe, AXES[name], value) for name, value in point.items()}
    return replace(recipe, **changes) if changes else recipe


def _value(recipe: ImageRecipe, axis: Axis, value: Any) -> Any:
    if axis.kind == "factor":
        return getattr(recipe, axis.name) * value
    if axis.kind == "shares":
        return tuple(share * recipe.epochs for share in value)
    return value


def describe(point: Point) -> str:
    """In a table: ``learning rate x0.5, weight decay x1, decay at 50% 75%``."""
    parts = []
    for name, value in point.items():
        words = name.replace("_", " ")
        if AXES[name].kind == "shares":
            parts.append(f"{words} at {' and '.join(f'{100 * share:g}%' for share in value)}")
        else:
            parts.append(f"{words} {'x' * (AXES[name].kind == 'factor')}{value:g}")
    return ", ".join(parts) or "the recipe as it is"


def best_point(metrics: Sequence[float | None]) -> int:
    """Index of the highest metric, the first of equals; 0 where all failed."""
    values = [-1.0 if metric is None else metric for metric in metrics]
    return values.index(max(values))
