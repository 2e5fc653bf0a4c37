"""How large a language model is, from its architecture alone: parameters, cost, hidden size.

No torch here. With V words, embedding size E, hidden size H and L layers of a base-b cell:

    parameters = V E + sum over layers of b H (in + H) + V H + V,   in = E, then H
    tied embeddings drop one V H (and need E = H)

Two layers of a base-8 cell, E = H, V = 10,000: 32 H^2 + 20,000 H + 10,000 untied,
32 H^2 + 10,000 H + 10,000 tied.
"""

from dataclasses import dataclass, replace
from typing import Annotated, Literal, get_args

from nas_env.checks import at_least, check_settings
from nas_env.child.cost import Cost
from nas_env.errors import ConfigurationError
from nas_env.space.cell_architecture import CellArchitecture

BaselineCell = Literal["lstm", "gru"]
Cell = CellArchitecture | BaselineCell
"""What a language model is made of: a found cell, or a baseline by name."""

MEDIUM_BUDGET = 19_775_200
"""Parameters of Zaremba et al.'s "medium" LSTM (2 x 650): the budget of section 4.2."""

_GATES = {"lstm": 4, "gru": 3}
_BIASES = {"lstm": 4, "gru": 6}  # per unit: one vector of 4H (as Zaremba), or both 3H of a GRU


@dataclass(frozen=True)
class LanguageSizes:
    """Sizes of a language model.

    Attributes:
        vocabulary_size: different tokens, V.
        hidden_size: units of each layer, H.
        embedding_size: size of the input embedding, E; None = hidden_size.
        layers: recurrent layers, one above the other.
        tied: the softmax shares the embedding's weights ("shared embeddings"); needs E = H.
    """

    vocabulary_size: Annotated[int, at_least(2)]
    hidden_size: Annotated[int, at_least(1)]
    embedding_size: Annotated[int | None, at_least(1)] = None
    layers: Annotated[int, at_least(1)] = 2
    tied: bool = False

    def __post_init__(self) -> None:
        """Check every field."""
        check_settings(self)
        if self.tied and self.embedding != self.hidden_size:
            raise ConfigurationError(
                f"Tied embeddings need embedding_size == hidden_size, got {self.embedding} and "
                f"{self.hidden_size}. Leave embedding_size at None, or set tied=False."
            )

    @property
    def embedding(self) -> int:
        """Size of the input embedding."""
        return self.hidden_size if self.embedding_size is None else self.embedding_size

    @property
    def inputs(self) -> tuple[int, ...]:
        """Input size of each layer, the lowest first."""
        return (self.embedding, *[self.hidden_size] * (self.layers - 1))


def check_cell(cell: object) -> Cell:
    """``cell`` if it is a cell architecture or the name of a baseline.

    Raises:
        ConfigurationError: anything else.
    """
    if isinstance(cell, CellArchitecture) or cell in get_args(BaselineCell):
        return cell  # type: ignore[return-value]
    raise ConfigurationError(
        f"A language model is made of a CellArchitecture, 'lstm' or 'gru'; got {cell!r}."
    )


def language_cost(cell: Cell, sizes: LanguageSizes) -> Cost:
    """Size of the model, for one token; ``LanguageModel`` builds exactly this.

    Activations kept for the backward pass: the embedding, each layer's pre-activations (two of each
    where products or maxima need both sides) with its output and memory, and the logits.
    """
    vocabulary, hidden = sizes.vocabulary_size, sizes.hidden_size
    recurrent = _recurrent_weights(cell, sizes)
    embedding = 0 if sizes.tied else vocabulary * sizes.embedding
    biases = 0 if isinstance(cell, CellArchitecture) else _BIASES[cell] * hidden * sizes.layers
    kept = sizes.layers * hidden * (2 * _gates(cell) + 2)
    return Cost(
        parameters=embedding + recurrent + biases + vocabulary * (hidden + 1),
        macs=recurrent + vocabulary * hidden,
        activation_elements=sizes.embedding + kept + vocabulary,
    )


def hidden_size_for_budget(cell: Cell, budget: int, sizes: LanguageSizes) -> int:
    """The largest hidden size whose model has at most ``budget`` parameters.

    Every cell of one base number has the same count, so one size serves all children of a search.

    Args:
        cell: what the layers are made of.
        budget: parameters allowed, such as ``MEDIUM_BUDGET``.
        sizes: all other sizes; its hidden size is ignored.

    Raises:
        ConfigurationError: not even one unit fits.
    """

    def parameters(hidden: int) -> int:
        return language_cost(cell, replace(sizes, hidden_size=hidden)).parameters

    if sizes.tied:
        sizes = replace(sizes, embedding_size=None)
    smallest = parameters(1)
    if smallest > budget:
        raise ConfigurationError(
            f"No hidden size allows a budget of {budget:,} parameters: one unit already needs "
            f"{smallest:,} with a vocabulary of {sizes.vocabulary_size:,}. Raise the budget or "
            "limit the vocabulary."
        )
    low, high = 1, 2  # parameters(low) <= budget < parameters(high)
    while parameters(high) <= budget:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if parameters(middle) <= budget else (low, middle)
    return low


def _recurrent_weights(cell: Cell, sizes: LanguageSizes) -> int:
    hidden = sizes.hidden_size
    return sum(_gates(cell) * hidden * (size + hidden) for size in sizes.inputs)


def _gates(cell: Cell) -> int:
    return cell.base_number if isinstance(cell, CellArchitecture) else _GATES[cell]
