"""Recurrent cells as text: the tree from the root down, one line a node.

``c_t`` is marked where the new memory is taken (before the activation), ``c_{t-1}`` where the old
one is injected (after the activation).
"""

from nas_env.space.cell_architecture import CellArchitecture

_COMBINED = {"add": "{} + {}", "elem_mult": "{} * {}", "max": "max({}, {})"}


def draw_cell(cell: CellArchitecture) -> str:
    """The tree of a cell; leaves combine W_x x_t and W_h h_{t-1}."""
    root = cell.num_nodes - 1
    lines = [f"recurrent cell of base number {cell.base_number}", f"h_t = {_node(cell, root)}"]
    _add_children(cell, root, "", lines)
    return "\n".join(lines)


def _add_children(cell: CellArchitecture, node: int, indent: str, lines: list[str]) -> None:
    children = cell.children(node)
    for child in children or ():
        last = child % 2 == 1  # nodes are numbered level by level, so second children are odd
        lines.append(f"{indent}{'`-- ' if last else '|-- '}{_node(cell, child)}")
        _add_children(cell, child, indent + ("    " if last else "|   "), lines)


def _node(cell: CellArchitecture, node: int) -> str:
    combination, activation = cell.nodes[node]
    children = cell.children(node)
    names = ["W_x x_t", "W_h h_{t-1}"] if children is None else [f"a{n}" for n in children]
    inner = _COMBINED[combination].format(*names)
    if node == cell.cell_index:
        inner = f"c_t := {inner}"
    value = _applied(activation, inner)
    if node == cell.inject_index:
        combination, activation = cell.inject
        value = _applied(activation, _COMBINED[combination].format(value, "c_{t-1}"))
    return f"a{node} = {value}"


def _applied(activation: str, text: str) -> str:
    return f"({text})" if activation == "identity" else f"{activation}({text})"
