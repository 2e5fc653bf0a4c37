"""The architectures that the paper prints."""

from nas_env.child.conv.cost import conv_cost
from nas_env.space.published import FIGURE_7


def test_figure_7_has_the_parameters_of_table_1() -> None:
    cost = conv_cost(FIGURE_7)
    assert cost.parameters == 4_201_630  # Table 1: 4.2M
    assert round(cost.macs / 1e9, 2) == 4.30
    assert FIGURE_7.outputs == (15,)


def test_figure_7_with_other_wiring_has_the_known_sizes() -> None:
    assert conv_cost(FIGURE_7.dense()).parameters == 6_630_910
    assert conv_cost(FIGURE_7.chain()).parameters == 809_134
