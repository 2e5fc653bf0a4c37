"""A user's own search space: named choices, decided in order.

A choice may exist only where earlier ones have certain values. Where it does not, its position has
one valid token, 0, and the architecture has no such name; so every episode has the same length.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_env.checks import listed, shown
from nas_env.errors import ConfigurationError, InvalidArchitectureError
from nas_env.space.choice_rules import is_option, read_choices
from nas_env.space.layout import Architecture, Option, Position, SearchSpace

MOST_STATES = 100_000
"""Of the count of architectures: how many sets of choices that may not exist it tells apart."""


class ChoiceArchitecture(Architecture, Mapping[str, Option]):
    """One option for each name, read as a mapping: ``architecture["name"]``. Immutable."""

    def __init__(self, choices: Mapping[str, Option]) -> None:
        if not isinstance(choices, Mapping) or not choices:
            raise InvalidArchitectureError(
                f"Choices are a non-empty mapping of names to options, got {shown(choices)}."
            )
        for name, option in choices.items():
            if not isinstance(name, str) or not is_option(option):
                raise InvalidArchitectureError(
                    f"The choice {shown(name)}: {shown(option)} is not a name and a string or "
                    "finite number."
                )
        self._choices = dict(choices)

    @property
    def choices(self) -> dict[str, Option]:
        """Name -> option, a fresh dict."""
        return dict(self._choices)

    def to_json(self) -> dict[str, Any]:
        """``{"kind": "choice", "choices": {name: option, ...}}``."""
        return {"kind": "choice", "choices": self.choices}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "ChoiceArchitecture":
        """What ``to_json`` wrote.

        Raises:
            InvalidArchitectureError: fields are missing, unknown or wrong.
        """
        if set(data) != {"kind", "choices"}:
            raise InvalidArchitectureError(
                f"A choice architecture has the fields 'kind' and 'choices', got "
                f"{shown(list(data))}."
            )
        return cls(data["choices"])

    def canonical(self) -> "ChoiceArchitecture":
        """Itself: what the choices mean is the user's."""
        return self

    def __getitem__(self, name: str) -> Option:
        return self._choices[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._choices)

    def __len__(self) -> int:
        return len(self._choices)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ChoiceArchitecture):
            return NotImplemented
        return self._choices == other._choices

    def __hash__(self) -> int:
        return hash(frozenset(self._choices.items()))

    def __repr__(self) -> str:
        return f"ChoiceArchitecture({self._choices!r})"


