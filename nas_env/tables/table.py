"""A complete table: every architecture of a small search space, trained beforehand several times.

A table turns a search of days into one of seconds, so that agents can be compared over many seeds.
The reward of a search comes from one training's validation metric; which of the trainings follows
from the child's seed, so that a search sees the noise that real children have. Held-out test
figures are no part of a table: ``nas_env.tables.held_out`` reads them, for reports.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from nas_env.checks import shown
from nas_env.errors import ConfigurationError
from nas_env.evaluation.evaluation import Evaluation, MetricName
from nas_env.evaluation.seeding import architecture_key, digest, seed_of_key
from nas_env.space.layout import Architecture, SearchSpace


@dataclass(frozen=True)
class Table:
    """What is known of every member of a search space.

    Members are in the order of their tokens, the last position changing fastest.

    Attributes:
        search_space: of one depth; every combination of options must be valid.
        metrics: (members, trainings) validation metric of each training; NaN = it failed.
        metric_name: what they measure.
        parameters: (members,) learnable parameters; None = unknown.
        train_seconds: (members, trainings) what each training took; None = unknown.
        about: where the table comes from, JSON-able.

    Raises:
        ConfigurationError: a space or arrays that do not make a complete table.
    """

    search_space: SearchSpace[Any]
    metrics: NDArray[np.floating[Any]]
    metric_name: MetricName = "metric"
    parameters: NDArray[np.integer[Any]] | None = None
    train_seconds: NDArray[np.floating[Any]] | None = None
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.metric_name not in get_args(MetricName):
            names = ", ".join(map(repr, get_args(MetricName)))
            raise ConfigurationError(
                f"metric_name is {shown(self.metric_name)}; a table measures one of {names}."
            )
        members = count_members(self.search_space)
        for name, kinds in _KINDS.items():
            value = getattr(self, name)
            if value is not None and np.asarray(value).dtype.kind not in kinds:
                raise ConfigurationError(
                    f"{name} has entries of type {np.asarray(value).dtype}; it must hold "
                    f"{'whole ' if kinds == 'iu' else ''}numbers."
                )
        shape = np.shape(self.metrics)
        if len(shape) != 2 or shape[0] != members or shape[1] < 1:
            raise ConfigurationError(
                f"metrics has shape {shape}; a table of this space needs ({members}, trainings)."
            )
        for name, wanted in (("parameters", (members,)), ("train_seconds", shape)):
            value = getattr(self, name)
            if value is not None and np.shape(value) != wanted:
                raise ConfigurationError(
                    f"{name} has shape {np.shape(value)}; it must be {wanted} or None."
                )
            if value is not None and not _counts(value):
                raise ConfigurationError(f"{name} has entries below 0, or too large to count.")

    @property
    def trainings(self) -> int:
        """Trainings of each member."""
        return int(self.metrics.shape[1])

    @cached_property
    def digest(self) -> str:
        """Identity of the measured metrics."""
        values = np.ascontiguousarray(self.metrics, np.float64)
        return digest(["table", list(values.shape), values.tobytes().hex()])

    def index(self, architecture: Architecture) -> int:
        """Row of an architecture.

        Raises:
            InvalidArchitectureError: the space does not contain it.
        """
        return index_of(self.search_space, self.search_space.encode(architecture))

    def architecture(self, index: int) -> Architecture:
        """The architecture of a row."""
        member: Architecture = self.search_space.decode(tokens_of(self.search_space, index))
        return member


_KINDS = {"metrics": "fiu", "parameters": "iu", "train_seconds": "fiu"}
"""Array -> what NumPy calls the kinds of its entries."""


def _counts(values: NDArray[Any]) -> bool:
    """Whether all are 0 or more, finite, and what a database holds; NaN is unknown."""
    known = np.asarray(values)[~np.isnan(values)]
    return bool(known.size == 0 or (known.min() >= 0 and known.max() < 2**63))


def count_members(search_space: SearchSpace[Any]) -> int:
    """Number of architectures of a space that a table can cover.

    Raises:
        ConfigurationError: a space of several depths, or whose masks depend on earlier tokens.
    """
    if search_space.min_layers != search_space.max_layers:
        raise ConfigurationError(
            f"A table needs a space of one depth; this one has {search_space.min_layers} to "
            f"{search_space.max_layers} layers."
        )
    if not search_space.has_static_masks:
        raise ConfigurationError(
            f"{type(search_space).__name__} has masks that depend on earlier tokens: a table needs "
            "a space in which every combination of options is valid."
        )
    return math.prod(_sizes(search_space))


def index_of(search_space: SearchSpace[Any], tokens: Sequence[int]) -> int:
    """Row of a token sequence: mixed radix, the last token changing fastest."""
    index = 0
    for token, size in zip(tokens, _sizes(search_space), strict=True):
        index = index * size + token
    return index


def tokens_of(search_space: SearchSpace[Any], index: int) -> tuple[int, ...]:
    """The token sequence of a row."""
    tokens = []
    for size in reversed(_sizes(search_space)):
        index, token = divmod(index, size)
        tokens.append(token)
    return tuple(reversed(tokens))


def _sizes(search_space: SearchSpace[Any]) -> list[int]:
    return [len(position.options) for position in search_space.layout]


class TableEvaluator:
    """Looks children up instead of training them; see ``nas_env.evaluation.evaluator.Evaluator``.

    An evaluation is marked ``cached``, and its ``train_seconds`` are those of the training looked
    up. Same run seed and architecture, same training.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        self.metric_name: MetricName = table.metric_name
        self._run_seed: int | None = None
        self._known: dict[Architecture, Evaluation] = {}

    def evaluate(self, architectures: Sequence[Architecture], run_seed: int) -> list[Evaluation]:
        """Look a batch up.

        Raises:
            InvalidArchitectureError: an architecture that the table's space does not contain.
        """
        if run_seed != self._run_seed:
            self._run_seed, self._known = run_seed, {}
        known = self._known
        for architecture in architectures:
            if architecture not in known:
                known[architecture] = self._look_up(architecture, run_seed)
        return [known[architecture] for architecture in architectures]

    def close(self) -> None:
        """Nothing to release."""

    def _look_up(self, architecture: Architecture, run_seed: int) -> Evaluation:
        table = self.table
        row, key = table.index(architecture), architecture_key(architecture)
        seed = seed_of_key(run_seed, key, "table", table.digest)
        training = seed % table.trainings
        metric = float(table.metrics[row, training])
        failed = not math.isfinite(metric)
        seconds = 0.0 if table.train_seconds is None else float(table.train_seconds[row, training])
        return Evaluation(
            architecture=key,
            seed=seed,
            metric_name=table.metric_name,
            metric=None if failed else metric,
            state="failed" if failed else "complete",
            failure="error" if failed else "",
            message="This training failed when the table was built." if failed else "",
            parameters=0 if table.parameters is None else int(table.parameters[row]),
            train_seconds=seconds if math.isfinite(seconds) else 0.0,
            cached=True,
        )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_run_seed": None, "_known": {}}
