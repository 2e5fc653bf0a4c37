"""Recurrent cells: trained as language models on text, drawn like the paper's Figures 5 and 8."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nas_env.rendering.cell_text import draw_cell
from nas_env.space.cell import CellSpace
from nas_env.space.cell_architecture import CellArchitecture
from nas_env.space.layout import SearchSpace
from nas_env.tasks.kind import Kind
from nas_env.tasks.language_task import LanguageTask

if TYPE_CHECKING:
    from torch import nn

    from nas_env.rendering.picture import Picture
    from nas_env.training.language_recipes import LanguageRecipe


class CellKind(Kind[CellArchitecture]):
    """See ``Kind``."""

    name = "cell"
    architecture = CellArchitecture
    spaces = (CellSpace,)
    family = "language"
    task = LanguageTask
    metric_name = LanguageTask.metric_name
    data = LanguageTask.rows
    default_dataset = "ptb"
    recipes = ("paper", "fast", "quick", "zaremba_small", "zaremba_medium", "character")

    def recipe(self, recipe: Any = "quick", dataset: Any = None) -> "LanguageRecipe":
        """A ``LanguageRecipe``."""
        from nas_env.training.language_recipes import language_recipe

        return language_recipe(recipe, dataset)

    def build(self, architecture: CellArchitecture, **sizes: Any) -> "nn.Module":
        """A ``LanguageModel``; sizes: those of ``LanguageSizes``."""
        from nas_env.child.language.model import LanguageModel
        from nas_env.child.language.size import LanguageSizes

        return LanguageModel(architecture, LanguageSizes(**sizes))

    def draw_text(self, architecture: CellArchitecture) -> str:
        """The tree, a line a node."""
        return draw_cell(architecture)

    def draw_figure(self, architecture: CellArchitecture) -> "Picture":
        """Like Figures 5 and 8."""
        from nas_env.rendering.cell_figure import cell_picture, cell_rows

        return cell_picture(cell_rows(architecture))

    def draw_tokens_figure(
        self, space: SearchSpace[Any], tokens: Sequence[int], num_layers: int, footer: str
    ) -> "Picture":
        """Like Figure 5, what is open as dashed boxes."""
        from nas_env.rendering.cell_figure import cell_picture, cell_rows, partial_cell_rows

        if len(tokens) == space.length(num_layers):
            return cell_picture(cell_rows(space.decode(tokens)), footer)
        assert isinstance(space, CellSpace)
        return cell_picture(partial_cell_rows(space, tokens), footer)

    def summary(self, architecture: CellArchitecture) -> str:
        """``5 tanh 4 relu, 9 add 6 elem_mult``: how often the nodes have each part."""
        combinations, activations = zip(*architecture.nodes, strict=True)
        counts = [Counter(part).most_common() for part in (activations, combinations)]
        return ", ".join(" ".join(f"{n} {name}" for name, n in part) for part in counts)
