"""Architectures as JSON: nothing lost, every mistake named."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_env.child.conv.cost import conv_cost
from nas_env.errors import InvalidArchitectureError
from nas_env.evaluation.seeding import architecture_key
from nas_env.space.architecture_json import (
    MOST_BYTES,
    architecture_from_json,
    load_architecture,
)
from nas_env.space.conv_architecture import (
    BatchNormalisation,
    ConvArchitecture,
    Convolution,
    Layer,
    LocalContrastNormalisation,
    Pooling,
)
from nas_env.space.published import FIGURE_7, MAX_SIN_CELL, NAS_CELL
from nas_env.tasks.drawing import draw_text

SIDES = st.integers(1, 9)


@st.composite
def architectures(draw: st.DrawFn) -> ConvArchitecture:
    """Any convolutional architecture, in and out of the published spaces."""
    layers: list[Layer] = []
    for number in range(1, draw(st.integers(1, 6)) + 1):
        sources = st.sets(st.integers(0, number - 1), min_size=1)
        inputs = tuple(sorted(draw(sources)))
        layer = st.one_of(
            st.builds(Convolution, SIDES, SIDES, SIDES, SIDES, SIDES, st.just(inputs)),
            st.builds(Pooling, st.sampled_from(["max", "average"]), SIDES, SIDES, st.just(inputs)),
            st.builds(LocalContrastNormalisation, st.sampled_from([1, 3, 5, 7]), st.just(inputs)),
            st.builds(BatchNormalisation, st.floats(1e-9, 1.0), st.just(inputs)),
        )
        layers.append(draw(layer))
    pools = draw(st.sets(st.integers(1, len(layers) - 1))) if len(layers) > 1 else set()
    return ConvArchitecture(
        tuple(layers),
        block_size=draw(st.integers(1, 3)),
        pool_after=tuple(sorted(pools)),
        batch_norm=draw(st.booleans()),
        learning_rate=draw(st.none() | st.floats(1e-6, 10.0)),
    )


@given(architectures())
def test_json_brings_every_architecture_back(architecture: ConvArchitecture) -> None:
    text = json.dumps(architecture.to_json(), allow_nan=False)
    assert architecture_from_json(json.loads(text)) == architecture


@pytest.mark.parametrize("architecture", [FIGURE_7, NAS_CELL, MAX_SIN_CELL])
def test_published_architectures_survive_a_file(architecture: Any, tmp_path: Path) -> None:
    path = tmp_path / "architecture.json"
    path.write_text(json.dumps(architecture.to_json()))
    assert load_architecture(path) == architecture


def test_stored_keys_of_convolutional_architectures_stay_readable() -> None:
    # Results on disk are found by this string: changing it orphans them.
    architecture = ConvArchitecture((Convolution(3, 5, 24), Pooling("max", 2, 2, (1,))), 3, (1,))
    assert architecture_key(architecture) == (
        '{"block_size":3,"kind":"conv","layers":[{"filter_height":3,"filter_width":5,"filters":24,'
        '"inputs":[0],"type":"convolution"},{"inputs":[1],"operation":"max","size":2,"stride":2,'
        '"type":"pooling"}],"pool_after":[1]}'
    )


def test_a_hand_written_network_may_list_inputs_in_any_order_and_leave_defaults_out() -> None:
    layer = {"type": "convolution", "filter_height": 3, "filter_width": 3, "filters": 8}
    data = {"kind": "conv", "layers": [layer, layer, {**layer, "inputs": [2, 1]}]}
    decoded = architecture_from_json(data)
    assert isinstance(decoded, ConvArchitecture)
    assert [item.inputs for item in decoded.layers] == [(0,), (0,), (1, 2)]


CONV = {"type": "convolution", "filter_height": 3, "filter_width": 3, "filters": 8}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], r"JSON object with a 'kind', got \[\]"),
        ({}, "'kind' is None; allowed: 'conv', 'cell', 'choice'"),
        ({"kind": ["conv"]}, "'kind' is "),
        ({"kind": "conv"}, r"no \['layers'\]"),
        ({"kind": "conv", "layers": {}}, "'layers' is {}; it must be a list"),
        ({"kind": "conv", "layers": []}, "layers is empty"),
        ({"kind": "conv", "layers": [3]}, "Layer 1 is 3"),
        ({"kind": "conv", "layers": [{"type": "conv"}]}, "Layer 1 has type 'conv'; allowed: conv"),
        ({"kind": "conv", "layers": [{"type": []}]}, "Layer 1 has type "),
        ({"kind": "conv", "layers": [CONV, {**CONV, "size": 3}]}, r"Layer 2 .*unknown.*'size'"),
        ({"kind": "conv", "layers": [{"type": "pooling", "size": 2}]}, r"no \['operation', 'str"),
        ({"kind": "conv", "layers": [{**CONV, "filters": "8"}]}, "Layer 1: .*filters is '8'"),
        ({"kind": "conv", "layers": [{**CONV, "inputs": 0}]}, "Layer 1's 'inputs' is 0"),
        ({"kind": "conv", "layers": [{**CONV, "inputs": [1]}]}, "inputs of layer 1"),
        ({"kind": "conv", "layers": [CONV], "pool_after": [None]}, "'pool_after' is"),
        ({"kind": "conv", "layers": [CONV], "depth": 1}, "unknown fields"),
    ],
)
def test_a_mistake_in_the_json_is_named(data: Any, message: str) -> None:
    with pytest.raises(InvalidArchitectureError, match=message):
        architecture_from_json(data)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"\xff\xfe\x00", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"kind": "tree"}', "'kind' is 'tree'"),
    ],
)
def test_a_damaged_file_is_named(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "damaged.json"
    path.write_bytes(content)
    with pytest.raises(InvalidArchitectureError, match=message) as caught:
        load_architecture(path)
    assert str(path) in str(caught.value)


def conv(layers: str, more: str = "") -> str:
    return f'{{"kind": "conv", "layers": {layers}{more}}}'


def pooling(more: str) -> str:
    return conv(f'[{{"type": "pooling", "operation": "max", "size": 2.0, {more}}}]')


ZEROS, DEEP = "[" + "0," * 10**6 + "0]", "[" * 10**5 + "]" * 10**5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (conv("[]", ', "block_size": 1000000'), "layers is empty"),
        (conv(f"[{json.dumps(CONV)}]", ', "block_size": 1000000'), "at most 64"),
        (conv(ZEROS), "1,000,001 entries"),
        (conv("[" * 900 + "1" + "]" * 900), r"Layer 1 is .{,210}; it"),
        (conv(DEEP), "nested too deeply"),
        (pooling('"stride": 1'), "size is 2.0"),
        (pooling('"stride": NaN'), "NaN is no JSON number"),
        (pooling('"stride": 1, "stride": 2'), "'stride' stands twice"),
        (conv("[]", f', "learning_rate": {"9" * 5000}'), "digits"),
        ('{"kind": "choice", "choices": {"a": 1e999}}', "finite number"),
        (json.dumps({"kind": "z" * 10**6}), "'kind' is 'zzz"),
        (json.dumps({"kind": "cell", **{f"{n}": 0 for n in range(10**5)}}), "unknown: "),
        (conv("[]", f', "{"z" * 10**6}": 0'), "unknown fields"),
        (json.dumps({"kind": "choice", "choices": {"a": [0] * 10**6}}), "finite number"),
        ("[" + "0," * 5_000_000 + "0]", "at most 8,388,608 are read"),
    ],
    ids=range(15),
)
def test_a_hostile_file_is_refused_in_one_short_message_and_in_little_time(
    content: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "hostile.json"
    path.write_text(content)
    started = time.process_time()
    with pytest.raises(InvalidArchitectureError, match=message) as caught:
        load_architecture(path)
    assert time.process_time() - started < 5  # a second, on a quiet machine
    assert len(str(caught.value)) < 1000 and str(path) in str(caught.value)


def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    for path in (tmp_path / "pipe.json", Path("/dev/zero")):
        with pytest.raises(InvalidArchitectureError, match=r"Cannot read .* not a file"):
            load_architecture(path)
    (tmp_path / "huge.json").touch()
    os.truncate(tmp_path / "huge.json", 10**8)
    with pytest.raises(InvalidArchitectureError, match="100,000,000 bytes; at most"):
        load_architecture(tmp_path / "huge.json")


def test_the_largest_networks_that_can_be_are_costed_and_drawn_in_time() -> None:
    layers = tuple(
        Convolution(1000, 1000, 100_000, inputs=tuple(range(number))) for number in range(1, 257)
    )
    network = ConvArchitecture(layers, block_size=64, pool_after=tuple(range(1, 256)))
    started = time.process_time()
    assert conv_cost(network).parameters > 10**18
    assert draw_text(network)
    assert time.process_time() - started < 20  # two seconds, on a quiet machine
    assert len(json.dumps(network.to_json())) < MOST_BYTES


def test_a_missing_file_or_a_folder_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.json", tmp_path):
        with pytest.raises(InvalidArchitectureError, match="Cannot read"):
            load_architecture(path)
