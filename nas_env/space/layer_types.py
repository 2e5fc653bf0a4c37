"""The extension sketched at the end of section 3.3: layer types, and the learning rate as a token.

Every layer has a position for every hyper-parameter of every type, so that a position means the
same thing in each episode; where it does not apply, token 0 is the only valid one. The paper gives
no values to choose from: ours come from the other spaces and from common practice.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import cast

import numpy as np
from numpy.typing import NDArray

from nas_env.checks import checked
from nas_env.errors import InvalidArchitectureError
from nas_env.space.conv_architecture import (
    BatchNormalisation,
    ConvArchitecture,
    Convolution,
    Layer,
    LocalContrastNormalisation,
    Pooling,
    PoolingOperation,
)
from nas_env.space.layered import (
    Depth,
    LayeredSpace,
    Odd,
    Options,
    Rates,
    Sides,
    convolution_fields,
)
from nas_env.space.layout import Option

LAYER_TYPES = (
    "convolution",
    "max_pool",
    "average_pool",
    "local_contrast_normalisation",
    "batch_norm",
)
_CONVOLUTION, _MAX_POOL, _AVERAGE_POOL, _CONTRAST, _BATCH_NORM = range(5)
_POOLINGS = (_MAX_POOL, _AVERAGE_POOL)
_OPERATIONS: dict[int, PoolingOperation] = {_MAX_POOL: "max", _AVERAGE_POOL: "average"}


def _floats(name: str, values: Sequence[float]) -> tuple[float, ...]:
    return tuple(map(float, checked(name, values, Rates)))


class LayerTypesSpace(LayeredSpace):
    """Networks of convolutions, poolings and normalisations, and the learning rate.

    Tokens: learning_rate; then for each layer: layer_type, filter_height, filter_width,
    (stride_height, stride_width, if there is more than one stride), filters, pool_size,
    pool_stride, window, epsilon, and the skip decisions. Convolutions have a bias and no batch
    normalisation of their own, which is a layer type here.

    Args:
        num_layers: depth unless an episode asks for another.
        max_layers: the deepest that an episode may ask for; fixes the layout.
        min_layers: the shallowest.
        filter_sizes: heights and widths of filters, in pixels.
        filters: numbers of filters.
        strides: strides of convolutions in each direction.
        skip_connections: False makes a chain of layers, without skip decisions.
        pool_sizes: sides of pooling windows, in pixels.
        pool_strides: strides of poolings.
        windows: sides of local contrast normalisation's window, in pixels, odd.
        epsilons: what batch normalisation adds to the variance.
        learning_rates: learning rates to train the network with.

    Raises:
        ConfigurationError: an argument that gives no search space.
    """

    def __init__(
        self,
        num_layers: int = 6,
        max_layers: int = 20,
        min_layers: int = 1,
        filter_sizes: Sequence[int] = (1, 3, 5, 7),
        filters: Sequence[int] = (24, 36, 48, 64),
        strides: Sequence[int] = (1,),
        skip_connections: bool = True,
        pool_sizes: Sequence[int] = (2, 3),
        pool_strides: Sequence[int] = (1, 2),
        windows: Sequence[int] = (3, 5, 7, 9),
        epsilons: Sequence[float] = (1e-5, 1e-3),
        learning_rates: Sequence[float] = (0.025, 0.05, 0.1, 0.2),
    ) -> None:
        self._strides = checked("strides", strides, Sides)
        of_convolutions = convolution_fields(filter_sizes, self._strides, filters)
        fields: list[tuple[str, Options, tuple[int, ...]]] = [
            *((name, options, (_CONVOLUTION,)) for name, options in of_convolutions),
            ("pool_size", checked("pool_sizes", pool_sizes, Sides), _POOLINGS),
            ("pool_stride", checked("pool_strides", pool_strides, Sides), _POOLINGS),
            ("window", checked("windows", windows, Odd), (_CONTRAST,)),
            ("epsilon", _floats("epsilons", epsilons), (_BATCH_NORM,)),
        ]
        self._owners = {name: types for name, _, types in fields}
        super().__init__(
            [("learning_rate", _floats("learning_rates", learning_rates))],
            [("layer_type", LAYER_TYPES), *((name, options) for name, options, _ in fields)],
            Depth(num_layers, max_layers, min_layers),
            skip_connections,
        )

    @cached_property
    def _type_masks(self) -> NDArray[np.bool_]:
        """(len(layout), layer types, max_options): valid tokens given the layer's type."""
        masks = np.repeat(self.static_masks[:, None], len(LAYER_TYPES), axis=1)
        for index, position in enumerate(self.layout):
            for layer_type in range(len(LAYER_TYPES)):
                if layer_type not in self._owners.get(position.name, range(len(LAYER_TYPES))):
                    masks[index, layer_type, 1:] = False
        return masks

    @cached_property
    def _type_positions(self) -> NDArray[np.int64]:
        """(len(layout),): for each position, where its layer's type is chosen."""
        latest, positions = 0, []
        for index, position in enumerate(self.layout):
            latest = index if position.name == "layer_type" else latest
            positions.append(latest)
        return np.array(positions)

    def masks(self, tokens: NDArray[np.int64], positions: NDArray[np.int64]) -> NDArray[np.bool_]:
        """As ``SearchSpace.masks``; options of other layer types are masked out but token 0."""
        types = tokens[np.arange(len(positions)), self._type_positions[positions]]  # (batch,)
        # "clip": a type out of range is an error at its own position, not here.
        flat = self._type_masks.reshape(-1, self.max_options)
        return flat.take(positions * len(LAYER_TYPES) + types, axis=0, mode="clip")

    def sample_batch(
        self, rng: np.random.Generator, count: int, num_layers: int | None = None
    ) -> NDArray[np.int64]:
        """As ``SearchSpace.sample_batch``, in two steps: all layer types, then the rest."""
        length = self.length(num_layers)
        draws = rng.random((count, length))
        options = self._type_masks[:length].sum(axis=2)  # (length, layer types)
        types = (draws * len(LAYER_TYPES)).astype(np.int64)[:, self._type_positions[:length]]
        tokens = np.zeros((count, len(self.layout)), np.int64)
        tokens[:, :length] = draws * options[np.arange(length), types]  # valid ones come first
        return tokens

    def _layer_choices(self) -> int:
        choices = 0
        for layer_type in range(len(LAYER_TYPES)):
            combinations = 1
            for name, options in self._fields[1:]:
                combinations *= len(options) if layer_type in self._owners[name] else 1
            choices += combinations
        return choices

    def _decode_layer(self, tokens: Sequence[int], inputs: tuple[int, ...]) -> Layer:
        layer_type = tokens[0]
        values: dict[str, Option] = {
            name: options[token]
            for token, (name, options) in zip(tokens[1:], self._fields[1:], strict=True)
            if layer_type in self._owners[name]
        }
        if layer_type == _CONVOLUTION:
            stride = self._strides[0]
            strides = {"stride_height": stride, "stride_width": stride}
            return Convolution(**cast(dict[str, int], strides | values), inputs=inputs)
        if layer_type in _POOLINGS:
            size, stride = cast(tuple[int, int], (values["pool_size"], values["pool_stride"]))
            return Pooling(_OPERATIONS[layer_type], size, stride, inputs)
        if layer_type == _CONTRAST:
            return LocalContrastNormalisation(cast(int, values["window"]), inputs)
        return BatchNormalisation(cast(float, values["epsilon"]), inputs)

    def _network(self, tokens: Sequence[int], layers: tuple[Layer, ...]) -> ConvArchitecture:
        rate = cast(float, self.layout[0].options[tokens[0]])
        return ConvArchitecture(layers, batch_norm=False, learning_rate=rate)

    def _encode_network(self, architecture: ConvArchitecture) -> tuple[int, ...]:
        self._require("block_size", architecture.block_size, 1)
        self._require("pool_after", architecture.pool_after, ())
        self._require("batch_norm", architecture.batch_norm, False)
        return (self._token("learning_rate", architecture.learning_rate, "the architecture"),)

    def _encode_layer(self, number: int, layer: Layer) -> list[int]:
        owner = f"layer {number}"
        layer_type, values = _describe(layer)
        if len(self._strides) == 1:
            for name in ("stride_height", "stride_width"):
                stride = values.pop(name, self._strides[0])
                self._require(f"{name} of {owner}", stride, self._strides[0])
        return [layer_type] + [
            self._token(name, values[name], owner) if name in values else 0
            for name, _ in self._fields[1:]
        ]


def _describe(layer: Layer) -> tuple[int, dict[str, Option]]:
    """A layer's type token and its values by position name."""
    if isinstance(layer, Convolution):
        names = ("filter_height", "filter_width", "stride_height", "stride_width", "filters")
        return _CONVOLUTION, {name: getattr(layer, name) for name in names}
    if isinstance(layer, Pooling):
        layer_type = _MAX_POOL if layer.operation == "max" else _AVERAGE_POOL
        return layer_type, {"pool_size": layer.size, "pool_stride": layer.stride}
    if isinstance(layer, LocalContrastNormalisation):
        return _CONTRAST, {"window": layer.window}
    if isinstance(layer, BatchNormalisation):
        return _BATCH_NORM, {"epsilon": layer.epsilon}
    raise InvalidArchitectureError(f"Unknown layer {layer!r}.")
