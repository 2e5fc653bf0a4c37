"""Token order shared by the convolutional spaces: layer by layer, options first, then skips.

Section 3.3: at layer N an anchor point decides for each of the N-1 earlier layers whether it is an
input. We read this so: the anchor comes after the layer's own options, and a layer that chooses no
input reads the image (Fig. 7).
"""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from nas_env.checks import (
    above,
    at_least,
    at_most,
    check_settings,
    checked,
    different,
    matching,
    require,
    some,
)
from nas_env.errors import ConfigurationError, InvalidArchitectureError
from nas_env.space.conv_architecture import (
    LARGEST_RATE,
    LARGEST_SIDE,
    MOST_FILTERS,
    MOST_IN_BLOCK,
    ConvArchitecture,
    Layer,
)
from nas_env.space.layout import Option, Position, SearchSpace

_ODD = matching(lambda value: value % 2 == 1, "that are odd")
Options = tuple[Option, ...]
_Side = Annotated[int, at_least(1), at_most(LARGEST_SIDE)]
Sides = Annotated[tuple[_Side, ...], some, different]
"""What a search space may choose from, in pixels."""
Odd = Annotated[tuple[Annotated[_Side, _ODD], ...], some, different]
"""Sides of windows that have a centre."""
FilterCounts = Annotated[
    tuple[Annotated[int, at_least(1), at_most(MOST_FILTERS)], ...], some, different
]
BlockSize = Annotated[int, at_least(1), at_most(MOST_IN_BLOCK)]
Places = Annotated[tuple[Annotated[int, at_least(1)], ...], different]
"""Layers, none of them perhaps."""
Rates = Annotated[tuple[Annotated[float, above(0), at_most(LARGEST_RATE)], ...], some, different]
MOST_LAYERS = 100
"""5,250 tokens; the paper's deepest network has 39 layers. A thousand would take half a million."""


@dataclass(frozen=True)
class Depth:
    """How many layers: of an episode by default, and the range an episode may ask for."""

    num_layers: Annotated[int, at_least(1)] = 6
    max_layers: Annotated[int, at_least(1)] = 20
    min_layers: Annotated[int, at_least(1)] = 1

    def __post_init__(self) -> None:
        """Check every field."""
        check_settings(self)
        deepest = max(self.num_layers, self.max_layers)
        if deepest > MOST_LAYERS:
            raise ConfigurationError(
                f"num_layers and max_layers must be at most {MOST_LAYERS}, got {deepest}: the "
                "tokens of skip connections grow with the square of the depth."
            )
        ends = f"min_layers ({self.min_layers}) to max_layers ({self.max_layers})"
        inside = self.min_layers <= self.num_layers <= self.max_layers
        require(inside, "num_layers", self.num_layers, ends)


def convolution_fields(
    filter_sizes: Sequence[int], strides: tuple[int, ...], filters: Sequence[int]
) -> list[tuple[str, Options]]:
    """(name, options) of a convolution's choices; of strides only where there is a choice.

    Raises:
        ConfigurationError: sizes or numbers of filters that nothing can be chosen from.
    """
    sizes = checked("filter_sizes", filter_sizes, Sides)
    fields: list[tuple[str, Options]] = [("filter_height", sizes), ("filter_width", sizes)]
    if len(strides) > 1:
        fields += [("stride_height", strides), ("stride_width", strides)]
    return [*fields, ("filters", checked("filters", filters, FilterCounts))]


