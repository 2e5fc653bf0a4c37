"""Recurrent cells: against ``torch.nn.LSTM`` of equal parameter count, and a naive cell.

The two take turns, one step (forward and backward over a whole sequence) each, so that a busy
machine slows both alike. The naive cell is what a reader of the paper writes first: a loop over
time, every matrix product and function of the tree as its own torch operation.
"""

import math
import statistics
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from nas_env.child.cell.recurrent_cell import RecurrentCell
from nas_env.child.cell.recurrent_layer import RecurrentLayer
from nas_env.space.cell import CellSpace
from nas_env.space.cell_architecture import CellArchitecture
from nas_env.space.published import MAX_SIN_CELL, NAS_CELL
from nas_env.system.threads import one_torch_thread
from nas_env.training.image_numerics import resolve_device
from scripts.benchmarks.measure import Clock, machine, spread


@dataclass(frozen=True)
class CellOptions:
    """Speed of recurrent cells against torch.nn.LSTM of equal parameter count."""

    hidden_sizes: tuple[int, ...] = (128, 256, 533)
    """Hidden (and input) sizes of the cells; 533 is the paper's 20M-parameter child."""
    cells: int = 20
    """Random base-8 cells, beside NASCell."""
    naive_cells: int = 2
    """Of these, how many are also run naively."""
    time: int = 35
    """Steps of a sequence."""
    batch: int = 20
    """Sequences of a batch."""
    rounds: int = 3
    """Measurements of each cell, each paired with one of the LSTM."""
    seed: int = 0
    """Of the cells and weights."""
    device: str = "auto"
    """Device: auto, cpu or cuda."""
    bfloat16: bool = False
    """Measure everything under bfloat16 autocast as well, and compare the best of each."""


Step = Callable[[], object]


def run(options: CellOptions) -> dict[str, object]:
    """Measure every hidden size on one torch thread.

    Returns:
        For each hidden size: milliseconds of a step of the LSTM and of the cells; the speed of the
        cells relative to the LSTM (1.0 is equal, more is faster), for random cells and NASCell; the
        same of the naive cell; how much longer the first step of a cell never seen before takes
        than its second.
    """
    device = resolve_device(options.device)
    space, rng = CellSpace(), np.random.default_rng(options.seed)
    cells = [NAS_CELL, *(space.decode(space.sample(rng)) for _ in range(options.cells))]
    torch.manual_seed(options.seed)
    with one_torch_thread():
        sizes = {
            str(size): _measure_size(size, cells, options, device) for size in options.hidden_sizes
        }
        return {
            "machine": machine(device),
            "torch": torch.__version__,
            "time": options.time,
            "batch": options.batch,
            "cells": options.cells,
            "hidden_size": sizes,
        }


def lstm_hidden_size(hidden_size: int, input_size: int) -> int:
    """H of the LSTM whose 4 H (input + H) + 8 H parameters are nearest to the cell's.

    A base-8 cell has 8 hidden_size (input + hidden_size).
    """
    budget = 8 * hidden_size * (input_size + hidden_size)
    linear = 4 * input_size + 8  # 4 H^2 + linear * H = budget
    return round((math.sqrt(linear**2 + 16 * budget) - linear) / 8)


def _measure_size(
    size: int, cells: list[CellArchitecture], options: CellOptions, device: torch.device
) -> dict[str, object]:
    x = torch.randn(options.time, options.batch, size, device=device, requires_grad=True)
    lstm = nn.LSTM(size, lstm_hidden_size(size, size)).to(device)
    dtypes = (torch.float32, torch.bfloat16) if options.bfloat16 else (torch.float32,)
    clock = Clock(device)
    lstm_step = _fastest(clock, [_step(lstm, x, dtype) for dtype in dtypes])
    _step(RecurrentLayer(MAX_SIN_CELL, size, size).to(device), x, torch.float32)()  # build, warm up
    first_extra, ratios, cell_s, lstm_s = [], [], [], []
    for cell in cells:
        layer = RecurrentLayer(cell, size, size).to(device)
        steps = [_step(layer, x, dtype) for dtype in dtypes]
        first, second = clock.seconds(steps[0]), clock.seconds(steps[0])
        first_extra.append(1e3 * (first - second))
        pairs = _pairs(clock, lstm_step, _fastest(clock, steps), options.rounds)
        ratios.append(statistics.median(theirs / ours for theirs, ours in pairs))
        lstm_s += [theirs for theirs, _ in pairs]
        cell_s += [ours for _, ours in pairs]
    return {
        "parameters": _parameters(layer),
        "lstm_parameters": _parameters(lstm),
        "lstm_hidden_size": lstm.hidden_size,
        "lstm_ms": spread([1e3 * value for value in lstm_s]),
        "cell_ms": spread([1e3 * value for value in cell_s]),
        "nas_cell_speed": ratios[0],
        "random_cell_speed": spread(ratios[1:]),
        "first_step_extra_ms": spread(first_extra),
        "naive_speed": _naive_speed(size, cells, options, (clock, lstm_step, x)),
    }


def _naive_speed(
    size: int,
    cells: list[CellArchitecture],
    options: CellOptions,
    against: tuple[Clock, Step, Tensor],
) -> dict[str, float] | None:
    """Speed of the naive cells relative to the LSTM; None if none are asked for."""
    clock, lstm_step, x = against
    speeds = []
    for cell in cells[: options.naive_cells]:
        step = _step(_Naive(cell, size).to(x.device), x, torch.float32)
        pairs = _pairs(clock, lstm_step, step, options.rounds)
        speeds.append(statistics.median(theirs / ours for theirs, ours in pairs))
    return spread(speeds) if speeds else None


class _Naive(nn.Module):
    """A loop over time with one torch operation for each function of the tree."""

    def __init__(self, cell: CellArchitecture, size: int) -> None:
        super().__init__()
        self.cell = RecurrentCell(cell, size, size)
        self.hidden_size = size

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        state, outputs = None, []
        for x_t in x:
            state = self.cell(x_t, state)
            outputs.append(state[0])
        return torch.stack(outputs), None


def _step(module: nn.LSTM | RecurrentLayer | _Naive, x: Tensor, dtype: torch.dtype) -> Step:
    """Forward and backward over the whole sequence, from a fixed gradient of the output."""
    grad = torch.randn(*x.shape[:2], module.hidden_size, device=x.device)
    plain = dtype == torch.float32

    def step() -> None:
        module.zero_grad()
        x.grad = None
        with nullcontext() if plain else torch.autocast(x.device.type, dtype):
            output = module(x)[0]
        output.backward(grad.to(output.dtype))

    return step


def _fastest(clock: Clock, steps: list[Step]) -> Step:
    """The quickest of several steps; each runs twice, the second time on the clock.

    A machine may lack some arithmetic (oneDNN's LSTM needs AVX-512 for bfloat16): left out.
    """
    if len(steps) == 1:
        return steps[0]
    seconds = {}
    for step in steps:
        try:
            step()
            seconds[step] = clock.seconds(step)
        except RuntimeError:
            continue
    return min(seconds, key=seconds.__getitem__)


def _pairs(clock: Clock, theirs: Step, ours: Step, rounds: int) -> list[tuple[float, float]]:
    """Seconds of both, taking turns, after one round to warm up."""
    theirs()
    ours()
    return [(clock.seconds(theirs), clock.seconds(ours)) for _ in range(rounds)]


def _parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
