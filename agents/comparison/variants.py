"""The neighbours of a convolutional architecture: what section 4.1 changes to ask for an optimum.

"if we densely connect all layers with skip connections, its performance becomes slightly worse ...
If we remove all skip connections, its performance drops". Beside these two, networks with random
skip connections, and those in which a single token is another.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from nas_env.errors import InvalidArchitectureError
from nas_env.space.conv import ConvSpace
from nas_env.space.conv_architecture import ConvArchitecture, Convolution

SIZES, FILTERS = (1, 3, 5, 7), (24, 36, 48, 64)
"""Options of the paper's space; what the network has besides is an option too."""


@dataclass(frozen=True)
class Variant:
    """One network.

    Attributes:
        name: what was changed.
        group: itself, dense, no skips, random skips, or one token.
        architecture: the network.
    """

    name: str
    group: str
    architecture: ConvArchitecture


def variants(
    architecture: ConvArchitecture, random_skips: int, tokens: int | None, seed: int
) -> list[Variant]:
    """The network itself first, then its neighbours, each different one once.

    Args:
        architecture: of convolutions alone.
        random_skips: networks with every skip connection drawn anew (p = 1/2).
        tokens: changes of one token, drawn at random; None = all.
        seed: of both draws.

    Raises:
        InvalidArchitectureError: it has layers of other types.
    """
    chance = Random(seed)
    found = [
        Variant("as it is", "itself", architecture),
        Variant("all layers connected", "dense", architecture.dense()),
        Variant("no skip connections", "no skips", architecture.chain()),
    ]
    for number in range(random_skips):
        drawn = _random_skips(architecture, chance)
        found.append(Variant(f"random skips {number + 1}", "random skips", drawn))
    changed = list(one_token_changed(architecture))
    if tokens is not None and tokens < len(changed):
        changed = chance.sample(changed, tokens)
    different: dict[ConvArchitecture, Variant] = {}
    for one in [*found, *changed]:
        different.setdefault(one.architecture, one)
    return list(different.values())


def _random_skips(architecture: ConvArchitecture, chance: Random) -> ConvArchitecture:
    layers = []
    for number, layer in enumerate(architecture.layers, 1):
        drawn = tuple(source for source in range(1, number) if chance.random() < 0.5)
        layers.append(replace(layer, inputs=drawn or (0,)))
    return replace(architecture, layers=tuple(layers))


def one_token_changed(architecture: ConvArchitecture) -> Iterator[Variant]:
    """Every network that differs in one token, in the order of the tokens."""
    space = _space_of(architecture)
    tokens = space.encode(architecture)
    for place, (position, token) in enumerate(zip(space.layout, tokens, strict=True)):
        for other, option in enumerate(position.options):
            if other == token:
                continue
            if position.kind == "skip":
                word = "reads" if option else "does not read"
                name = f"layer {position.layer} {word} layer {position.source}"
            else:
                before = position.options[token]
                what = position.name.replace("_", " ")
                name = f"layer {position.layer} {what} {before} -> {option}"
            changed = space.decode((*tokens[:place], other, *tokens[place + 1 :]))
            yield Variant(name, "one token", changed)


def _space_of(architecture: ConvArchitecture) -> ConvSpace:
    """The paper's space at this depth, wide enough to hold the network."""
    layers = [layer for layer in architecture.layers if isinstance(layer, Convolution)]
    if len(layers) < len(architecture.layers):
        raise InvalidArchitectureError(
            "Only networks of convolutions have neighbours here; this one has layers of other "
            "types."
        )
    sides = {side for layer in layers for side in (layer.filter_height, layer.filter_width)}
    strides = {step for layer in layers for step in (layer.stride_height, layer.stride_width)}
    depth = len(layers)
    return ConvSpace(
        num_layers=depth,
        max_layers=depth,
        min_layers=depth,
        filter_sizes=sorted({*SIZES, *sides}),
        filters=sorted({*FILTERS, *(layer.filters for layer in layers)}),
        strides=(1,) if strides == {1} else sorted({1, 2, 3, *strides}),
        block_size=architecture.block_size,
        pool_after=architecture.pool_after,
    )
