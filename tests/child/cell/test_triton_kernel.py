# mypy: disable-error-code="import-untyped"
"""The Triton kernel computes what plain torch does: interpreted anywhere, compiled on a GPU."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from nas_env.child.cell.recurrent_layer import RecurrentLayer
from nas_env.child.cell.sequence import triton_backend
from nas_env.space.cell import CellSpace
from nas_env.space.cell_architecture import ACTIVATIONS, COMBINATIONS

pytest.importorskip("triton")

INTERPRETED = """
import sys
import numpy as np, torch
from nas_env.child.cell.backend import TorchBackend
from nas_env.child.cell.sequence import LayerInput, run_layer
from nas_env.child.cell.triton_kernel import TritonBackend
from nas_env.space.cell import CellSpace
from nas_env.space.cell_architecture import ACTIVATIONS, COMBINATIONS

torch.manual_seed(0)
rng = np.random.default_rng(0)
for index in range(int(sys.argv[1])):
    space = CellSpace((2, 4, 8, 16)[index % 4], COMBINATIONS, ACTIVATIONS)
    cell, hidden, sizes = space.decode(space.sample(rng)), (5, 37)[index % 2], (4, 4, 2)
    width = cell.base_number * hidden
    shapes = (10, 7), (4, hidden), (4, hidden), (7, width), (hidden, width), (width,)
    operands = [(0.4 * torch.randn(s, dtype=torch.float64)).requires_grad_() for s in shapes]
    found = []
    for backend in (TorchBackend(), TritonBackend()):
        outputs = run_layer(cell, sizes, LayerInput(*operands), None, backend)
        total = sum((output * output).sum() for output in outputs)
        found.append([*outputs, *torch.autograd.grad(total, operands)])
    for wanted, ours in zip(*found, strict=True):
        torch.testing.assert_close(ours, wanted, atol=1e-9, rtol=1e-9)
print("equal")
"""


@pytest.mark.slow
def test_the_interpreted_kernel_equals_torch() -> None:
    environment = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", INTERPRETED, "16"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "equal", done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("leaves", [2, 8])
def test_the_kernels_compile_for_a_gpu_that_is_not_there(leaves: int) -> None:
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from nas_env.child.cell import triton_kernel as cell_triton

    constants = {"LEAVES": leaves, "LEVELS": leaves.bit_length(), "BLOCK": cell_triton.BLOCK}
    kinds = {"program": "*i32", "elements": "i32", "hidden": "i32"}
    kinds |= dict.fromkeys(constants, "constexpr")
    for kernel in (cell_triton._forward_kernel, cell_triton._backward_kernel):
        signature = {name: kinds.get(name, "*fp32") for name in kernel.arg_names}
        source = ASTSource(fn=kernel, signature=signature, constexprs=constants)
        compiled = triton.compile(source, target=GPUTarget("cuda", 80, 32))
        assert ".visible .entry" in compiled.asm["ptx"]


@pytest.mark.gpu
@pytest.mark.parametrize("base_number", [2, 8, 16])
def test_a_layer_on_the_gpu_equals_the_cpu(base_number: int) -> None:
    assert triton_backend() is not None
    space = CellSpace(base_number, COMBINATIONS, ACTIVATIONS)
    rng = np.random.default_rng(0)
    for _ in range(10):
        cell = space.decode(space.sample(rng))
        layer = RecurrentLayer(cell, 7, 37, num_layers=2, bias=True, dtype=torch.float64)
        x = torch.randn(6, 5, 7, dtype=torch.float64)
        expected, state = layer(x)
        wanted = torch.autograd.grad(expected.sum() + state[1].sum(), list(layer.parameters()))
        layer = layer.cuda()
        output, state = layer(x.cuda())
        found = torch.autograd.grad(output.sum() + state[1].sum(), list(layer.parameters()))
        torch.testing.assert_close(output.cpu(), expected, atol=1e-9, rtol=1e-9)
        for ours, theirs in zip(found, wanted, strict=True):
            torch.testing.assert_close(ours.cpu(), theirs, atol=1e-9, rtol=1e-9)


@pytest.mark.gpu
def test_bfloat16_autocast_runs_on_the_gpu() -> None:
    layer = RecurrentLayer(CellSpace().decode([0, 1] * 16 + [14, 7]), 32, 32).cuda()
    x = torch.randn(5, 3, 32, device="cuda")
    expected = layer(x)[0]
    with torch.autocast("cuda", torch.bfloat16):
        output = layer(x)[0]
    torch.testing.assert_close(output, expected, atol=0.05, rtol=0.05)
    output.sum().backward()
