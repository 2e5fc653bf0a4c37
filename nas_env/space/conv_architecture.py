"""What a convolutional child is: layers and their inputs (section 3.3 and Appendix A).

Layers are numbered from 1 in the order in which they compute; input 0 is the image. A layer with
several inputs concatenates them in depth, and the layers that feed no other layer feed the
classifier. Instances come from search spaces and from files that people write, so every field is
validated, by its name.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, ClassVar, Literal

from nas_env.checks import shown
from nas_env.errors import InvalidArchitectureError
from nas_env.space.layout import Architecture

MOST_LAYERS, MOST_IN_BLOCK = 256, 64
MOST_FILTERS, LARGEST_SIDE = 100_000, 1_000
LARGEST_RATE = 1e6
"""Of any architecture, wherever it comes from: far beyond what anybody trains, and small enough
that cost and drawing of a stranger's file take a second and not a day."""

PoolingOperation = Literal["max", "average"]
POOLING_OPERATIONS: tuple[str, ...] = ("max", "average")


@dataclass(frozen=True)
class Convolution:
    """Convolution with 'same' padding, then batch normalisation if the network has it, then ReLU.

    Attributes:
        filter_height: rows of the filter, in pixels.
        filter_width: columns of the filter, in pixels.
        filters: number of filters: channels of the output.
        stride_height: output rows = ceil(input rows / stride_height).
        stride_width: the same for columns.
        inputs: numbers of the layers read, ascending; 0 is the image.
    """

    type_name: ClassVar[str] = "convolution"

    filter_height: int
    filter_width: int
    filters: int
    stride_height: int = 1
    stride_width: int = 1
    inputs: tuple[int, ...] = (0,)

    def __post_init__(self) -> None:
        _require_count(self, LARGEST_SIDE, "filter_height", "filter_width")
        _require_count(self, MOST_FILTERS, "filters")
        _require_count(self, LARGEST_SIDE, "stride_height", "stride_width")


@dataclass(frozen=True)
class Pooling:
    """Maximum or average over ``size`` x ``size`` windows, 'same' padding, no ReLU.

    Attributes:
        operation: ``"max"`` or ``"average"`` (padding counts for neither).
        size: side of the window, in pixels.
        stride: output side = ceil(input side / stride).
        inputs: numbers of the layers read, ascending; 0 is the image.
    """

    type_name: ClassVar[str] = "pooling"

    operation: PoolingOperation
    size: int
    stride: int
    inputs: tuple[int, ...] = (0,)

    def __post_init__(self) -> None:
        if self.operation not in POOLING_OPERATIONS:
            raise InvalidArchitectureError(
                f"Pooling.operation is {shown(self.operation)}; allowed: {POOLING_OPERATIONS}."
            )
        _require_count(self, LARGEST_SIDE, "size", "stride")


@dataclass(frozen=True)
class LocalContrastNormalisation:
    """Subtractive, then divisive normalisation over a Gaussian window (Jarrett et al. 2009).

    Attributes:
        window: side of the window, in pixels, odd.
        inputs: numbers of the layers read, ascending; 0 is the image.
    """

    type_name: ClassVar[str] = "local_contrast_normalisation"

    window: int
    inputs: tuple[int, ...] = (0,)

    def __post_init__(self) -> None:
        _require_count(self, LARGEST_SIDE, "window")
        if self.window % 2 == 0:
            raise InvalidArchitectureError(
                f"LocalContrastNormalisation.window is {self.window}; it has a centre, so it is "
                "odd: 3, 5, 7, ..."
            )


@dataclass(frozen=True)
class BatchNormalisation:
    """Batch normalisation with learned scale and offset (Ioffe & Szegedy 2015), no ReLU.

    Attributes:
        epsilon: added to the variance.
        inputs: numbers of the layers read, ascending; 0 is the image.
    """

    type_name: ClassVar[str] = "batch_norm"

    epsilon: float
    inputs: tuple[int, ...] = (0,)

    def __post_init__(self) -> None:
        _require_positive_float("BatchNormalisation.epsilon", self.epsilon)


Layer = Convolution | Pooling | LocalContrastNormalisation | BatchNormalisation


