"""The search space of recurrent cells (paper, section 3.4; sizes in section 4.2)."""

from collections.abc import Sequence

from nas_env.errors import ConfigurationError, InvalidArchitectureError
from nas_env.space.cell_architecture import (
    ACTIVATIONS,
    COMBINATIONS,
    CellArchitecture,
    check_base_number,
    check_function,
)
from nas_env.space.layout import Layout, Position, SearchSpace


class CellSpace(SearchSpace[CellArchitecture]):
    """All cells of one base number over a set of combinations and activations.

    Tokens come in the paper's order (Fig. 5, centre): combination and activation of node 0, 1, ...,
    of the cell inject, then the two cell indices: the node whose pre-activation becomes c_t, and
    the node that c_{t-1} is injected into. Position.layer is the node + 1.

    Args:
        base_number: number of leaves, a power of two.
        combinations: how a node joins its two inputs, any of ``COMBINATIONS``.
        activations: functions that may follow, any of ``ACTIVATIONS``.

    Raises:
        ConfigurationError: an unusable base number, or an unknown, repeated or missing function.
    """

    def __init__(
        self,
        base_number: int = 8,
        combinations: Sequence[str] = ("add", "elem_mult"),
        activations: Sequence[str] = ("identity", "tanh", "sigmoid", "relu"),
    ) -> None:
        check_base_number(base_number, ConfigurationError)
        self.base_number = base_number
        self.combinations = _functions("combinations", combinations, COMBINATIONS)
        self.activations = _functions("activations", activations, ACTIVATIONS)
        self.num_nodes = 2 * base_number - 1
        self.num_layers = self.min_layers = self.max_layers = self.num_nodes
        self.layout = self._positions()

    def _depth_text(self) -> str:
        return f"base number {self.base_number}, {self.num_nodes} nodes, "

    def _positions(self) -> Layout:
        positions = []
        for node in range(self.num_nodes):
            positions.append(Position("combination", self.combinations, layer=node + 1))
            positions.append(Position("activation", self.activations, layer=node + 1))
        indices = tuple(range(self.num_nodes))
        return (
            *positions,
            Position("inject_combination", self.combinations),
            Position("inject_activation", self.activations),
            Position("cell_index", indices),
            Position("inject_index", indices),
        )

    @property
    def size(self) -> int:
        """(combinations * activations)^(nodes + 1) * nodes^2, exact."""
        functions = len(self.combinations) * len(self.activations)
        return int(functions ** (self.num_nodes + 1)) * self.num_nodes**2

    def length(self, num_layers: int | None = None) -> int:
        """Number of tokens, the same for every cell of the space: 34 for base number 8."""
        if num_layers not in (None, self.num_layers):
            raise ConfigurationError(
                f"num_layers is {num_layers!r}, but every cell of base number {self.base_number} "
                f"has {self.num_layers} nodes; leave num_layers out."
            )
        return len(self.layout)

    def decode(self, tokens: Sequence[int]) -> CellArchitecture:
        """The cell that a complete token sequence describes.

        Raises:
            InvalidTokenError: wrong length, or a token out of range.
        """
        array = self.check(tokens, self.num_layers).tolist()
        values = [
            (self.combinations[combination], self.activations[activation])
            for combination, activation in zip(array[:-2:2], array[1:-2:2], strict=True)
        ]
        return CellArchitecture(
            base_number=self.base_number,
            nodes=tuple(values[:-1]),
            inject=values[-1],
            cell_index=array[-2],
            inject_index=array[-1],
        )

    def encode(self, architecture: CellArchitecture) -> tuple[int, ...]:
        """The token sequence that ``decode`` reads back to ``architecture``.

        Raises:
            InvalidArchitectureError: another base number, or a function outside the space.
        """
        if not isinstance(architecture, CellArchitecture):
            raise InvalidArchitectureError(
                f"A cell space encodes a CellArchitecture, got {type(architecture).__name__}."
            )
        if architecture.base_number != self.base_number:
            raise InvalidArchitectureError(
                f"The cell has base number {architecture.base_number}, this space "
                f"{self.base_number}; use CellSpace(base_number={architecture.base_number})."
            )
        tokens: list[int] = []
        for combination, activation in (*architecture.nodes, architecture.inject):
            tokens.append(self._token("combinations", combination))
            tokens.append(self._token("activations", activation))
        return (*tokens, architecture.cell_index, architecture.inject_index)

    def _token(self, kind: str, function: str) -> int:
        options: tuple[str, ...] = getattr(self, kind)
        if function not in options:
            raise InvalidArchitectureError(
                f"The cell uses {function!r}, which is not in this space's {kind}: "
                f"{', '.join(options)}. Make the space with it, e.g. CellSpace({kind}=(..., "
                f"{function!r}))."
            )
        return options.index(function)


def _functions(argument: str, names: Sequence[str], known: tuple[str, ...]) -> tuple[str, ...]:
    if isinstance(names, str) or not isinstance(names, Sequence) or not names:
        raise ConfigurationError(
            f"{argument} is {names!r}; it must be a non-empty sequence of: {', '.join(known)}."
        )
    for name in names:
        check_function(f"A member of {argument}", name, known, ConfigurationError)
    if len(set(names)) != len(names):
        raise ConfigurationError(f"{argument} is {tuple(names)!r}; name each function once.")
    return tuple(names)
