"""What a drawing of a convolutional network shows of each layer, finished or half written.

Text and figure share it, so both say the same of the same tokens.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nas_env.rendering.table import UNKNOWN
from nas_env.space.conv import ConvSpace
from nas_env.space.conv_architecture import (
    BatchNormalisation,
    ConvArchitecture,
    Convolution,
    Layer,
    LocalContrastNormalisation,
    Pooling,
)
from nas_env.space.layout import Position, SearchSpace

LAYER_NAMES = {
    "convolution": "conv",
    "max_pool": "max pool",
    "average_pool": "average pool",
    "local_contrast_normalisation": "contrast norm",
    "batch_norm": "batch norm",
}
"""Layer types as drawings call them."""


@dataclass(frozen=True)
class LayerRow:
    """One layer in words; ``?`` for what is not chosen yet.

    Attributes:
        number: of the layer, from 1.
        name: its type.
        size: ``"3x5"``, or ``"eps 0.001"``.
        filters: their number, empty where there are none.
        stride: ``"1x2"``, empty where there is no choice.
        links: earlier layer (0 = the image) -> 1 read, 0 not read, None not chosen yet.
    """

    number: int
    name: str
    size: str
    filters: str
    stride: str
    links: Mapping[int, int | None]

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """Layer, size, filters, stride."""
        return self.name, self.size, self.filters, self.stride

    @property
    def inputs(self) -> tuple[int, ...]:
        """The layers read for certain; ascending."""
        return tuple(sorted(source for source, link in self.links.items() if link))

    @property
    def open_links(self) -> bool:
        """Whether some skip decisions are still to be taken."""
        return None in self.links.values()


@dataclass(frozen=True)
class NetworkRows:
    """A network in words.

    Attributes:
        title: depth, and what was chosen for the whole network.
        layers: one row each, in order.
        pool_after: numbers of the layers after which a 2x2 pooling stands.
        block_size: densely connected convolutions that one row stands for.
        outputs: the layers that feed the classifier; None while layers are open.
        current: the layer that the next token belongs to; None when all are chosen.
    """

    title: str
    layers: tuple[LayerRow, ...]
    pool_after: tuple[int, ...] = ()
    block_size: int = 1
    outputs: tuple[int, ...] | None = None
    current: int | None = None


def network_rows(architecture: ConvArchitecture) -> NetworkRows:
    """A finished network."""
    layers = tuple(
        LayerRow(number, *_cells(_options(layer)), dict.fromkeys(layer.inputs, 1))
        for number, layer in enumerate(architecture.layers, 1)
    )
    return NetworkRows(
        title=_title(architecture),
        layers=layers,
        pool_after=architecture.pool_after,
        block_size=architecture.block_size,
        outputs=architecture.outputs,
    )


def partial_rows(space: SearchSpace[Any], tokens: Sequence[int], num_layers: int) -> NetworkRows:
    """A network of which only ``tokens`` have been chosen."""
    length = space.length(num_layers)
    layers: dict[int, list[tuple[Position, int | None]]] = {}
    for index, position in enumerate(space.layout[:length]):
        token = tokens[index] if index < len(tokens) else None
        layers.setdefault(position.layer, []).append((position, token))
    title = f"{len(tokens)} of {length} tokens chosen"
    for position, token in layers.pop(0, []):
        title += f", {position.name} {_chosen(position, token)}"
    chain = not any(position.kind == "skip" for position in space.layout)
    poolings = space.pool_after if isinstance(space, ConvSpace) else ()
    return NetworkRows(
        title=title,
        layers=tuple(_partial_row(n, choices, chain) for n, choices in layers.items()),
        pool_after=tuple(layer for layer in poolings if layer < num_layers),
        block_size=space.block_size if isinstance(space, ConvSpace) else 1,
        current=space.layout[len(tokens)].layer if len(tokens) < length else None,
    )


def _partial_row(
    number: int, choices: Sequence[tuple[Position, int | None]], chain: bool
) -> LayerRow:
    options = {p.name: _chosen(p, token) for p, token in choices if p.kind == "option"}
    skips = {p.source or 0: token for p, token in choices if p.kind == "skip"}
    if chain:
        skips = {number - 1: 1}
    elif UNKNOWN not in options.values() and not any(t or t is None for t in skips.values()):
        skips = {0: 1}  # a layer without inputs reads the image
    return LayerRow(number, *_cells(options), skips)


def _title(architecture: ConvArchitecture) -> str:
    depth, size = len(architecture.layers), architecture.block_size
    title = f"{depth} layer{'s' if depth > 1 else ''}"
    if size > 1:
        title = f"{depth} blocks of {size} densely connected convolutions ({depth * size} layers)"
    if architecture.learning_rate is not None:
        title += f", learning rate {architecture.learning_rate:g}"
    return title


def _chosen(position: Position, token: int | None) -> str:
    return UNKNOWN if token is None else str(position.options[token])


def _options(layer: Layer) -> dict[str, str]:
    """A layer in the words of the search spaces."""
    if isinstance(layer, Convolution):
        names = ("filter_height", "filter_width", "filters", "stride_height", "stride_width")
        return {name: str(getattr(layer, name)) for name in names}
    if isinstance(layer, Pooling):
        size, stride = str(layer.size), str(layer.stride)
        return {"layer_type": f"{layer.operation}_pool", "pool_size": size, "pool_stride": stride}
    if isinstance(layer, LocalContrastNormalisation):
        return {"layer_type": "local_contrast_normalisation", "window": str(layer.window)}
    if isinstance(layer, BatchNormalisation):
        return {"layer_type": "batch_norm", "epsilon": str(layer.epsilon)}
    raise TypeError(f"No drawing for {layer!r}.")


def _cells(options: Mapping[str, str]) -> tuple[str, str, str, str]:
    """Layer, size, filters and stride: of all that a space may choose, what applies here."""
    layer_type = options.get("layer_type", "convolution")
    name = LAYER_NAMES.get(layer_type, layer_type)
    if layer_type == UNKNOWN:
        return UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN
    if layer_type == "convolution":
        size = f"{options['filter_height']}x{options['filter_width']}"
        strides = [options[n] for n in ("stride_height", "stride_width") if n in options]
        return name, size, options["filters"], "x".join(strides)  # none where there is no choice
    if layer_type == "batch_norm":
        return name, f"eps {options['epsilon']}", "", ""
    side = options["window" if "contrast" in layer_type else "pool_size"]
    stride = options.get("pool_stride", "") if layer_type.endswith("pool") else ""
    return name, f"{side}x{side}", "", f"{stride}x{stride}" if stride else ""