class ChoiceSpace(SearchSpace[ChoiceArchitecture]):
    """All combinations of named options.

    Args:
        choices: name -> its options: different strings or finite numbers, so that architectures can
            be stored as JSON; a range ``{"from": 1e-4, "to": 1e-1, "steps": 7, "scale": "log"}``;
            or ``{"options": [0.0, 0.9], "when": {"optimiser": ["sgd"]}}``, which exists only where
            earlier choices have these values. See ``nas_env/space/choice_rules.py``.

    Raises:
        ConfigurationError: no choices, a name without options, options that repeat or are not
            strings or numbers, or a range or condition that cannot be.
    """

    num_layers = min_layers = max_layers = 1

    def __init__(self, choices: Mapping[str, Any]) -> None:
        if not isinstance(choices, Mapping) or not choices:
            raise ConfigurationError(
                f"ChoiceSpace needs a non-empty dict of name -> options, got {shown(choices)}."
            )
        self._choices = read_choices(choices)
        self.layout = tuple(
            Position(choice.name, choice.options, "conditional" if choice.when else "option")
            for choice in self._choices
        )
        self._tokens = [
            {option: token for token, option in enumerate(position.options)}
            for position in self.layout
        ]
        self._conditional = any(choice.when for choice in self._choices)
        if self._conditional:
            self._size = self._count()
        else:
            self._size = math.prod(len(choice.options) for choice in self._choices)

    @property
    def size(self) -> int:
        """Exact number of different architectures."""
        return self._size

    def _count(self) -> int:
        """Choice by choice, by which of the later ones cannot exist any more."""
        states = Counter({frozenset[int](): 1})
        for number, choice in enumerate(self._choices):
            after: Counter[frozenset[int]] = Counter()
            for missing, count in states.items():
                if number in missing:
                    after[missing - {number} | self._lost(number, None)] += count
                    continue
                for token in range(len(choice.options)):
                    after[missing | self._lost(number, token)] += count
            if len(after) > MOST_STATES:
                raise ConfigurationError(
                    f"After {shown(choice.name)} more than {MOST_STATES:,} sets of choices may "
                    "exist or not. Place each conditional choice right behind what it depends on."
                )
            states = after
        return sum(states.values())

    def _lost(self, number: int, token: int | None) -> frozenset[int]:
        """Choices that cannot exist beside this token of a choice; None: it does not exist."""
        return frozenset(
            later
            for later in range(number + 1, len(self._choices))
            for parent, tokens in self._choices[later].when
            if parent == number and token not in tokens
        )

    def length(self, num_layers: int | None = None) -> int:
        """The number of choices, whatever they are: the space has one depth, 1."""
        if num_layers not in (None, 1):
            raise ConfigurationError(f"A ChoiceSpace has num_layers 1 only, got {num_layers!r}.")
        return len(self.layout)

    @property
    def has_static_masks(self) -> bool:
        """Whether no choice depends on another."""
        return type(self).masks is ChoiceSpace.masks and not self._conditional

    def masks(self, tokens: NDArray[np.int64], positions: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Valid tokens, see the base class: 0 alone where a choice does not exist."""
        masks: NDArray[np.bool_] = self.static_masks[positions]  # (batch, options), a copy
        if self._conditional:
            rows = np.arange(len(positions))
            absent = ~self.exist(tokens)[rows, positions]
            masks[absent] = False
            masks[absent, 0] = True
        return masks

    def exist(self, tokens: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(batch, positions) bool: which choices exist, as far as the earlier tokens tell.

        Args:
            tokens: (batch, positions).
        """
        exist = np.ones(tokens.shape, np.bool_)
        for number, choice in enumerate(self._choices):
            for parent, allowed in choice.when:
                fits = np.isin(tokens[:, parent], list(allowed))
                exist[:, number] &= exist[:, parent] & fits
        return exist

    def decode(self, tokens: Sequence[int]) -> ChoiceArchitecture:
        """The chosen option of every name that exists.

        Raises:
            InvalidTokenError: wrong length, or a token out of range.
        """
        row = self.check(tokens, self.depth_of(tokens))
        exist = self.exist(row[None])[0].tolist()
        return ChoiceArchitecture(
            {
                position.name: position.options[token]
                for position, token, there in zip(self.layout, row.tolist(), exist, strict=True)
                if there
            }
        )

    def encode(self, architecture: ChoiceArchitecture) -> tuple[int, ...]:
        """The tokens of the options that ``architecture`` holds.

        Raises:
            InvalidArchitectureError: other names, or an option that the space lacks.
        """
        names = [position.name for position in self.layout]
        wanted = {*names}
        if isinstance(architecture, ChoiceArchitecture):
            wanted = {p.name for p in self.layout if p.kind == "option" or p.name in architecture}
        if not isinstance(architecture, ChoiceArchitecture) or set(architecture) != wanted:
            raise InvalidArchitectureError(
                f"The space chooses {listed(names)}; cannot encode {shown(architecture)}."
            )
        tokens = np.zeros((1, len(names)), np.int64)
        for number, position in enumerate(self.layout):
            there = bool(self._exists(number, tokens))
            if there != (position.name in architecture):
                raise InvalidArchitectureError(
                    f"{self._only_where(number)}; cannot encode {shown(architecture)}."
                )
            if there:
                option = architecture[position.name]
                tokens[0, number] = self._token(position, self._tokens[number], option)
        return tuple(tokens[0].tolist())

    def _exists(self, number: int, tokens: NDArray[np.int64]) -> bool:
        return not self._choices[number].when or bool(self.exist(tokens)[0, number])

    def describe_invalid(self, index: int, token: int, mask: NDArray[np.bool_]) -> str:
        """The message for a token that is not valid at position ``index`` of the layout."""
        if self._choices[index].when and mask.sum() == 1 < len(self.layout[index].options):
            return (
                f"Token {token} is not valid at position {index}: {self._only_where(index)}, and "
                "here it does not. The only valid token there is 0."
            )
        return super().describe_invalid(index, token, mask)

    def _only_where(self, number: int) -> str:
        """``momentum exists only where optimiser is sgd``."""
        where = [
            f"{self.layout[parent].name[:80]} is "
            f"{listed(str(self.layout[parent].options[token]) for token in sorted(tokens))}"
            for parent, tokens in self._choices[number].when
        ]
        return f"{self.layout[number].name[:80]} exists only where {' and '.join(where)}"

    @staticmethod
    def _token(position: Position, tokens: Mapping[Option, int], option: Option) -> int:
        if option not in tokens:
            raise InvalidArchitectureError(
                f"{position.name[:80]} is {shown(option)}; allowed: "
                f"{shown(list(position.options))}."
            )
        return tokens[option]
