"""The promises that every search space keeps, on spaces of every family."""

import itertools
import pickle
from collections.abc import Sequence
from dataclasses import astuple
from typing import Any

import numpy as np
import pytest

from nas_env.child.conv.cost import conv_cost
from nas_env.errors import ConfigurationError, InvalidTokenError
from nas_env.space.choices import ChoiceSpace
from nas_env.space.conv import ConvSpace
from nas_env.space.conv_architecture import ConvArchitecture
from nas_env.space.layer_types import LayerTypesSpace
from nas_env.space.layout import SearchSpace

AnySpace = SearchSpace[Any]
POOLING: dict[str, Any] = {
    "num_layers": 13,
    "max_layers": 13,
    "block_size": 3,
    "pool_after": (4, 8),
}
SPACES: dict[str, AnySpace] = {
    "conv": ConvSpace(),
    "strides": ConvSpace(strides=(1, 2, 3)),
    "pooling": ConvSpace(**POOLING, filters=(6, 12, 24, 36)),
    "chain": ConvSpace(skip_connections=False),
    "layer_types": LayerTypesSpace(),
    "choices": ChoiceSpace({"width": [16, 32, 64], "activation": ["relu", "tanh"], "rate": [0.1]}),
}
SMALL: dict[str, AnySpace] = {
    "conv": ConvSpace(3, 3, filter_sizes=(1, 3), filters=(4,)),
    "strides": ConvSpace(2, 2, filter_sizes=(3,), filters=(4, 8), strides=(1, 2)),
    "chain": ConvSpace(3, 3, filter_sizes=(1, 3), filters=(4, 8), skip_connections=False),
    "blocks": ConvSpace(2, 3, filter_sizes=(1, 3), filters=(4, 8), block_size=2, pool_after=(1,)),
    "layer_types": LayerTypesSpace(
        2, 2, filter_sizes=(1, 3), filters=(4,), windows=(3, 5), learning_rates=(0.1, 0.2)
    ),
    "choices": ChoiceSpace({"a": [1, 2, 3], "b": ["x", "y"]}),
}


@pytest.fixture(params=SPACES)
def space(request: pytest.FixtureRequest) -> AnySpace:
    """One space of every family."""
    return SPACES[request.param]


def valid_sequences(space: AnySpace) -> list[tuple[int, ...]]:
    """Every sequence that the masks allow, by extending prefixes."""
    prefixes: list[tuple[int, ...]] = [()]
    for index in range(space.length()):
        extended = []
        for prefix in prefixes:
            row = np.zeros((1, len(space.layout)), np.int64)
            row[0, :index] = prefix
            mask = space.masks(row, np.array([index]))[0]
            extended += [(*prefix, int(token)) for token in np.flatnonzero(mask)]
        prefixes = extended
    return prefixes


def check_sequences(space: AnySpace, count: int, num_layers: int) -> None:
    """Random sequences decode, encode back to the same tokens, and cost something sane."""
    batch = space.sample_batch(np.random.default_rng(num_layers), count, num_layers)
    for row in batch[:, : space.length(num_layers)].tolist():
        architecture = space.decode(row)
        assert space.encode(architecture) == tuple(row)
        if isinstance(architecture, ConvArchitecture):
            cost = conv_cost(architecture)
            # Poolings and normalisations pass all their input channels on, so 20 layers can be big.
            limits = (50e6, 50e9, 50e6) if num_layers < 20 else (1e9, 1e12, 1e10)
            for value, limit in zip(astuple(cost), limits, strict=True):
                assert 10 < value < limit


@pytest.mark.parametrize("name", SMALL)
def test_size_counts_the_architectures_one_by_one(name: str) -> None:
    space = SMALL[name]
    sequences = valid_sequences(space)
    architectures = {space.decode(tokens) for tokens in sequences}
    assert len(sequences) == len(architectures) == space.size
    assert type(space.size) is int


def test_2000_random_sequences_decode_and_encode_back(space: AnySpace) -> None:
    for num_layers in (space.min_layers, space.max_layers):
        check_sequences(space, 200, num_layers)
    check_sequences(space, 1_600, space.num_layers)


@pytest.mark.slow
def test_100000_random_sequences_decode_and_encode_back(space: AnySpace) -> None:
    check_sequences(space, 100_000, space.num_layers)


def test_samples_obey_the_masks_and_reach_every_option(space: AnySpace) -> None:
    batch = space.sample_batch(np.random.default_rng(3), 500)  # (count, layout)
    for index in range(space.length()):
        masks = space.masks(batch, np.full(len(batch), index))
        assert masks[np.arange(len(batch)), batch[:, index]].all()
        assert set(batch[:, index].tolist()) == set(range(len(space.layout[index].options)))
    assert not batch[:, space.length() :].any()


def test_sampling_repeats_with_the_generators_seed(space: AnySpace) -> None:
    first, second = (space.sample(np.random.default_rng(7)) for _ in range(2))
    assert first == second
    assert len(first) == space.length()


def test_masks_are_fresh_arrays(space: AnySpace) -> None:
    tokens, positions = np.zeros((1, len(space.layout)), np.int64), np.array([0])
    space.masks(tokens, positions)[:] = False
    assert space.masks(tokens, positions).any()


def test_layout_positions_keep_their_meaning_at_every_depth(space: AnySpace) -> None:
    assert len(space.layout) == space.length(space.max_layers)
    for num_layers in range(space.min_layers, space.max_layers):
        end = space.length(num_layers)
        assert all(position.layer <= num_layers for position in space.layout[:end])
        assert all(position.layer > num_layers for position in space.layout[end:])


def test_spaces_and_architectures_survive_pickling(space: AnySpace) -> None:
    tokens = space.sample(np.random.default_rng(0))
    copy = pickle.loads(pickle.dumps(space))
    assert copy.layout == space.layout
    assert pickle.loads(pickle.dumps(space.decode(tokens))) == copy.decode(tokens)


@pytest.mark.parametrize("bad", [-1, 4, 2**40, 2**70, 0.5, "1", None])
def test_a_bad_token_is_named_with_the_valid_ones(bad: object) -> None:
    space = ConvSpace(2)
    tokens = [0, bad, 0, 0, 0, 0, 0]
    with pytest.raises(InvalidTokenError) as caught:
        space.decode(tokens)  # type: ignore[arg-type]
    assert str(bad) in str(caught.value)


def test_the_error_of_a_masked_token_says_where_and_what_is_allowed() -> None:
    with pytest.raises(
        InvalidTokenError, match=r"Token 2 .* position 6 \(skip of layer 2\).*0 \(0\)"
    ):
        ConvSpace(2).decode([0, 0, 0, 0, 0, 0, 2])


@pytest.mark.parametrize("tokens", [(), (0,) * 5, (0,) * 10_000])
def test_a_sequence_of_wrong_length_lists_the_lengths(tokens: Sequence[int]) -> None:
    with pytest.raises(InvalidTokenError, match="1: 3, 2: 7, 3: 12"):
        ConvSpace(2).decode(tokens)


def test_size_at_another_depth_is_refused_where_there_is_none() -> None:
    assert ConvSpace().size_at(15) == 64**15 * 2**105
    assert ChoiceSpace({"a": [1, 2]}).size_at(1) == 2
    for space, depth in itertools.product((ConvSpace(), ChoiceSpace({"a": [1]})), (0, 21, -1)):
        with pytest.raises(ConfigurationError):
            space.size_at(depth)  # type: ignore[attr-defined]
