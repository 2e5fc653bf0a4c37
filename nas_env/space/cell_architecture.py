"""The decoded recurrent cell: a binary tree of element-wise functions (paper, section 3.4).

A cell of base number N has leaves 0..N-1 and inner nodes N..2N-2, numbered level by level: inner
node N+j combines nodes 2j and 2j+1, and the root 2N-2 is h_t. Leaf k computes
``a_k = act_k(comb_k(W_x^k x_t, W_h^k h_{t-1}))``; an inner node has no parameters. The memory is
read where the *inject* node stands, ``a_j <- act(comb(a_j, c_{t-1}))``, and written from the
*pre-activation* of the cell node, so both may be any node of the tree.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nas_env.checks import listed, near_miss, shown
from nas_env.errors import InvalidArchitectureError
from nas_env.space.layout import Architecture

COMBINATIONS = ("add", "elem_mult", "max")
ACTIVATIONS = ("identity", "tanh", "sigmoid", "relu", "sin")
LARGEST_BASE_NUMBER = 64

NodeFunctions = tuple[str, str]
"""(combination, activation) of one node."""

_Key = tuple[Any, ...]
_FIELDS = ("base_number", "nodes", "inject", "cell_index", "inject_index")
_SYMBOLS = {"add": "{} + {}", "elem_mult": "{} * {}", "max": "max({}, {})"}


@dataclass(frozen=True)
class CellArchitecture(Architecture):
    """One recurrent cell.

    Attributes:
        base_number: number of leaves, a power of two from 2 to 64 (8 in the paper).
        nodes: (combination, activation) of each of the ``2 * base_number - 1`` nodes, leaves first.
        inject: (combination, activation) that bring c_{t-1} into the tree ("cell inject").
        cell_index: the node whose pre-activation becomes c_t.
        inject_index: the node whose activation c_{t-1} is injected into.

    Raises:
        InvalidArchitectureError: a field out of range, or an unknown function.
    """

    base_number: int
    nodes: tuple[NodeFunctions, ...]
    inject: NodeFunctions
    cell_index: int
    inject_index: int

    def __post_init__(self) -> None:
        """Turn lists into tuples and check every field."""
        check_base_number(self.base_number, InvalidArchitectureError)
        nodes = self.nodes
        if not isinstance(nodes, (list, tuple)) or len(nodes) != self.num_nodes:
            found = f"{len(nodes)} nodes" if isinstance(nodes, (list, tuple)) else shown(nodes)
            raise InvalidArchitectureError(
                f"A cell of base number {self.base_number} has {self.num_nodes} nodes "
                f"(2 * base_number - 1), each a pair [combination, activation]; got {found}."
            )
        pairs = tuple(_pair(f"nodes[{index}]", node) for index, node in enumerate(nodes))
        object.__setattr__(self, "nodes", pairs)
        object.__setattr__(self, "inject", _pair("inject", self.inject))
        for name in ("cell_index", "inject_index"):
            self._check_index(name, getattr(self, name))

    def _check_index(self, name: str, value: object) -> None:
        if type(value) is not int or not 0 <= value < self.num_nodes:
            raise InvalidArchitectureError(
                f"{name} is {shown(value)}; a cell of base number {self.base_number} has nodes 0 "
                f"to {self.num_nodes - 1} (leaves first, the root last)."
            )

    @property
    def num_nodes(self) -> int:
        """Leaves and inner nodes together."""
        return 2 * self.base_number - 1

    def children(self, node: int) -> tuple[int, int] | None:
        """The two nodes that ``node`` combines; None for a leaf."""
        if node < self.base_number:
            return None
        first = 2 * (node - self.base_number)
        return first, first + 1

    def equations(self) -> tuple[str, ...]:
        """The cell in plain text, one equation a line, in the order they are computed.

        ``x`` is the input, ``h`` the previous output, ``c`` the previous memory, ``h_t`` and
        ``c_t`` the new ones.
        """
        lines: list[str] = []
        names = [f"a{node}" for node in range(self.num_nodes)]
        for node, (combination, activation) in enumerate(self.nodes):
            below = self.children(node)
            left, right = (
                (f"W_x{node} x", f"W_h{node} h")
                if below is None
                else (names[below[0]], names[below[1]])
            )
            combined = _SYMBOLS[combination].format(left, right)
            if node == self.cell_index:
                lines.append(f"c_t = {combined}")
                combined = "c_t"
            lines.append(f"a{node} = {_applied(activation, combined)}")
            if node == self.inject_index:
                names[node] = f"a{node}'"
                injected = _SYMBOLS[self.inject[0]].format(f"a{node}", "c")
                lines.append(f"{names[node]} = {_applied(self.inject[1], injected)}")
        return (*lines, f"h_t = {names[-1]}")

    def __str__(self) -> str:
        return "\n".join(self.equations())

    def canonical(self) -> "CellArchitecture":
        """The cell with the children of every node in one order.

        Add, element-wise product and max are commutative, so swapping the two subtrees under a node
        only renames weights; the indices of the cell and inject nodes follow their nodes.
        """
        order = self._sorted_nodes()
        moved = {old: new for new, old in enumerate(order)}
        return CellArchitecture(
            base_number=self.base_number,
            nodes=tuple(self.nodes[old] for old in order),
            inject=self.inject,
            cell_index=moved[self.cell_index],
            inject_index=moved[self.inject_index],
        )

    def _sorted_nodes(self) -> list[int]:
        """Old node numbers in canonical order: entry n is the node that becomes node n."""
        keys: list[_Key] = []
        for node, functions in enumerate(self.nodes):
            below = self.children(node)
            subtrees = () if below is None else tuple(sorted(keys[child] for child in below))
            marks = (node == self.cell_index, node == self.inject_index)
            keys.append((*functions, *marks, *subtrees))
        level, levels = [self.num_nodes - 1], []
        while True:
            levels.append(level)
            pairs = [self.children(node) for node in level]
            if pairs[0] is None:
                break
            level = [
                child for pair in pairs if pair for child in sorted(pair, key=keys.__getitem__)
            ]
        return [node for level in reversed(levels) for node in level]

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict of kind ``"cell"``."""
        return {
            "kind": "cell",
            "base_number": self.base_number,
            "nodes": [list(node) for node in self.nodes],
            "inject": list(self.inject),
            "cell_index": self.cell_index,
            "inject_index": self.inject_index,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "CellArchitecture":
        """Read back what ``to_json`` wrote, or a hand-written dict of the same fields.

        Raises:
            InvalidArchitectureError: a missing, unknown or invalid field.
        """
        if not isinstance(value, Mapping) or value.get("kind") != "cell":
            raise InvalidArchitectureError(
                f"Expected a JSON object of kind 'cell' with the fields {', '.join(_FIELDS)}, "
                f"got {shown(value)}."
            )
        missing = [name for name in _FIELDS if name not in value]
        unknown = [str(name) for name in value if name not in (*_FIELDS, "kind")]
        if missing or unknown:
            raise InvalidArchitectureError(
                f"A cell has the fields {', '.join(_FIELDS)}; "
                f"missing: {', '.join(missing) or 'none'}, unknown: {listed(unknown) or 'none'}."
            )
        return cls(**{name: value[name] for name in _FIELDS})


def check_base_number(value: object, error: type[Exception]) -> None:
    """Raise ``error`` unless ``value`` is a power of two from 2 to 64."""
    valid = type(value) is int and 2 <= value <= LARGEST_BASE_NUMBER and value & (value - 1) == 0
    if not valid:
        raise error(
            f"base_number is {shown(value)}; a cell's tree is a full binary tree, so it must be a "
            f"power of two from 2 to {LARGEST_BASE_NUMBER} (8 in the paper)."
        )


def check_function(where: str, name: object, known: tuple[str, ...], error: type[Exception]) -> str:
    """``name`` if it is one of ``known``; otherwise raise ``error`` with the near miss."""
    if isinstance(name, str) and name in known:
        return name
    raise error(f"{where} is {shown(name)}; allowed: {', '.join(known)}.{near_miss(name, known)}")


def _pair(where: str, value: object) -> NodeFunctions:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise InvalidArchitectureError(
            f"{where} is {shown(value)}; it must be a pair [combination, activation], such as "
            "['add', 'tanh']."
        )
    combination, activation = value
    return (
        check_function(
            f"The combination of {where}", combination, COMBINATIONS, InvalidArchitectureError
        ),
        check_function(
            f"The activation of {where}", activation, ACTIVATIONS, InvalidArchitectureError
        ),
    )


def _applied(activation: str, argument: str) -> str:
    return argument if activation == "identity" else f"{activation}({argument})"
