"""A kind of child: everything that differs between convolutional networks, cells and others.

Torch, Pillow and the readers of data are imported where a method needs them, never with this file.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

from nas_env.data.datasets import Dataset, DatasetGiven, dataset_names, dataset_of
from nas_env.errors import ConfigurationError, InvalidArchitectureError
from nas_env.evaluation.evaluation import MetricName
from nas_env.evaluation.evaluator import Task
from nas_env.rendering.choice_text import draw_positions
from nas_env.space.layout import Architecture, SearchSpace

if TYPE_CHECKING:
    from torch import nn

    from nas_env.rendering.picture import Picture

Family = Literal["image", "language", "other"]
ArchitectureT = TypeVar("ArchitectureT", bound=Architecture)


class Kind(Generic[ArchitectureT]):
    """One kind; a subclass says more of it than these defaults, which know nothing.

    Attributes:
        name: ``"kind"`` in an architecture's JSON.
        architecture: its class; with a class method ``from_json``, JSON can be read back.
        spaces: classes of search spaces whose half-written tokens this kind can draw.
        family: of presets for a search.
        task: called with data set, folder of data, recipe and device, says how a child is trained;
            None = nothing is known of that.
        metric_name: what it measures.
        data: rows of data sets that children are trained on.
        default_dataset: trained on unless another is named.
        recipes: names of recipes.
    """

    name: ClassVar[str] = "other"
    architecture: ClassVar[type[Any]] = Architecture
    spaces: ClassVar[tuple[type[SearchSpace[Any]], ...]] = ()
    family: ClassVar[Family] = "other"
    task: ClassVar[Callable[..., Task] | None] = None
    metric_name: ClassVar[MetricName] = "metric"
    data: ClassVar[type[Dataset] | None] = None
    default_dataset: ClassVar[str] = ""
    recipes: ClassVar[tuple[str, ...]] = ()

    @property
    def offline_dataset(self) -> str:
        """The first data set of this kind that needs no download; ``""`` if there is none."""
        names = [] if self.data is None else dataset_names(self.data)
        rows = (dataset_of(self.data, name) for name in names if self.data is not None)
        return next((row.name for row in rows if row.offline), "")

    def recipe(self, recipe: Any = "quick", dataset: str | Dataset | None = None) -> Any:
        """The recipe in full that a name, changes or a recipe mean for a data set."""
        raise self._untrainable()

    def make_task(
        self,
        dataset: DatasetGiven = None,
        data_dir: str | Path | None = None,
        recipe: str | Mapping[str, Any] | Any = "quick",
        device: str = "auto",
    ) -> Task:
        """How a child is trained; nothing is loaded yet. None = ``default_dataset``."""
        if self.task is None:
            raise self._untrainable()
        given = self.default_dataset if dataset is None or dataset == "" else dataset
        return self.task(given, data_dir, recipe, device)

    def build(self, architecture: ArchitectureT, **sizes: Any) -> "nn.Module":
        """The child, with fresh weights from torch's generator."""
        raise InvalidArchitectureError(
            f"No child is defined for {type(architecture).__name__}; give the environment your own "
            "evaluator, (architecture, seed) -> metric, for a search space of your own."
        )

    def draw_text(self, architecture: ArchitectureT) -> str:
        """As plain text (the last line has no line feed): what it says of itself."""
        return str(architecture)

    def draw_figure(self, architecture: ArchitectureT) -> "Picture":
        """As a picture: its text."""
        from nas_env.rendering.choice_figure import text_picture

        return text_picture(self.draw_text(architecture))

    def draw_tokens(self, space: SearchSpace[Any], tokens: Sequence[int], num_layers: int) -> str:
        """Tokens of an architecture that is not finished, as text."""
        return draw_positions(space, tokens, num_layers)

    def draw_tokens_figure(
        self, space: SearchSpace[Any], tokens: Sequence[int], num_layers: int, footer: str
    ) -> "Picture":
        """Tokens, finished or not, as a picture whose size follows from space and depth alone."""
        from nas_env.rendering.choice_figure import positions_picture

        return positions_picture(space, tokens, num_layers, footer)

    def summary(self, architecture: ArchitectureT) -> str:
        """One line, for tables."""
        return self.draw_text(architecture).partition("\n")[0]

    def _untrainable(self) -> ConfigurationError:
        return ConfigurationError(
            f"Nothing is known of how to train an architecture of kind {self.name!r}: pass "
            "evaluator=, a callable (architecture, seed) -> metric."
        )
