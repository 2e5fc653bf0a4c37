"""A recurrent cell computes what its tree says, to the published figures."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch import Tensor

from nas_env.child.cell.recurrent_cell import RecurrentCell
from nas_env.errors import ConfigurationError
from nas_env.space.cell import CellSpace
from nas_env.space.cell_architecture import ACTIVATIONS, COMBINATIONS, CellArchitecture
from nas_env.space.published import NAS_CELL

FIGURE_5 = CellArchitecture(
    base_number=2,
    nodes=(("add", "tanh"), ("elem_mult", "relu"), ("elem_mult", "sigmoid")),
    inject=("add", "relu"),
    cell_index=1,
    inject_index=0,
)


@pytest.mark.parametrize(
    ("x", "hidden", "memory"),
    [
        (1.0, 0.5767508, 0.7157977),
        (2.0, 0.6189358, 0.7804164),
        (3.0, 0.6273934, 0.7945765),
    ],
)
def test_nas_cell_gives_the_published_values(x: float, hidden: float, memory: float) -> None:
    cell = RecurrentCell(NAS_CELL, input_size=4, hidden_size=6)
    torch.nn.init.constant_(cell.weight_x, 0.5)
    torch.nn.init.constant_(cell.weight_h, 0.5)
    state = (torch.full((1, 6), 0.1), torch.full((1, 6), 0.1))
    new_hidden, new_memory = cell(torch.full((1, 4), x), state)
    torch.testing.assert_close(new_hidden, torch.full((1, 6), hidden), atol=1e-6, rtol=0)
    torch.testing.assert_close(new_memory, torch.full((1, 6), memory), atol=1e-6, rtol=0)


def test_figure_5_is_computed_equation_by_equation() -> None:
    torch.manual_seed(0)
    cell = RecurrentCell(FIGURE_5, 4, 3, dtype=torch.float64)
    x, h, c = (torch.randn(5, size, dtype=torch.float64) for size in (4, 3, 3))
    w1, w3 = cell.weight_x[:, :3], cell.weight_x[:, 3:]
    w2, w4 = cell.weight_h[:, :3], cell.weight_h[:, 3:]
    a0 = torch.tanh(x @ w1 + h @ w2)
    a0_new = torch.relu(a0 + c)
    c_t = (x @ w3) * (h @ w4)
    a1 = torch.relu(c_t)
    a2 = torch.sigmoid(a0_new * a1)
    hidden, memory = cell(x, (h, c))
    torch.testing.assert_close(hidden, a2)
    torch.testing.assert_close(memory, c_t)


@pytest.mark.parametrize("hidden_size", [1, 6])
def test_a_layer_has_8_h_times_in_plus_h_parameters(hidden_size: int) -> None:
    for cell in (NAS_CELL, CellSpace().decode(CellSpace().sample(np.random.default_rng(0)))):
        module = RecurrentCell(cell, 4, hidden_size)
        total = sum(parameter.numel() for parameter in module.parameters())
        assert total == 8 * hidden_size * (4 + hidden_size)


def test_bias_is_one_vector_on_the_h_side() -> None:
    cell = RecurrentCell(FIGURE_5, 4, 3, bias=True)
    torch.nn.init.zeros_(cell.weight_h)
    assert cell.bias is not None and cell.bias.shape == (6,)
    x = torch.randn(2, 4)
    # Leaf 1 multiplies W_x x with W_h h + b, and is what c_t reads.
    expected = (x @ cell.weight_x)[:, 3:] * cell.bias[3:]
    torch.testing.assert_close(cell(x)[1], expected)


def test_unbatched_step_equals_a_batch_of_one() -> None:
    cell = RecurrentCell(NAS_CELL, 4, 6)
    x = torch.randn(4)
    torch.testing.assert_close(cell(x)[0], cell(x[None])[0][0])


def test_state_dict_pickle_and_deepcopy_keep_the_cell() -> None:
    cell = RecurrentCell(NAS_CELL, 4, 6)
    assert list(cell.state_dict()) == ["weight_x", "weight_h"]
    x = torch.randn(2, 4)
    for copied in (copy.deepcopy(cell), pickle.loads(pickle.dumps(cell))):
        assert torch.equal(copied(x)[0], cell(x)[0])
    other = RecurrentCell(NAS_CELL, 4, 6)
    other.load_state_dict(cell.state_dict())
    assert torch.equal(other(x)[1], cell(x)[1])


def test_gradients_are_those_of_finite_differences() -> None:
    cell = RecurrentCell(NAS_CELL, 2, 3, dtype=torch.float64)
    x, h, c = (torch.randn(2, n, dtype=torch.float64, requires_grad=True) for n in (2, 3, 3))

    def step(x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        hidden, memory = cell(x, (h, c))
        return hidden, memory

    assert torch.autograd.gradcheck(step, (x, h, c))


def test_exploding_cells_give_inf_or_nan_without_a_crash() -> None:
    nodes = (("elem_mult", "identity"),) * 15
    cell = RecurrentCell(CellArchitecture(8, nodes, ("elem_mult", "identity"), 14, 14), 4, 6)
    torch.nn.init.constant_(cell.weight_x, 50.0)
    torch.nn.init.constant_(cell.weight_h, 50.0)
    state = (torch.ones(1, 6), torch.ones(1, 6))
    for _ in range(3):
        state = cell(torch.ones(1, 4), state)
    assert not torch.isfinite(state[0]).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((NAS_CELL, 0, 6), "input_size is 0"),
        ((NAS_CELL, 4, 2.5), "hidden_size is 2.5"),
        (("NAS_CELL", 4, 6), "architecture is a str"),
    ],
)
def test_bad_arguments_are_refused(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        RecurrentCell(*arguments)  # type: ignore[arg-type]


def test_wrong_shapes_are_refused_with_both_shapes() -> None:
    cell = RecurrentCell(NAS_CELL, 4, 6)
    with pytest.raises(ConfigurationError, match=r"\(batch, 4\).* got \(2, 5\)"):
        cell(torch.zeros(2, 5))
    with pytest.raises(ConfigurationError, match=r"c of shape \(2, 6\), got \(3, 6\)"):
        cell(torch.zeros(2, 4), (torch.zeros(2, 6), torch.zeros(3, 6)))


@pytest.mark.parametrize("base_number", [2, 4, 8, 16])
def test_every_base_number_and_function_runs(base_number: int) -> None:
    space = CellSpace(base_number, COMBINATIONS, ACTIVATIONS)
    rng = np.random.default_rng(0)
    for _ in range(5):
        cell = RecurrentCell(space.decode(space.sample(rng)), 4, 6)
        hidden, memory = cell(torch.randn(2, 4))
        assert hidden.shape == memory.shape == (2, 6)
