"""ConvArchitecture: wiring, and fields checked by name."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from nas_env.errors import InvalidArchitectureError
from nas_env.space.conv_architecture import (
    BatchNormalisation,
    ConvArchitecture,
    Convolution,
    LocalContrastNormalisation,
    Pooling,
)

# Unchecked by mypy: for arguments of wrong types.
CONVOLUTION: Any = Convolution
POOLING: Any = Pooling
CONTRAST: Any = LocalContrastNormalisation
BATCH_NORM: Any = BatchNormalisation
ARCHITECTURE: Any = ConvArchitecture

LAYERS = (
    Convolution(3, 3, 24),
    Convolution(1, 5, 36, inputs=(1,)),
    Pooling("max", 2, 2, inputs=(1,)),
    Convolution(7, 7, 48, inputs=(1, 3)),
)


def test_layers_that_nothing_reads_are_the_outputs() -> None:
    assert ConvArchitecture(LAYERS).outputs == (2, 4)
    assert ConvArchitecture((Convolution(1, 1, 1),) * 3).outputs == (1, 2, 3)


def test_dense_reads_all_earlier_layers_and_chain_the_last_one() -> None:
    architecture = ConvArchitecture(LAYERS, block_size=3, pool_after=(2,))
    dense, chain = architecture.dense(), architecture.chain()
    assert [layer.inputs for layer in dense.layers] == [(0,), (1,), (1, 2), (1, 2, 3)]
    assert [layer.inputs for layer in chain.layers] == [(0,), (1,), (2,), (3,)]
    assert dense.outputs == chain.outputs == (4,)
    assert (dense.block_size, dense.pool_after) == (3, (2,))


def test_more_filters_go_to_every_convolution_and_nothing_else() -> None:
    wider = ConvArchitecture(LAYERS, learning_rate=0.1).with_more_filters(40)
    assert [getattr(layer, "filters", None) for layer in wider.layers] == [64, 76, None, 88]
    assert [layer.inputs for layer in wider.layers] == [layer.inputs for layer in LAYERS]
    assert wider.learning_rate == 0.1


def test_a_narrower_copy_has_a_share_of_the_filters_and_is_otherwise_the_same() -> None:
    wide = ConvArchitecture((*LAYERS, Convolution(1, 1, 1, inputs=(4,))), 3, pool_after=(1,))
    narrow = wide.narrower(0.4)
    assert [x.filters for x in narrow.layers if isinstance(x, Convolution)] == [10, 14, 19, 1]
    assert wide.narrower(1.0) == wide
    widths = iter([24, 36, 48, 1])
    back = tuple(
        replace(layer, filters=next(widths)) if isinstance(layer, Convolution) else layer
        for layer in narrow.layers
    )
    assert replace(narrow, layers=back) == wide


def test_needed_after_lists_what_later_layers_and_the_classifier_read() -> None:
    architecture = ConvArchitecture(LAYERS)
    assert [architecture.needed_after(n) for n in (1, 2, 3, 4)] == [(1,), (1, 2), (1, 2, 3), (2, 4)]
    assert ConvArchitecture((Convolution(1, 1, 1),) * 2).needed_after(1) == (0, 1)


def test_every_layer_reaches_the_classifier_so_the_canonical_form_is_itself() -> None:
    architecture = ConvArchitecture(LAYERS)
    assert architecture.canonical() == architecture
    reached = set(architecture.outputs)
    for number in range(len(LAYERS), 0, -1):
        assert number in reached
        reached |= set(architecture.layers[number - 1].inputs)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: CONVOLUTION(0, 3, 24), "Convolution.filter_height is 0"),
        (lambda: CONVOLUTION(3, True, 24), "Convolution.filter_width is True"),
        (lambda: CONVOLUTION(3, 3, 24.0), "Convolution.filters is 24.0"),
        (lambda: CONVOLUTION(3, 3, 24, 0), "Convolution.stride_height is 0"),
        (lambda: POOLING("median", 2, 2), "Pooling.operation is 'median'.*max.*average"),
        (lambda: POOLING([], 2, 2), r"Pooling.operation is \[\]"),
        (lambda: POOLING("max", 2, -1), "Pooling.stride is -1"),
        (lambda: CONTRAST(4), "window is 4.*odd"),
        (lambda: BATCH_NORM(0.0), "epsilon is 0.0"),
        (lambda: BATCH_NORM("1e-5"), "epsilon is '1e-5'"),
        (lambda: ARCHITECTURE(()), "layers is empty"),
        (lambda: ARCHITECTURE(("conv",)), "Layer 1 is 'conv'"),
        (lambda: ARCHITECTURE((Convolution(1, 1, 1, inputs=()),)), "Layer 1 has no inputs"),
        (lambda: ARCHITECTURE((Convolution(1, 1, 1, inputs=(1,)),)), "inputs of layer 1.*0..0"),
        (lambda: ARCHITECTURE((*LAYERS, Pooling("max", 2, 2, (3, 1)))), "layer 5.*ascending"),
        (lambda: ARCHITECTURE((*LAYERS, Pooling("max", 2, 2, (1, 1)))), "layer 5.*repeats"),
        (lambda: ARCHITECTURE((*LAYERS, Pooling("max", 2, 2, (-1,)))), "layer 5.*0..4"),
        (lambda: ARCHITECTURE((*LAYERS, POOLING("max", 2, 2, [1]))), "tuple of integers"),
        (lambda: ARCHITECTURE(LAYERS, block_size=0), "block_size is 0"),
        (lambda: ARCHITECTURE(LAYERS, block_size=10**6), "block_size is 1000000.*at most 64"),
        (lambda: ARCHITECTURE(LAYERS[:1] * 10**6), "1,000,000 entries; at most 256"),
        (lambda: CONVOLUTION(3, 3, 10**30), "filters is 1000000.*at most 100,000"),
        (lambda: CONVOLUTION(3, 3, 10**5000), "filters is a value of type int that cannot"),
        (lambda: BATCH_NORM(10**400), "epsilon is 1000.*at most 1,000,000"),
        (lambda: ARCHITECTURE(LAYERS, pool_after=(4,)), "pool_after.*1..3"),
        (lambda: ARCHITECTURE(LAYERS, batch_norm=1), "batch_norm is 1"),
        (lambda: ARCHITECTURE(LAYERS, learning_rate=float("nan")), "learning_rate is nan"),
        (lambda: ARCHITECTURE(LAYERS, learning_rate=0), "learning_rate is 0"),
    ],
)
def test_a_field_that_cannot_be_built_is_named(build: Callable[[], Any], message: str) -> None:
    with pytest.raises(InvalidArchitectureError, match=message):
        build()
