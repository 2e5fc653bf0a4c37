"""What the tasks of images and of text share: settings now, data and torch later.

Cheap to construct and to pickle: a worker process gets the settings, loads data and imports torch
itself, once, in ``prepare``.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from nas_env.data.datasets import Dataset, DatasetGiven, dataset_of
from nas_env.evaluation.evaluation import Evaluation, MetricName
from nas_env.evaluation.evaluator import Job
from nas_env.evaluation.failures import run_safely
from nas_env.evaluation.seeding import architecture_key
from nas_env.system.folders import data_folder

if TYPE_CHECKING:
    import torch

    from nas_env.training.outcome import TrainingOutcome


class Recipe(Protocol):
    """What a task needs of a recipe."""

    def with_numerics(self: "RecipeT", device: "torch.device") -> "RecipeT":
        """The recipe with its numerics chosen for ``device``."""

    def digest(self) -> str:
        """Of everything that can change a metric."""

    def seed_digest(self) -> str:
        """Of everything that children's seeds derive from: not of the arithmetic."""


class Data(Protocol):
    """What a task needs of a loaded data set."""

    def to(self: "DataT", device: "torch.device") -> "DataT":
        """The same on ``device``."""


WORKER_MB = 700.0
"""Of a worker: Python, torch, its data, what libraries set up. Measured: 670 to 720 MiB."""
CONTEXT_MB = 600.0
"""Of a GPU for each process that uses it, before its first child. From reading, not measured."""

RecipeT = TypeVar("RecipeT", bound=Recipe)
DataT = TypeVar("DataT", bound=Data)
RowT = TypeVar("RowT", bound=Dataset)
TaskT = TypeVar("TaskT", bound="ChildTask[Any, Any, Any]")


class ChildTask(ABC, Generic[RecipeT, DataT, RowT]):
    """Implements ``nas_env.evaluation.evaluator.Task``; a subclass says how, for its kind of data.

    Args:
        dataset: name of a data set, the path of a folder, data in memory, or a row. The task holds
            the row, so a worker process needs no table that knows it.
        data_dir: where data sets known by name live; None = the default folder.
        recipe: a name, a dict of settings, or a recipe.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.

    Raises:
        ConfigurationError: on first use, for a recipe or device that cannot be.
        DatasetNotFoundError: data of another kind; from ``key`` and ``prepare``: not to be had.
        InvalidDatasetError: from ``key`` and ``prepare``.
    """

    rows: type[RowT]  # of the data sets that it can be given
    metric_name: MetricName  # what ``run`` measures on the validation data

    def __init__(
        self,
        dataset: DatasetGiven,
        data_dir: str | Path | None = None,
        recipe: str | Mapping[str, Any] | RecipeT = "quick",
        device: str = "auto",
    ) -> None:
        self.dataset: RowT = dataset_of(self.rows, dataset)
        self.data_dir = str(data_folder(data_dir))  # absolute: a worker looks in the same folder
        self.device = device
        self._recipe = recipe
        self._resolved: RecipeT | None = None
        self._key: tuple[str, str] | None = None
        self._data: DataT | None = None

    @abstractmethod
    def _resolve(self, recipe: str | Mapping[str, Any] | RecipeT) -> RecipeT:
        """The recipe that the user means."""

    @abstractmethod
    def _data_digest(self) -> str:
        """Of the data set's content; may download it."""

    @abstractmethod
    def _load(self) -> DataT:
        """Training and validation data, on the CPU."""

    @abstractmethod
    def _train(self, job: Job, data: DataT, device: "torch.device") -> "TrainingOutcome":
        """Train one child; its fault raises ``ChildFailure``."""

    @property
    def recipe(self) -> RecipeT:
        """The recipe in full, its numerics chosen; workers get it from the parent process."""
        if self._resolved is None:
            self._resolved = self._resolve(self._recipe).with_numerics(self._target())
        return self._resolved

    def with_recipe(self: "TaskT", recipe: RecipeT) -> "TaskT":
        """The same task with another recipe, which selects the same data: they are shared."""
        other = type(self)(self.dataset, self.data_dir, recipe, self.device)
        other._data = self._data
        return other

    def key(self) -> tuple[str, str]:
        """(data-set digest, recipe digest); fetches the data set if it must be downloaded."""
        if self._key is None:
            self._key = self._data_digest(), self.recipe.digest()
        return self._key

    @property
    def seed_recipe(self) -> str:
        """The recipe's digest without its numerics: a child's seed is the same on every machine."""
        return self.recipe.seed_digest()

    def prepare(self) -> None:
        """Load the data onto the device; idempotent."""
        if self._data is None:
            from nas_env.training.clean_state import clean_torch_state

            with clean_torch_state():  # tensors made in inference mode could not be learned from
                self._data = self._load().to(self._target())

    def run(self, job: Job) -> Evaluation:
        """Train one child; its fault becomes a failed evaluation.

        Raises:
            NasEnvError: what is not the child's fault: missing data, a wrong setting.
        """
        self.prepare()
        return run_safely(self._evaluate, job, self.metric_name)

    def memory_mb(self, job: Job) -> float:
        """MiB that training it takes, about: of a worker's memory, or of the GPU it trains on."""
        on_gpu = self._target().type == "cuda"
        return (CONTEXT_MB if on_gpu else WORKER_MB) + self._child_mb(job)

    @property
    def gpus(self) -> int:
        """GPUs that children can be spread over; 0 where they train on the CPU."""
        target = self._target()
        if target.type != "cuda":
            return 0
        import torch

        return torch.cuda.device_count() if target.index is None else 1

    @property
    def gpu_memory_mb(self) -> float:
        """MiB of the smallest of these GPUs."""
        import torch

        target, count = self._target(), torch.cuda.device_count()
        indices = range(count) if target.index is None else [target.index]
        return min(torch.cuda.get_device_properties(i).total_memory for i in indices) / 2**20

    def _child_mb(self, job: Job) -> float:
        """MiB of one training step of the child, about; 0 where nobody knows."""
        return 0.0

    def _evaluate(self, job: Job) -> Evaluation:
        assert self._data is not None
        outcome = self._train(job, self._data, self._target())
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

    def _target(self) -> "torch.device":
        from nas_env.training.image_numerics import resolve_device

        return resolve_device(self.device)

    def __getstate__(self) -> dict[str, Any]:
        """Settings without the data; numerics and key travel along, so that workers agree."""
        return {**self.__dict__, "_data": None}
