"""The task of a search for recurrent cells: train one language model on a text.

Cheap to construct and to pickle: a worker process gets the settings, loads data and imports torch
itself, once, in ``prepare``.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas_env.evaluation.evaluation import Evaluation, MetricName
from nas_env.evaluation.evaluator import Job
from nas_env.evaluation.failures import run_safely
from nas_env.evaluation.seeding import architecture_key

if TYPE_CHECKING:
    from nas_env.data.text import TextData
    from nas_env.training.language_recipes import LanguageRecipe


class LanguageTask:
    """Implements ``nas_env.evaluation.evaluator.Task`` for text.

    Args:
        dataset: ``"ptb"``, ``"pydocs"``, or a folder with ``*.train.txt`` and ``*.valid.txt``.
        data_dir: where downloaded data sets live; None = the default folder.
        recipe: a name, a dict of settings, or a ``LanguageRecipe``.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.

    Raises:
        ConfigurationError: on first use, for a recipe or device that cannot be.
        DatasetNotFoundError, InvalidDatasetError: from ``key`` and ``prepare``.
    """

    def __init__(
        self,
        dataset: str = "ptb",
        data_dir: str | Path | None = None,
        recipe: "str | Mapping[str, Any] | LanguageRecipe" = "quick",
        device: str = "auto",
    ) -> None:
        self.dataset = dataset
        self.data_dir = None if data_dir is None else str(data_dir)
        self.device = device
        self._recipe = recipe
        self._resolved: LanguageRecipe | None = None
        self._key: tuple[str, str] | None = None
        self._data: TextData | None = None

    @property
    def metric_name(self) -> MetricName:
        """Validation perplexity: lower is better."""
        return "perplexity"

    @property
    def recipe(self) -> "LanguageRecipe":
        """The recipe in full, its numerics chosen; workers get it from the parent process."""
        if self._resolved is None:
            from nas_env.training.language_recipes import language_recipe
            from nas_env.training.numerics import resolve_device

            recipe = language_recipe(self._recipe, self.dataset)
            self._resolved = recipe.with_numerics(resolve_device(self.device))
        return self._resolved

    def key(self) -> tuple[str, str]:
        """(data-set digest, recipe digest); fetches the data set if it must be downloaded."""
        if self._key is None:
            from nas_env.data.text import text_digest

            self._key = text_digest(self.dataset, self.data_dir), self.recipe.digest()
        return self._key

    def prepare(self) -> None:
        """Load the text onto the device; idempotent."""
        if self._data is None:
            from nas_env.data.text import load_text
            from nas_env.training.numerics import resolve_device

            data = load_text(self.dataset, self.data_dir, self.recipe.selection)
            self._data = data.to(resolve_device(self.device))

    def run(self, job: Job) -> Evaluation:
        """Train one child; its fault becomes a failed evaluation.

        Raises:
            NasEnvError: what is not the child's fault: missing data, a wrong setting.
        """
        self.prepare()
        return run_safely(self._train, job, self.metric_name)

    def _train(self, job: Job) -> Evaluation:
        from nas_env.training.language import train_language_child

        assert self._data is not None
        outcome = train_language_child(
            job.architecture, self._data, self.recipe, job.seed, self._data.train.device
        )
        return Evaluation(
            architecture=architecture_key(job.architecture),
            seed=job.seed,
            metric_name=self.metric_name,
            metric=outcome.metric,
            state="complete",
            curve=outcome.curve,
            parameters=outcome.parameters,
            macs=outcome.macs,
            train_seconds=outcome.seconds,
            numerics=outcome.numerics,
        )

    def __getstate__(self) -> dict[str, Any]:
        """Settings without the data; numerics and key travel along, so that workers agree."""
        return {**self.__dict__, "_data": None}
