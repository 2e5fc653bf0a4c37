"""The architectures that the paper publishes (Figures 7 and 8)."""

from nas_env.space.cell_architecture import CellArchitecture
from nas_env.space.conv_architecture import ConvArchitecture, Convolution


def _cell(
    combinations: str,
    activations: str,
    inject: tuple[str, str],
    cell_index: int,
    inject_index: int,
) -> CellArchitecture:
    nodes = tuple(zip(combinations.split(), activations.split(), strict=True))
    return CellArchitecture(8, nodes, inject, cell_index, inject_index)


# Figure 8, top right; the same tree as the authors' published NASCell.
NAS_CELL = _cell(
    "add add add elem_mult add add add add  elem_mult add elem_mult add  elem_mult add  elem_mult",
    "sigmoid relu sigmoid relu tanh sigmoid tanh sigmoid  tanh tanh tanh sigmoid  identity tanh"
    " tanh",
    inject=("add", "tanh"),
    cell_index=12,
    inject_index=8,
)

# Figure 8, bottom: found with max and sin in the space; sin was not chosen.
MAX_SIN_CELL = _cell(
    "max max add add add add add max  add add add add  elem_mult elem_mult  elem_mult",
    "tanh identity tanh relu tanh identity tanh tanh  identity sigmoid sigmoid sigmoid"
    "  identity sigmoid  tanh",
    inject=("add", "identity"),
    cell_index=12,
    inject_index=0,
)


def _convolution(size: str, filters: int, *inputs: int) -> Convolution:
    height, width = size.split("x")
    return Convolution(int(height), int(width), filters, inputs=inputs)


# Figure 7: 15 layers, no strides, no pooling; 4.2M parameters, 5.50% test error in Table 1.
FIGURE_7 = ConvArchitecture(
    (
        _convolution("3x3", 36, 0),
        _convolution("3x3", 48, 1),
        _convolution("3x3", 36, 1, 2),
        _convolution("5x5", 36, 1, 2, 3),
        _convolution("3x7", 48, 3, 4),
        _convolution("7x7", 48, 2, 3, 4, 5),
        _convolution("7x7", 48, 2, 3, 4, 5, 6),
        _convolution("7x3", 36, 1, 6, 7),
        _convolution("7x1", 36, 1, 5, 6, 8),
        _convolution("7x7", 36, 1, 3, 4, 5, 6, 7, 8, 9),
        _convolution("5x7", 36, 1, 2, 5, 6, 7, 8, 9, 10),
        _convolution("7x7", 48, 1, 2, 3, 4, 6, 11),
        _convolution("7x5", 48, 1, 3, 6, 7, 8, 9, 10, 11, 12),
        _convolution("7x5", 48, 3, 7, 12, 13),
        _convolution("7x5", 48, 2, 7, 11, 12, 13, 14),
    )
)
