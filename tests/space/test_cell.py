"""The cell space has the paper's size and token order."""

import numpy as np
import pytest

from nas_env.errors import ConfigurationError, InvalidArchitectureError, InvalidTokenError
from nas_env.space.cell import CellSpace
from nas_env.space.cell_architecture import ACTIVATIONS, COMBINATIONS, CellArchitecture
from nas_env.space.published import MAX_SIN_CELL, NAS_CELL

MAX_SIN = CellSpace(8, COMBINATIONS, ACTIVATIONS)


def test_sizes_are_the_papers() -> None:
    assert CellSpace().size == 63_331_869_759_897_600
    assert MAX_SIN.size == 15**16 * 15**2
    assert CellSpace(2).size == 8**4 * 3**2


def test_tokens_come_in_the_order_of_figure_5() -> None:
    space = CellSpace(2)
    names = [position.name for position in space.layout]
    assert names == ["combination", "activation"] * 3 + [
        "inject_combination",
        "inject_activation",
        "cell_index",
        "inject_index",
    ]
    assert [position.layer for position in space.layout] == [1, 1, 2, 2, 3, 3, 0, 0, 0, 0]
    # Add Tanh | ElemMult ReLU | ElemMult Sigmoid | Add ReLU | 1 0
    cell = space.decode([0, 1, 1, 3, 1, 2, 0, 3, 1, 0])
    assert cell == CellArchitecture(
        base_number=2,
        nodes=(("add", "tanh"), ("elem_mult", "relu"), ("elem_mult", "sigmoid")),
        inject=("add", "relu"),
        cell_index=1,
        inject_index=0,
    )


def test_published_cells_are_in_their_spaces() -> None:
    assert CellSpace().decode(CellSpace().encode(NAS_CELL)) == NAS_CELL
    assert MAX_SIN.decode(MAX_SIN.encode(MAX_SIN_CELL)) == MAX_SIN_CELL
    assert CellSpace().length() == 34


@pytest.mark.parametrize("base_number", [2, 4, 8, 16])
def test_random_tokens_decode_and_encode_back(base_number: int) -> None:
    space = CellSpace(base_number, COMBINATIONS, ACTIVATIONS)
    rng = np.random.default_rng(0)
    for _ in range(100):
        tokens = space.sample(rng)
        assert space.encode(space.decode(tokens)) == tokens


@pytest.mark.slow
@pytest.mark.parametrize("space", [CellSpace(), MAX_SIN])
def test_100_000_random_sequences_decode_and_encode_back(space: CellSpace) -> None:
    rng = np.random.default_rng(0)
    sizes = [len(position.options) for position in space.layout]
    for tokens in rng.integers(0, sizes, (100_000, len(sizes))).tolist():
        assert space.encode(space.decode(tokens)) == tuple(tokens)


@pytest.mark.parametrize("base_number", [0, 1, 3, 6, 128, 8.0, True, "8"])
def test_base_numbers_that_are_not_powers_of_two_are_refused(base_number: int) -> None:
    with pytest.raises(ConfigurationError, match="power of two"):
        CellSpace(base_number)


def test_unknown_functions_are_refused_with_the_near_miss() -> None:
    with pytest.raises(ConfigurationError, match=r"'mult'.* Did you mean 'elem_mult'"):
        CellSpace(combinations=("add", "mult"))
    with pytest.raises(ConfigurationError, match=r"'sigmoidd'.* Did you mean 'sigmoid'"):
        CellSpace(activations=("sigmoidd",))


@pytest.mark.parametrize("names", [(), "add", ("add", "add")])
def test_empty_or_repeated_function_lists_are_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError, match="combinations is"):
        CellSpace(combinations=names)


def test_invalid_tokens_are_refused_with_their_position() -> None:
    tokens = list(CellSpace().encode(NAS_CELL))
    with pytest.raises(InvalidTokenError, match="34 tokens, got 33"):
        CellSpace().decode(tokens[:-1])
    with pytest.raises(InvalidTokenError, match=r"position 33 .inject_index"):
        CellSpace().decode([*tokens[:-1], 15])


def test_cells_outside_the_space_are_refused_with_the_reason() -> None:
    with pytest.raises(InvalidArchitectureError, match="'max', which is not in"):
        CellSpace().encode(MAX_SIN_CELL)
    with pytest.raises(InvalidArchitectureError, match="base number 8, this space 4"):
        CellSpace(4).encode(NAS_CELL)
    with pytest.raises(ConfigurationError, match="leave num_layers out"):
        CellSpace().length(6)
