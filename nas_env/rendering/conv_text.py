"""Convolutional networks as text, finished or half written: one line a layer.

The link columns show which earlier layers (0 = the image) a layer reads: ``o`` yes, ``.`` no, ``?``
not chosen yet.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from nas_env.rendering.conv_rows import network_rows, partial_rows
from nas_env.rendering.table import LINKED, UNKNOWN, UNLINKED, Row, draw_table, in_words
from nas_env.space.conv_architecture import ConvArchitecture
from nas_env.space.layout import SearchSpace

COLUMNS = ("layer", "size", "filters", "stride")
_POOLING = ("max pool", "2x2", "", "2x2")  # after the layers in ``pool_after``


def draw_conv(architecture: ConvArchitecture) -> str:
    """A finished network, with the classifier as its last line."""
    network, rows = network_rows(architecture), []
    for layer in network.layers:
        links = _links(layer.number, layer.links)
        rows.append(Row(str(layer.number), layer.cells, links, in_words(layer.inputs)))
        if layer.number in network.pool_after:
            rows.append(Row("", _POOLING))
    outputs = architecture.outputs
    links = _links(len(network.layers) + 1, dict.fromkeys(outputs, 1))
    rows.append(Row("", ("classifier", "", "", ""), links, in_words(outputs)))
    return draw_table(network.title, COLUMNS, rows)


def draw_conv_tokens(space: SearchSpace[Any], tokens: Sequence[int], num_layers: int) -> str:
    """A network of which only ``tokens`` have been chosen."""
    network = partial_rows(space, tokens, num_layers)
    rows = [
        Row(str(n.number), n.cells, _links(n.number, n.links), in_words(n.inputs))
        for n in network.layers
    ]
    return draw_table(network.title, COLUMNS, rows)


def _links(number: int, skips: Mapping[int, int | None]) -> str:
    """One character for each of the image and layers 1 to ``number`` - 1."""
    shown = {None: UNKNOWN, 0: UNLINKED, 1: LINKED}
    return "".join(shown[skips.get(source, 0)] for source in range(number))
