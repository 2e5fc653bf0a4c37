"""A cell means what the paper's figures draw, and bad cells are refused clearly."""

import json
from typing import Any

import numpy as np
import pytest

from nas_env.errors import InvalidArchitectureError
from nas_env.space.cell import CellSpace
from nas_env.space.cell_architecture import CellArchitecture
from nas_env.space.published import MAX_SIN_CELL, NAS_CELL

FIGURE_5 = CellArchitecture(
    base_number=2,
    nodes=(("add", "tanh"), ("elem_mult", "relu"), ("elem_mult", "sigmoid")),
    inject=("add", "relu"),
    cell_index=1,
    inject_index=0,
)


def json_with(**changes: Any) -> dict[str, Any]:
    return {**FIGURE_5.to_json(), **changes}


def test_figure_5_has_the_equations_of_section_3_4() -> None:
    assert FIGURE_5.equations() == (
        "a0 = tanh(W_x0 x + W_h0 h)",
        "a0' = relu(a0 + c)",
        "c_t = W_x1 x * W_h1 h",
        "a1 = relu(c_t)",
        "a2 = sigmoid(a0' * a1)",
        "h_t = a2",
    )


def test_nas_cell_reads_and_writes_its_memory_as_figure_8_draws() -> None:
    equations = NAS_CELL.equations()
    for line in ("a8 = tanh(a0 * a1)", "a8' = tanh(a8 + c)", "c_t = a8' * a9", "a12 = c_t"):
        assert line in equations
    assert equations[-2:] == ("a14 = tanh(a12 * a13)", "h_t = a14")


def test_max_sin_cell_uses_max_and_no_sin() -> None:
    assert {name for name, _ in MAX_SIN_CELL.nodes} == {"add", "elem_mult", "max"}
    assert "sin" not in {name for _, name in MAX_SIN_CELL.nodes}
    assert "a0' = a0 + c" in MAX_SIN_CELL.equations()


def test_injection_at_the_root_makes_the_injected_value_the_output() -> None:
    cell = CellArchitecture(2, FIGURE_5.nodes, ("add", "relu"), 2, 2)
    assert cell.equations()[-3:] == ("a2 = sigmoid(c_t)", "a2' = relu(a2 + c)", "h_t = a2'")


@pytest.mark.parametrize("cell", [FIGURE_5, NAS_CELL, MAX_SIN_CELL])
def test_json_reads_back_to_the_same_cell(cell: CellArchitecture) -> None:
    assert CellArchitecture.from_json(json.loads(json.dumps(cell.to_json()))) == cell


def swap(cell: CellArchitecture, node: int) -> CellArchitecture:
    """The same cell with the two subtrees under ``node`` exchanged."""
    renamed = {index: index for index in range(cell.num_nodes)}
    left, right = cell.children(node) or (0, 0)
    lefts, rights = [left], [right]
    while lefts:
        renamed.update(zip(lefts, rights, strict=True))
        renamed.update(zip(rights, lefts, strict=True))
        lefts = [child for index in lefts for child in cell.children(index) or ()]
        rights = [child for index in rights for child in cell.children(index) or ()]
    return CellArchitecture(
        base_number=cell.base_number,
        nodes=tuple(cell.nodes[renamed[index]] for index in range(cell.num_nodes)),
        inject=cell.inject,
        cell_index=renamed[cell.cell_index],
        inject_index=renamed[cell.inject_index],
    )


@pytest.mark.parametrize("base_number", [2, 4, 8, 16])
def test_swapped_subtrees_have_one_canonical_form(base_number: int) -> None:
    rng = np.random.default_rng(base_number)
    space = CellSpace(base_number, ("add", "elem_mult", "max"), ("tanh", "relu", "sin"))
    for _ in range(50):
        cell = space.decode(space.sample(rng))
        swapped = cell
        for node in rng.integers(base_number, 2 * base_number - 1, size=6).tolist():
            swapped = swap(swapped, node)
        assert swapped.canonical() == cell.canonical()
        assert cell.canonical().canonical() == cell.canonical()


def test_cells_that_differ_in_one_place_keep_different_canonical_forms() -> None:
    cells = {FIGURE_5.canonical()}
    for changes in (
        {"cell_index": 0},
        {"inject_index": 1},
        {"inject": ["add", "tanh"]},
        {"nodes": [["add", "relu"], ["elem_mult", "tanh"], ["elem_mult", "sigmoid"]]},
    ):
        cells.add(CellArchitecture.from_json(json_with(**changes)).canonical())
    assert len(cells) == 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base_number": 3}, "power of two"),
        ({"base_number": 8.0}, "power of two"),
        ({"base_number": 4}, "has 7 nodes .* got 3 nodes"),
        ({"nodes": "tanh"}, "got 'tanh'"),
        ({"nodes": [["add"], ["add", "tanh"], ["add", "tanh"]]}, r"nodes\[0\] is \['add'\]"),
        ({"nodes": [["add", "tahn"]] * 3}, "activation of nodes.* Did you mean 'tanh'"),
        ({"inject": ["elemmult", "tanh"]}, "combination of inject .* Did you mean 'elem_mult'"),
        ({"cell_index": 3}, "cell_index is 3; .* nodes 0 to 2"),
        ({"inject_index": -1}, "inject_index is -1"),
        ({"inject_index": True}, "inject_index is True"),
        ({"depth": 2}, "unknown: depth"),
        ({"kind": "conv"}, "kind 'cell'"),
    ],
)
def test_invalid_fields_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArchitectureError, match=message):
        CellArchitecture.from_json(json_with(**changes))


def test_missing_fields_are_named() -> None:
    with pytest.raises(InvalidArchitectureError, match="missing: nodes, inject, cell_index"):
        CellArchitecture.from_json({"kind": "cell", "base_number": 2, "inject_index": 0})
