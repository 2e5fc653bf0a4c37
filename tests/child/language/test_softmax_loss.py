import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from nas_env.child.language.softmax_loss import softmax_loss


def operands(dtype: torch.dtype, size: int = 300) -> tuple[list[Tensor], Tensor]:
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(40, 16, dtype=dtype, generator=generator, requires_grad=True)
    weight = torch.randn(size, 16, dtype=dtype, generator=generator, requires_grad=True)
    bias = torch.randn(size, dtype=dtype, generator=generator, requires_grad=True)
    return [hidden, weight, bias], torch.randint(size, (40,), generator=generator)


def test_gradients_are_those_of_finite_differences() -> None:
    inputs, targets = operands(torch.float64, size=7)
    assert torch.autograd.gradcheck(lambda h, w, b: softmax_loss(h, w, b, targets), inputs)


@pytest.mark.parametrize("scale", [1.0, 0.05])
def test_loss_and_gradients_equal_cross_entropy(scale: float) -> None:
    inputs, targets = operands(torch.float64)
    found = softmax_loss(inputs[0], inputs[1], inputs[2], targets)
    expected = F.cross_entropy(F.linear(inputs[0], inputs[1], inputs[2]), targets, reduction="sum")
    torch.testing.assert_close(found.double(), expected, rtol=1e-6, atol=0)
    gradients = torch.autograd.grad(scale * found, inputs)
    for mine, theirs in zip(gradients, torch.autograd.grad(scale * expected, inputs), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-6, atol=1e-9)


def test_an_impossible_token_has_a_finite_loss_and_the_exact_gradient() -> None:
    hidden = torch.tensor([[1000.0]], requires_grad=True)
    weight, bias = torch.tensor([[1.0], [-1.0]]), torch.zeros(2)
    loss = softmax_loss(hidden, weight, bias, torch.tensor([1]))
    (gradient,) = torch.autograd.grad(loss, hidden)
    assert 80 < loss.item() < 90
    assert gradient.item() == 2.0


def test_not_a_number_stays_not_a_number() -> None:
    (hidden, weight, bias), targets = operands(torch.float32)
    with torch.no_grad():
        hidden[3, 3] = float("nan")
    assert softmax_loss(hidden, weight, bias, targets).isnan()


def test_under_autocast_products_are_bfloat16_and_gradients_stay_float32() -> None:
    inputs, targets = operands(torch.float32)
    exact = torch.autograd.grad(softmax_loss(inputs[0], inputs[1], inputs[2], targets), inputs)
    with torch.autocast("cpu", torch.bfloat16):
        loss = softmax_loss(inputs[0], inputs[1], inputs[2], targets)
    assert loss.dtype == torch.float32
    for found, expected in zip(torch.autograd.grad(loss, inputs), exact, strict=True):
        assert found.dtype == torch.float32
        assert (found - expected).norm() < 0.03 * expected.norm()
