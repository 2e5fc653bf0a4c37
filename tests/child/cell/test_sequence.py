"""Every backend equals a plain autograd reference, in values and gradients, for any cell."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from nas_env.child.cell.backend import SequenceBackend, TorchBackend
from nas_env.child.cell.kernel_backend import kernel_backend
from nas_env.child.cell.sequence import LayerInput, run_layer
from nas_env.space.cell import CellSpace
from nas_env.space.cell_architecture import ACTIVATIONS, COMBINATIONS, CellArchitecture
from nas_env.space.published import MAX_SIN_CELL, NAS_CELL

SPACES = {
    "base8": CellSpace(),
    "max_sin": CellSpace(8, COMBINATIONS, ACTIVATIONS),
    "base2": CellSpace(2, COMBINATIONS, ACTIVATIONS),
    "base16": CellSpace(16, COMBINATIONS, ACTIVATIONS),
}
FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    "add": lambda a, b: a + b,
    "elem_mult": lambda a, b: a * b,
    "max": torch.maximum,
    "identity": lambda a: a,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "sin": torch.sin,
}


@pytest.fixture(params=["torch", "kernel"])
def backend(request: pytest.FixtureRequest) -> SequenceBackend:
    if request.param == "torch":
        return TorchBackend()
    kernel = kernel_backend()
    if kernel is None:
        pytest.skip("needs a C++ compiler")
    return kernel


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


def reference_step(
    cell: CellArchitecture, operands: LayerInput, x: Tensor, h: Tensor, c: Tensor
) -> tuple[Tensor, Tensor]:
    """Section 3.4 as a recursion from the root down; weights one leaf at a time."""
    size = h.shape[1]
    found: dict[str, Tensor] = {}

    def value_of(node: int) -> Tensor:
        combination, activation = (FUNCTIONS[name] for name in cell.nodes[node])
        if node < cell.base_number:
            block = slice(node * size, (node + 1) * size)
            hidden = h @ operands.weight_h[:, block]
            if operands.bias is not None:
                hidden = hidden + operands.bias[block]
            combined = combination(x @ operands.weight_x[:, block], hidden)
        else:
            first = 2 * (node - cell.base_number)
            combined = combination(value_of(first), value_of(first + 1))
        if node == cell.cell_index:
            found["memory"] = combined
        value = activation(combined)
        if node == cell.inject_index:
            value = FUNCTIONS[cell.inject[1]](FUNCTIONS[cell.inject[0]](value, c))
        return value

    return value_of(2 * cell.base_number - 2), found["memory"]


def reference(
    cell: CellArchitecture, sizes: tuple[int, ...], operands: LayerInput, mask: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    hidden, memory = list(operands.hidden_0), list(operands.memory_0)
    outputs = []
    for x in torch.split(operands.x, list(sizes)):
        rows = len(x)
        entering = torch.stack(hidden[:rows])
        if mask is not None:
            entering = entering * mask[:rows]
        h, c = reference_step(cell, operands, x, entering, torch.stack(memory[:rows]))
        hidden[:rows], memory[:rows] = list(h), list(c)
        outputs.append(h)
    return torch.cat(outputs), torch.stack(hidden), torch.stack(memory)


def random_operands(
    cell: CellArchitecture,
    sizes: tuple[int, ...],
    hidden_size: int,
    bias: bool = False,
    dtype: torch.dtype = torch.float64,
) -> LayerInput:
    def normal(*shape: int, scale: float = 0.5) -> Tensor:
        return (scale * torch.randn(*shape, dtype=torch.float64)).to(dtype).requires_grad_()

    width, batch = cell.base_number * hidden_size, sizes[0]
    return LayerInput(
        x=normal(sum(sizes), 3, scale=1.0),
        hidden_0=normal(batch, hidden_size),
        memory_0=normal(batch, hidden_size),
        weight_x=normal(3, width),
        weight_h=normal(hidden_size, width, scale=hidden_size**-0.5),
        bias=normal(width) if bias else None,
    )


def gradients(outputs: tuple[Tensor, ...], operands: LayerInput) -> list[Tensor]:
    """Of a fixed random projection of all outputs, with respect to every operand."""
    generator = torch.Generator().manual_seed(1)
    total = torch.zeros((), dtype=outputs[0].dtype)
    for output in outputs:
        weights = torch.randn(output.shape, dtype=torch.float64, generator=generator)
        total = total + (output * weights.to(output.dtype)).sum()
    wanted = [value for value in vars(operands).values() if value is not None]
    return list(torch.autograd.grad(total, wanted, materialize_grads=True))


def check_against_reference(
    cell: CellArchitecture,
    backend: SequenceBackend,
    sizes: tuple[int, ...] = (3, 3, 3, 3),
    hidden_size: int = 5,
    bias: bool = False,
    mask: Tensor | None = None,
) -> None:
    operands = random_operands(cell, sizes, hidden_size, bias)
    expected = reference(cell, sizes, operands, mask)
    outputs = run_layer(cell, sizes, operands, mask, backend)
    everything = zip(
        [*outputs, *gradients(outputs, operands)],
        [*expected, *gradients(expected, operands)],
        strict=True,
    )
    for found, wanted in everything:
        torch.testing.assert_close(found, wanted, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("space", SPACES)
def test_random_cells_equal_the_reference(space: str, backend: SequenceBackend) -> None:
    rng = np.random.default_rng(0)
    count = 30 if space in ("base8", "max_sin") and backend.name == "kernel" else 8
    for _ in range(count):
        check_against_reference(SPACES[space].decode(SPACES[space].sample(rng)), backend)


@pytest.mark.slow
@pytest.mark.parametrize("space", SPACES)
def test_300_random_cells_equal_the_reference(space: str, backend: SequenceBackend) -> None:
    rng = np.random.default_rng(1)
    for index in range(300):
        cell = SPACES[space].decode(SPACES[space].sample(rng))
        check_against_reference(cell, backend, hidden_size=(3, 17, 40)[index % 3])


# Around the kernel's block of 128 elements, its panels of columns and its tiles of rows.
@pytest.mark.parametrize("hidden_size", [1, 16, 23, 128, 150])
@pytest.mark.parametrize("batch", [1, 4, 7])
def test_every_size_equals_the_reference(
    hidden_size: int, batch: int, backend: SequenceBackend
) -> None:
    for cell in (NAS_CELL, MAX_SIN_CELL):
        check_against_reference(cell, backend, (batch,) * 3, hidden_size)


@pytest.mark.parametrize(
    "cell", [NAS_CELL, MAX_SIN_CELL, SPACES["base2"].decode([0, 1] * 4 + [2, 2])]
)
def test_lengths_bias_and_mask_equal_the_reference(
    cell: CellArchitecture, backend: SequenceBackend
) -> None:
    mask = torch.bernoulli(torch.full((4, 5), 0.7, dtype=torch.float64)) / 0.7
    for sizes in ((4, 4, 4), (4, 3, 3, 1)):
        check_against_reference(cell, backend, sizes, bias=True)
        check_against_reference(cell, backend, sizes, bias=True, mask=mask)


def test_cells_whose_leaves_only_add_take_the_compact_path_correctly(
    backend: SequenceBackend,
) -> None:
    rng = np.random.default_rng(2)
    for _ in range(10):
        tokens = list(SPACES["max_sin"].sample(rng))
        tokens[:16:2] = [0] * 8
        check_against_reference(SPACES["max_sin"].decode(tokens), backend, bias=True)


def test_gradcheck_on_random_cells(backend: SequenceBackend) -> None:
    space = CellSpace(4, ("add", "elem_mult"), ("identity", "tanh", "sigmoid", "sin"))
    rng = np.random.default_rng(3)
    for _ in range(5 if backend.name == "torch" else 20):
        cell = space.decode(space.sample(rng))
        operands = random_operands(cell, (2, 1), 2, bias=True)

        def run(*values: Tensor, cell: CellArchitecture = cell) -> tuple[Tensor, ...]:
            return run_layer(cell, (2, 1), LayerInput(*values), None, backend)

        assert torch.autograd.gradcheck(run, tuple(vars(operands).values()))


def test_float32_is_as_accurate_as_torch() -> None:
    kernel = kernel_backend()
    if kernel is None:
        pytest.skip("needs a C++ compiler")
    rng = np.random.default_rng(4)
    for _ in range(20):
        cell = SPACES["base8"].decode(SPACES["base8"].sample(rng))
        single = random_operands(cell, (3,) * 4, 40, dtype=torch.float32)
        double = LayerInput(
            *(
                None if v is None else v.detach().double().requires_grad_()
                for v in vars(single).values()
            )  # type: ignore[arg-type]
        )
        exact = run_layer(cell, (3,) * 4, double, None, TorchBackend())
        exact_gradients = gradients(exact, double)
        errors = {}
        for name, backend in (("torch", TorchBackend()), ("kernel", kernel)):
            outputs = run_layer(cell, (3,) * 4, single, None, backend)
            pairs = zip(
                [*outputs, *gradients(outputs, single)],
                [*exact, *exact_gradients],
                strict=True,
            )
            errors[name] = max(
                ((found - wanted).abs().max() / (1 + wanted.abs().max())).item()
                for found, wanted in pairs
            )
        assert errors["kernel"] < 4 * errors["torch"] + 1e-6


def test_the_compiled_tree_between_bfloat16_products_equals_torch() -> None:
    compiled = kernel_backend(torch.bfloat16)
    if compiled is None:
        pytest.skip("needs a C++ compiler")
    rng, sizes = np.random.default_rng(5), (4, 3, 3, 1)
    mask = torch.bernoulli(torch.full((4, 20), 0.7)) / 0.7
    for _ in range(10):
        cell = SPACES["max_sin"].decode(SPACES["max_sin"].sample(rng))
        operands = random_operands(cell, sizes, 20, bias=True, dtype=torch.float32)
        found = []
        for backend in (compiled, TorchBackend()):
            with torch.autocast("cpu", torch.bfloat16):
                outputs = run_layer(cell, sizes, operands, mask, backend)
            found.append([*outputs, *gradients(outputs, operands)])
        for ours, wanted in zip(*found, strict=True):
            # A rounding to bfloat16 may fall the other way: 2^-8 of the largest value.
            limit = 0.01 * (1 + wanted.abs().max().item())
            torch.testing.assert_close(ours, wanted, atol=limit, rtol=0)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "sin"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 4e-7), (torch.float64, 1e-14)])
def test_functions_are_accurate_over_their_whole_range(
    activation: str, dtype: torch.dtype, tolerance: float, backend: SequenceBackend
) -> None:
    cell = CellArchitecture(
        2,
        (("add", activation), ("add", "identity"), ("add", "identity")),
        ("add", "identity"),
        1,
        1,
    )
    small = torch.logspace(-30, 4, 2016, dtype=torch.float64)
    values = torch.cat([-small, small, torch.linspace(-30, 30, 2016)]).to(dtype).view(-1, 126)
    rows, width = values.shape
    zeros = torch.zeros(rows, width, dtype=dtype)
    operands = LayerInput(
        x=values,
        hidden_0=zeros,
        memory_0=zeros,
        weight_x=torch.eye(width, 2 * width, dtype=dtype),  # leaf 0 is x, leaf 1 is zero
        weight_h=torch.zeros(width, 2 * width, dtype=dtype),
        bias=None,
    )
    output, _, _ = run_layer(cell, (rows,), operands, None, backend)
    expected = FUNCTIONS[activation](values.double())
    torch.testing.assert_close(output.double(), expected, atol=tolerance, rtol=tolerance)


def test_exploding_cells_give_the_reference_infinities(backend: SequenceBackend) -> None:
    product = ("elem_mult", "identity")
    cell = CellArchitecture(8, (product,) * 15, product, 14, 14)
    operands = random_operands(cell, (2,) * 6, 5)
    with torch.no_grad():
        operands.weight_h.mul_(1e6)
    outputs = run_layer(cell, (2,) * 6, operands, None, backend)
    expected = reference(cell, (2,) * 6, operands, None)
    assert not torch.isfinite(outputs[0][-2:]).any()
    torch.testing.assert_close(outputs[0].isfinite(), expected[0].isfinite())
    (gradient,) = torch.autograd.grad(outputs[0].sum(), operands.weight_h)
    assert not torch.isfinite(gradient).all()


@pytest.mark.parametrize(
    "functions", [("max", "relu"), ("max", "sin"), ("add", "tanh"), ("elem_mult", "sigmoid")]
)
def test_nan_is_never_hidden(functions: tuple[str, str], backend: SequenceBackend) -> None:
    cell = CellArchitecture(2, (functions,) * 3, functions, 2, 0)
    for field in ("x", "hidden_0", "memory_0"):
        operands = random_operands(cell, (2, 2), 5)
        with torch.no_grad():
            getattr(operands, field).fill_(torch.nan)
        output, _, _ = run_layer(cell, (2, 2), operands, None, backend)
        assert output.isnan().all()


def test_results_do_not_depend_on_the_number_of_threads(backend: SequenceBackend) -> None:
    operands = random_operands(NAS_CELL, (5,) * 3, 70, dtype=torch.float32)
    expected = run_layer(NAS_CELL, (5,) * 3, operands, None, backend)
    torch.set_num_threads(2)
    for found, wanted in zip(
        run_layer(NAS_CELL, (5,) * 3, operands, None, backend), expected, strict=True
    ):
        torch.testing.assert_close(found, wanted)


def test_inputs_and_saved_values_survive_two_backward_passes(backend: SequenceBackend) -> None:
    operands = random_operands(NAS_CELL, (3,) * 3, 5)
    outputs = run_layer(NAS_CELL, (3,) * 3, operands, None, backend)
    total = outputs[0].sum() + outputs[2].sum()
    first = torch.autograd.grad(total, operands.weight_h, retain_graph=True)[0]
    assert torch.equal(torch.autograd.grad(total, operands.weight_h)[0], first)
