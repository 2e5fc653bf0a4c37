"""Convolutional networks as text, finished or half written: one line a layer.

The link columns show which earlier layers (0 = the image) a layer reads: ``o`` yes, ``.`` no, ``?``
not chosen yet.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from nas_env.rendering.table import LINKED, UNKNOWN, UNLINKED, Row, draw_table, in_words
from nas_env.space.conv_architecture import (
    BatchNormalisation,
    ConvArchitecture,
    Convolution,
    Layer,
    LocalContrastNormalisation,
    Pooling,
)
from nas_env.space.layout import Position, SearchSpace

COLUMNS = ("layer", "size", "filters", "stride")
_NAMES = {
    "convolution": "conv",
    "max_pool": "max pool",
    "average_pool": "average pool",
    "local_contrast_normalisation": "contrast norm",
    "batch_norm": "batch norm",
}
_POOLING = ("max pool", "2x2", "", "2x2")  # after the layers in ``pool_after``


def draw_conv(architecture: ConvArchitecture) -> str:
    """A finished network, with the classifier as its last line."""
    rows = []
    for number, layer in enumerate(architecture.layers, 1):
        links = _links(number, dict.fromkeys(layer.inputs, 1))
        rows.append(Row(str(number), _cells(_options(layer)), links, in_words(layer.inputs)))
        if number in architecture.pool_after:
            rows.append(Row("", _POOLING))
    depth = len(architecture.layers)
    links = _links(depth + 1, dict.fromkeys(architecture.outputs, 1))
    rows.append(Row("", ("classifier", "", "", ""), links, in_words(architecture.outputs)))
    return draw_table(_title(architecture), COLUMNS, rows)


def draw_conv_tokens(space: SearchSpace[Any], tokens: Sequence[int], num_layers: int) -> str:
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
    rows = []
    for number, choices in layers.items():
        options = {p.name: _chosen(p, token) for p, token in choices if p.kind == "option"}
        skips = {p.source or 0: token for p, token in choices if p.kind == "skip"}
        if chain:
            skips = {number - 1: 1}
        elif UNKNOWN not in options.values() and not any(t or t is None for t in skips.values()):
            skips = {0: 1}  # a layer without inputs reads the image
        sources = sorted(source for source, token in skips.items() if token)
        rows.append(Row(str(number), _cells(options), _links(number, skips), in_words(sources)))
    return draw_table(title, COLUMNS, rows)


def _title(architecture: ConvArchitecture) -> str:
    depth, size = len(architecture.layers), architecture.block_size
    title = f"{depth} layers"
    if size > 1:
        title = f"{depth} blocks of {size} densely connected convolutions ({depth * size} layers)"
    if architecture.learning_rate is not None:
        title += f", learning rate {architecture.learning_rate:g}"
    return title


def _links(number: int, skips: Mapping[int, int | None]) -> str:
    """One character for each of the image and layers 1 to ``number`` - 1."""
    shown = {None: UNKNOWN, 0: UNLINKED, 1: LINKED}
    return "".join(shown[skips.get(source, 0)] for source in range(number))


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
    name = _NAMES.get(layer_type, layer_type)
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
