from typing import Any

import numpy as np
import pytest

from nas_env import ChoiceSpace, published
from nas_env.rendering.table import in_words
from nas_env.space.cell import CellSpace
from nas_env.space.conv import ConvSpace
from nas_env.space.layer_types import LayerTypesSpace
from nas_env.space.layout import Architecture, SearchSpace
from nas_env.tasks.drawing import draw_text, draw_tokens

FIGURE_7 = """\
15 layers
                                                 1
         layer  size  filters  stride  0123456789012345  inputs
 1        conv   3x3       36     1x1  o                 image
 2        conv   3x3       48     1x1  .o                1
 3        conv   3x3       36     1x1  .oo               1, 2
 4        conv   5x5       36     1x1  .ooo              1-3
 5        conv   3x7       48     1x1  ...oo             3, 4
 6        conv   7x7       48     1x1  ..oooo            2-5
 7        conv   7x7       48     1x1  ..ooooo           2-6
 8        conv   7x3       36     1x1  .o....oo          1, 6, 7
 9        conv   7x1       36     1x1  .o...oo.o         1, 5, 6, 8
10        conv   7x7       36     1x1  .o.ooooooo        1, 3-9
11        conv   5x7       36     1x1  .oo..oooooo       1, 2, 5-10
12        conv   7x7       48     1x1  .oooo.o....o      1-4, 6, 11
13        conv   7x5       48     1x1  .o.o..ooooooo     1, 3, 6-12
14        conv   7x5       48     1x1  ...o...o....oo    3, 7, 12, 13
15        conv   7x5       48     1x1  ..o....o...oooo   2, 7, 11-14
    classifier                         ...............o  15"""

NAS_CELL = """\
recurrent cell of base number 8
h_t = a14 = tanh(a12 * a13)
|-- a12 = (c_t := a8 * a9)
|   |-- a8 = tanh(tanh(a0 * a1) + c_{t-1})
|   |   |-- a0 = sigmoid(W_x x_t + W_h h_{t-1})
|   |   `-- a1 = relu(W_x x_t + W_h h_{t-1})
|   `-- a9 = tanh(a2 + a3)
|       |-- a2 = sigmoid(W_x x_t + W_h h_{t-1})
|       `-- a3 = relu(W_x x_t * W_h h_{t-1})
`-- a13 = tanh(a10 + a11)
    |-- a10 = tanh(a4 * a5)
    |   |-- a4 = tanh(W_x x_t + W_h h_{t-1})
    |   `-- a5 = sigmoid(W_x x_t + W_h h_{t-1})
    `-- a11 = sigmoid(a6 + a7)
        |-- a6 = tanh(W_x x_t + W_h h_{t-1})
        `-- a7 = sigmoid(W_x x_t + W_h h_{t-1})"""


@pytest.mark.parametrize(
    ("architecture", "drawing"),
    [(published.FIGURE_7, FIGURE_7), (published.NAS_CELL, NAS_CELL)],
)
def test_the_papers_networks_are_drawn_as_in_the_paper(
    architecture: Architecture, drawing: str
) -> None:
    assert draw_text(architecture) == drawing


def test_what_is_not_chosen_yet_is_shown_as_open() -> None:
    tokens = [0, 1, 2, 3, 0, 1, 1, 2, 2]
    assert draw_tokens(ConvSpace(), tokens, 3).splitlines() == [
        "9 of 12 tokens chosen",
        "   layer  size  filters  stride  012  inputs",
        "1   conv   1x3       48          o    image",
        "2   conv   7x1       36          .o   1",
        "3   conv   5x5        ?          .??",
    ]


def test_a_layer_that_chose_no_input_is_shown_with_the_image() -> None:
    lines = draw_tokens(ConvSpace(), [0, 0, 0, 1, 1, 1, 0], 3).splitlines()
    assert lines[3].split()[-2:] == ["o.", "image"]


def test_layers_without_skip_decisions_read_the_one_before() -> None:
    lines = draw_tokens(ConvSpace(skip_connections=False), [0], 2).splitlines()
    assert lines[2].split()[-2:] == ["o", "image"] and lines[3].split()[-2:] == [".o", "1"]


def test_choices_of_the_whole_network_stand_in_the_title() -> None:
    space = LayerTypesSpace(num_layers=2)
    assert draw_tokens(space, [2], 2).startswith("1 of 18 tokens chosen, learning_rate 0.1\n")
    tokens = [2, *[1, 0, 0, 0, 1, 1, 0, 0], *[3, 0, 0, 0, 0, 0, 2, 0, 1]]
    assert draw_tokens(space, tokens, 2).splitlines() == [
        "2 layers, learning rate 0.1",
        "           layer  size  filters  stride  012  inputs",
        "1       max pool   3x3              2x2  o    image",
        "2  contrast norm   7x7                   .o   1",
        "      classifier                         ..o  2",
    ]


def test_poolings_between_blocks_have_their_own_line() -> None:
    space = ConvSpace(5, 5, block_size=3, pool_after=(4,))
    lines = draw_tokens(space, [0] * space.length(), 5).splitlines()
    assert lines[0] == "5 blocks of 3 densely connected convolutions (15 layers)"
    assert lines[6].split() == ["max", "pool", "2x2", "2x2"]


def test_named_choices_are_drawn_one_a_line() -> None:
    space = ChoiceSpace({"width": [8, 16], "activation": ["relu", "tanh"]})
    assert draw_tokens(space, [1], 1) == "     width: 16\nactivation: ?"
    assert draw_tokens(space, [1, 0], 1) == "width: 16\nactivation: relu"


@pytest.mark.parametrize(
    "space", [ConvSpace(39, 39, strides=(1, 2)), LayerTypesSpace(20), CellSpace(8), CellSpace(2)]
)
def test_every_prefix_is_drawn_in_plain_ascii_that_fits_a_wide_terminal(
    space: SearchSpace[Any],
) -> None:
    tokens = space.sample(np.random.default_rng(0))
    for length in range(0, len(tokens) + 1, 7):
        drawing = draw_tokens(space, tokens[:length], space.num_layers)
        assert drawing.isascii()
        assert max(map(len, drawing.splitlines())) <= 160
        assert all(line == line.rstrip() for line in drawing.splitlines())


@pytest.mark.parametrize(
    ("layers", "words"),
    [([], ""), ([0], "image"), ([0, 1, 2], "image, 1, 2"), ([0, 1, 2, 3, 5], "image, 1-3, 5")],
)
def test_inputs_in_words(layers: list[int], words: str) -> None:
    assert in_words(layers) == words