class LayeredSpace(SearchSpace[ConvArchitecture]):
    """A space whose tokens are: network options, then for each layer its options and skips.

    Args:
        network: (name, options) of choices that belong to the whole network.
        fields: (name, options) of the choices of every layer.
        depth: default depth and range.
        skip_connections: False makes every layer read the one before it, without tokens.
    """

    def __init__(
        self,
        network: Sequence[tuple[str, Options]],
        fields: Sequence[tuple[str, Options]],
        depth: Depth,
        skip_connections: bool,
    ) -> None:
        self.num_layers, self.max_layers = depth.num_layers, depth.max_layers
        self.min_layers = depth.min_layers
        self.skip_connections = skip_connections
        self._head, self._fields = len(network), tuple(fields)
        self.layout = tuple(Position(name, options) for name, options in network) + tuple(
            position
            for layer in range(1, self.max_layers + 1)
            for position in self._layer_positions(layer)
        )
        self._token_of = {
            name: {option: token for token, option in enumerate(options)}
            for name, options in (*network, *fields)
        }

    def _layer_positions(self, layer: int) -> Iterator[Position]:
        for name, options in self._fields:
            yield Position(name, options, layer=layer)
        if self.skip_connections:
            for source in range(1, layer):
                yield Position("skip", (0, 1), "skip", layer, source)

    def length(self, num_layers: int | None = None) -> int:
        """Number of tokens of an architecture of ``num_layers`` layers (default: the space's).

        Raises:
            ConfigurationError: the space has no architecture of that depth.
        """
        layers = self._depth(num_layers)
        skips = layers * (layers - 1) // 2 if self.skip_connections else 0
        return self._head + layers * len(self._fields) + skips

    def _depth(self, num_layers: int | None) -> int:
        if num_layers is None:
            return self.num_layers
        if type(num_layers) is not int or num_layers < 1:  # asked at every reset
            checked("num_layers", num_layers, Annotated[int, at_least(1)])
        if not self.min_layers <= num_layers <= self.max_layers:
            raise ConfigurationError(
                f"num_layers is {num_layers}; this space allows {self.min_layers} to "
                f"{self.max_layers}. Make the space with another max_layers to go deeper."
            )
        return num_layers

    @property
    def size(self) -> int:
        """Exact number of different architectures of ``num_layers`` layers."""
        return self.size_at(self.num_layers)

    def size_at(self, num_layers: int) -> int:
        """Exact number of different architectures of ``num_layers`` layers.

        With T layers to choose from: T^L * 2^(L(L-1)/2), times the network's own options.
        """
        layers = self._depth(num_layers)
        skips = layers * (layers - 1) // 2 if self.skip_connections else 0
        size: int = self._layer_choices() ** layers << skips
        for position in self.layout[: self._head]:
            size *= len(position.options)
        return size

    @abstractmethod
    def _layer_choices(self) -> int:
        """T: number of different layers, their inputs aside."""

    def decode(self, tokens: Sequence[int]) -> ConvArchitecture:
        """The network that a sequence of any allowed depth describes.

        Raises:
            InvalidTokenError: wrong length, or a token out of range or masked.
        """
        num_layers = self.depth_of(tokens)
        row = self.check(tokens, num_layers).tolist()
        layers, at = [], self._head
        for number in range(1, num_layers + 1):
            options_end = at + len(self._fields)
            skips_end = options_end + (number - 1 if self.skip_connections else 0)
            inputs = self._inputs(number, row[options_end:skips_end])
            layers.append(self._decode_layer(row[at:options_end], inputs))
            at = skips_end
        return self._network(row[: self._head], tuple(layers))

    def _inputs(self, number: int, skips: Sequence[int]) -> tuple[int, ...]:
        if not self.skip_connections:
            return (number - 1,)
        return tuple(source for source, chosen in enumerate(skips, 1) if chosen) or (0,)

    @abstractmethod
    def _decode_layer(self, tokens: Sequence[int], inputs: tuple[int, ...]) -> Layer:
        """The layer that its option tokens describe."""

    @abstractmethod
    def _network(self, tokens: Sequence[int], layers: tuple[Layer, ...]) -> ConvArchitecture:
        """The architecture of these layers and the network's own tokens."""

    def encode(self, architecture: ConvArchitecture) -> tuple[int, ...]:
        """The token sequence that ``decode`` reads back to ``architecture``.

        Raises:
            InvalidArchitectureError: the space does not contain it; says what and why.
        """
        if not isinstance(architecture, ConvArchitecture):
            raise InvalidArchitectureError(
                f"This space holds convolutional architectures, got {architecture!r}."
            )
        depth = len(architecture.layers)
        if not self.min_layers <= depth <= self.max_layers:
            raise InvalidArchitectureError(
                f"The architecture has {depth} layers; this space allows {self.min_layers} to "
                f"{self.max_layers}."
            )
        tokens = list(self._encode_network(architecture))
        for number, layer in enumerate(architecture.layers, 1):
            tokens += self._encode_layer(number, layer)
            tokens += self._encode_inputs(number, layer)
        return tuple(tokens)

    def _encode_inputs(self, number: int, layer: Layer) -> list[int]:
        if not self.skip_connections:
            self._require(f"inputs of layer {number}", layer.inputs, (number - 1,))
            return []
        if 0 in layer.inputs and len(layer.inputs) > 1:
            raise InvalidArchitectureError(
                f"Layer {number} reads {layer.inputs}: in this space a layer reads the image "
                "(input 0) only when it reads no other layer."
            )
        return [int(source in layer.inputs) for source in range(1, number)]

    @abstractmethod
    def _encode_network(self, architecture: ConvArchitecture) -> tuple[int, ...]:
        """Tokens of the network's own options; raises for fields that the space fixes."""

    @abstractmethod
    def _encode_layer(self, number: int, layer: Layer) -> list[int]:
        """Option tokens of layer ``number``."""

    def _token(self, name: str, value: Option | None, owner: str) -> int:
        """The token of an option, or an error that lists the allowed ones."""
        token = self._token_of[name].get(value) if value is not None else None
        if token is None:
            allowed = ", ".join(map(str, self._token_of[name]))
            raise InvalidArchitectureError(f"The {name} of {owner} is {value}; allowed: {allowed}.")
        return token

    @staticmethod
    def _require(name: str, value: Any, expected: Any) -> None:
        if value != expected:
            raise InvalidArchitectureError(
                f"The architecture's {name} is {value}; this space fixes it to {expected}."
            )
