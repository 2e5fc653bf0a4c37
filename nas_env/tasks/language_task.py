"""The task of a search for recurrent cells: train one language model on a text."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nas_env.data.datasets import TextDataset
from nas_env.evaluation.evaluation import MetricName
from nas_env.evaluation.evaluator import Job
from nas_env.space.cell_architecture import CellArchitecture
from nas_env.tasks.child_task import ChildTask

if TYPE_CHECKING:
    import torch

    from nas_env.data.text import TextData
    from nas_env.training.language_recipes import LanguageRecipe
    from nas_env.training.outcome import TrainingOutcome

VOCABULARY = 10_000


class LanguageTask(ChildTask["LanguageRecipe", "TextData", TextDataset]):
    """Text: of a named data set, or of a folder."""

    rows = TextDataset
    metric_name: MetricName = "perplexity"  # lower is better

    def _child_mb(self, job: Job) -> float:
        """Of a window, with a vocabulary of the size of Penn Treebank's."""
        if not isinstance(job.architecture, CellArchitecture):
            return 0.0
        from nas_env.child.language.size import language_cost
        from nas_env.training.language_training import estimate_memory_mb

        sizes = self.recipe.sizes(job.architecture, VOCABULARY)
        return estimate_memory_mb(language_cost(job.architecture, sizes), self.recipe) * 1e6 / 2**20

    def _resolve(self, recipe: "str | Mapping[str, Any] | LanguageRecipe") -> "LanguageRecipe":
        from nas_env.training.language_recipes import language_recipe

        return language_recipe(recipe, self.dataset)

    def _data_digest(self) -> str:
        from nas_env.data.text import text_digest

        return text_digest(self.dataset, self.data_dir)

    def _load(self) -> "TextData":
        from nas_env.child.cell.kernel_backend import kernel_library
        from nas_env.data.text import load_text

        kernel_library()  # a first compilation counts as loading, not as some child's training
        return load_text(self.dataset, self.data_dir, self.recipe.selection)

    def _train(self, job: Job, data: "TextData", device: "torch.device") -> "TrainingOutcome":
        from nas_env.training.language_training import train_language_child

        return train_language_child(job.architecture, data, self.recipe, job.seed, device)
