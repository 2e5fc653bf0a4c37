"""Every exception of the project.

Each also inherits the builtin that a caller would expect, so ``except ValueError`` works. A message
says what failed, the value, what is allowed and the next step.
"""


class NasEnvError(Exception):
    """Base of every error that nas_env and agents raise on purpose."""


class ConfigurationError(NasEnvError, ValueError):
    """An argument, option or combination of settings that cannot be used."""


class UnknownArgumentError(ConfigurationError, TypeError):
    """A keyword argument that nothing has; in Python's words, which other libraries look for."""


class MissingDependencyError(NasEnvError, ImportError):
    """An optional package is needed for what was asked."""


class InvalidTokenError(NasEnvError, ValueError):
    """A token out of range, or masked out at this position."""


class ResetNeededError(NasEnvError, RuntimeError):
    """A step before the first reset, or after the episode has ended."""


class InvalidArchitectureError(NasEnvError, ValueError):
    """An architecture that cannot be built, or that a search space does not contain."""


class DatasetNotFoundError(NasEnvError, FileNotFoundError):
    """A data set is neither on disk nor downloadable."""


class InvalidDatasetError(NasEnvError, ValueError):
    """Data that is there but corrupt, truncated or unusable."""


class StoreError(NasEnvError, RuntimeError):
    """The result store cannot be opened, read or written."""


class StoreVersionError(StoreError):
    """The result store was written by another schema version."""


class ExecutorError(NasEnvError, RuntimeError):
    """Worker processes that cannot be started or used; no child is at fault."""


class RunFolderError(NasEnvError, RuntimeError):
    """A run folder that cannot be written, or whose settings differ on resume."""


class NothingFoundError(NasEnvError, LookupError):
    """The best of a search in which no child succeeded."""


class CheckpointError(NasEnvError, RuntimeError):
    """A checkpoint that is missing, damaged or of another agent."""


class NetworkFileError(NasEnvError, ValueError):
    """A file of a trained network that is missing, damaged, unfinished or of another network."""


class ExportError(NasEnvError, RuntimeError):
    """A network that cannot be exported, or whose export computes something else."""


class HeldOutReadError(NasEnvError, RuntimeError):
    """The test part has been read for this search before: it is to be read once."""


class ChildFailure(NasEnvError, RuntimeError):  # noqa: N818 - an outcome, not a bug
    """One child could not be trained: a typed failure of its evaluation, never raised by a step.

    ``failure`` names the kind, one of ``nas_env.evaluation.evaluation.FAILURES``.
    """

    failure = "error"


class ChildDiverged(ChildFailure):
    """The loss or the metric became NaN or infinite."""

    failure = "diverged"


class ChildOutOfMemory(ChildFailure):
    """The child did not fit in the memory of its device or its limit."""

    failure = "out_of_memory"


class ChildTimeout(ChildFailure):
    """The child took longer than the recipe's ``time_limit_s``."""

    failure = "timeout"


class ChildTooLarge(ChildFailure):
    """The architecture is over the recipe's limits on parameters or cost: not trained at all."""

    failure = "too_large"


class MachineFault(ChildFailure):
    """The machine, not the child, keeps it from a result: tried again, never stored.

    An evaluator of your own may raise it, for example where a service it needs does not answer.
    """


class WorkerLost(MachineFault):
    """The worker process that trained the child died."""

    failure = "worker_lost"


class ChildStalled(MachineFault):
    """Nothing ended within many times the time limit, of which the child itself used little."""

    failure = "timeout"