@dataclass(frozen=True)
class ConvArchitecture(Architecture):
    """A convolutional network up to its classifier.

    Attributes:
        layers: layers 1, 2, ..., in the order in which they compute.
        block_size: each convolution stands for a block of this many, densely connected inside:
            the k-th reads the block's input and the k-1 outputs before it. The last output is the
            block's, and takes the stride.
        pool_after: layer numbers after which everything computed so far, the image included,
            passes a 2x2 max pooling of stride 2 on its way to later layers and the classifier.
        batch_norm: batch normalisation between each convolution and its ReLU, in place of a bias.
        learning_rate: the learning rate to train with, where the architecture chose one.
    """

    layers: tuple[Layer, ...]
    block_size: int = 1
    pool_after: tuple[int, ...] = ()
    batch_norm: bool = True
    learning_rate: float | None = None

    def __post_init__(self) -> None:
        if not self.layers:
            raise InvalidArchitectureError("ConvArchitecture.layers is empty; give at least one.")
        check_depth(len(self.layers))
        for number, layer in enumerate(self.layers, 1):
            _check_inputs(number, layer)
        _require_count(self, MOST_IN_BLOCK, "block_size")
        _check_numbers("pool_after", self.pool_after, 1, len(self.layers) - 1)
        if not isinstance(self.batch_norm, bool):
            raise InvalidArchitectureError(
                f"ConvArchitecture.batch_norm is {shown(self.batch_norm)}; allowed: True, False."
            )
        if self.learning_rate is not None:
            _require_positive_float("ConvArchitecture.learning_rate", self.learning_rate)

    @cached_property
    def outputs(self) -> tuple[int, ...]:
        """Numbers of the layers that no layer reads: their outputs feed the classifier."""
        read = {source for layer in self.layers for source in layer.inputs}
        return tuple(n for n in range(1, len(self.layers) + 1) if n not in read)

    def needed_after(self, number: int) -> tuple[int, ...]:
        """The maps among the image and layers 1..``number`` that something later still reads."""
        later = {source for layer in self.layers[number:] for source in layer.inputs}
        return tuple(n for n in range(number + 1) if n in later or n in self.outputs)

    def canonical(self) -> "ConvArchitecture":
        """Itself: every layer reaches the classifier, so none is dead.

        Renumbering layers that do not depend on each other is not undone: what an environment
        reports then still encodes to the tokens that the agent chose.
        """
        return self

    def with_more_filters(self, filters: int) -> "ConvArchitecture":
        """The same network with ``filters`` more filters in every convolution (Table 1)."""
        return self._rewired(
            lambda _, layer: (
                replace(layer, filters=layer.filters + filters)
                if isinstance(layer, Convolution)
                else layer
            )
        )

    def narrower(self, width: float) -> "ConvArchitecture":
        """The same network with the share ``width`` of each convolution's filters, at least one."""
        return self._rewired(
            lambda _, layer: (
                replace(layer, filters=max(1, round(width * layer.filters)))
                if isinstance(layer, Convolution)
                else layer
            )
        )

    def dense(self) -> "ConvArchitecture":
        """The same layers, each reading all earlier ones (section 4.1: 5.56 instead of 5.50)."""
        return self._rewired(
            lambda number, layer: replace(layer, inputs=tuple(range(1, number)) or (0,))
        )

    def chain(self) -> "ConvArchitecture":
        """The same layers without skip connections (section 4.1: 7.97 instead of 5.50)."""
        return self._rewired(lambda number, layer: replace(layer, inputs=(number - 1,)))

    def _rewired(self, change: Callable[[int, Layer], Layer]) -> "ConvArchitecture":
        layers = tuple(change(number, layer) for number, layer in enumerate(self.layers, 1))
        return replace(self, layers=layers)

    def to_json(self) -> dict[str, Any]:
        """See ``nas_env.space.architecture_json`` for the format, and for reading it."""
        layers = [
            {"type": layer.type_name, **_given(layer), "inputs": list(layer.inputs)}
            for layer in self.layers
        ]
        return {"kind": "conv", **_given(self), "layers": layers}


def _given(item: Layer | ConvArchitecture) -> dict[str, Any]:
    """Fields that differ from their default, tuples as lists."""
    pairs = {field.name: (getattr(item, field.name), field.default) for field in fields(item)}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, (value, default) in pairs.items()
        if value != default
    }


def check_depth(layers: int) -> None:
    """Raise unless an architecture may have so many layers.

    Raises:
        InvalidArchitectureError: too many.
    """
    if layers > MOST_LAYERS:
        raise InvalidArchitectureError(
            f"ConvArchitecture.layers has {layers:,} entries; at most {MOST_LAYERS} can be built."
        )


def _require_count(owner: object, most: int, *fields: str) -> None:
    for field in fields:
        value = getattr(owner, field)
        if type(value) is not int or not 1 <= value <= most:
            raise InvalidArchitectureError(
                f"{type(owner).__name__}.{field} is {shown(value)}; it must be a positive integer, "
                f"at most {most:,}."
            )


def _require_positive_float(name: str, value: object) -> None:
    if type(value) not in (int, float) or not 0.0 < value <= LARGEST_RATE:  # type: ignore[operator]
        raise InvalidArchitectureError(
            f"{name} is {shown(value)}; it must be a positive number, at most {LARGEST_RATE:,.0f}."
        )


def _check_inputs(number: int, layer: Layer) -> None:
    if not isinstance(layer, Layer):
        raise InvalidArchitectureError(
            f"Layer {number} is {shown(layer)}; allowed: Convolution, Pooling, "
            "LocalContrastNormalisation, BatchNormalisation."
        )
    if not layer.inputs:
        raise InvalidArchitectureError(f"Layer {number} has no inputs; the image is input 0.")
    _check_numbers(f"inputs of layer {number}", layer.inputs, 0, number - 1)


def _check_numbers(name: str, numbers: object, low: int, high: int) -> None:
    """Ascending different integers in low..high, in a tuple."""
    if not isinstance(numbers, tuple) or any(type(number) is not int for number in numbers):
        raise InvalidArchitectureError(f"{name}: {shown(numbers)} is not a tuple of integers.")
    previous = low - 1
    for value in numbers:
        if not previous < value <= high:
            raise InvalidArchitectureError(
                f"{name}: {shown(numbers)} must be ascending, without repeats, within "
                f"{low}..{high}."
            )
        previous = value
