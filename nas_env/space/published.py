"""The architectures that the paper publishes (Figures 7 and 8)."""

from nas_env.space.cell_architecture import CellArchitecture


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
