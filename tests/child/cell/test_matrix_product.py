import pytest
import torch
from torch import Tensor

from nas_env.child.cell.kernel_build import load_kernel
from nas_env.child.cell.matrix_product import MIN_ROWS, packed_product, product

SHAPES = [(1, 1, 1), (7, 5, 47), (64, 48, 96), (65, 700, 130), (400, 200, 1001)]
needs_kernel = pytest.mark.skipif(load_kernel() is None, reason="no C++ compiler")


def operands(
    shape: tuple[int, int, int], a_transposed: bool, b_transposed: bool
) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    rows, depth, columns = shape
    a = torch.randn(depth, rows).t() if a_transposed else torch.randn(rows, depth)
    b = torch.randn(columns, depth).t() if b_transposed else torch.randn(depth, columns)
    return a, b


@needs_kernel
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("a_transposed", [False, True])
@pytest.mark.parametrize("b_transposed", [False, True])
def test_the_kernel_multiplies_matrices_of_any_size_and_order(
    shape: tuple[int, int, int], a_transposed: bool, b_transposed: bool
) -> None:
    a, b = operands(shape, a_transposed, b_transposed)
    exact = a.double() @ b.double()
    bound = 1e-6 * (a.double().abs() @ b.double().abs())  # rounding grows with what is summed
    assert ((packed_product(a, b).double() - exact).abs() <= bound).all()


@needs_kernel
def test_operands_that_are_windows_into_larger_tensors_are_read_right() -> None:
    whole = torch.randn(200, 90)
    a, b = whole[20:120, 3:53], whole[:100:2, ::3]
    torch.testing.assert_close(packed_product(a, b), a @ b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("rows", [3, MIN_ROWS])
def test_every_dtype_and_number_of_rows_has_a_product(dtype: torch.dtype, rows: int) -> None:
    a, b = torch.randn(rows, 20, dtype=dtype), torch.randn(20, 30, dtype=dtype)
    found = product(a, b)
    assert found.dtype == dtype
    torch.testing.assert_close(found, a @ b, rtol=1e-2, atol=1e-2)


@needs_kernel
def test_what_is_not_a_number_stays_so() -> None:
    a, b = operands((70, 33, 50), False, False)
    a[5, 7] = float("nan")
    found = packed_product(a, b)
    assert found[5].isnan().all()
    assert not found[4].isnan().any()
