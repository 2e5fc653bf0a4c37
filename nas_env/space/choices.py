"""A user's own search space: named choices, decided in order, independent of each other."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nas_env.checks import listed, shown
from nas_env.errors import ConfigurationError, InvalidArchitectureError
from nas_env.space.layout import Architecture, Option, Position, SearchSpace


class ChoiceArchitecture(Architecture, Mapping[str, Option]):
    """One option for each name, read as a mapping: ``architecture["name"]``. Immutable."""

    def __init__(self, choices: Mapping[str, Option]) -> None:
        if not isinstance(choices, Mapping) or not choices:
            raise InvalidArchitectureError(
                f"Choices are a non-empty mapping of names to options, got {shown(choices)}."
            )
        for name, option in choices.items():
            if not isinstance(name, str) or not _is_option(option):
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
            be stored as JSON.

    Raises:
        ConfigurationError: no choices, a name without options, or options that repeat or are not
            strings or numbers.
    """

    num_layers = min_layers = max_layers = 1

    def __init__(self, choices: Mapping[str, Sequence[Option]]) -> None:
        if not isinstance(choices, Mapping) or not choices:
            raise ConfigurationError(
                f"ChoiceSpace needs a non-empty dict of name -> options, got {shown(choices)}."
            )
        self.layout = tuple(
            Position(name, _checked_options(name, options)) for name, options in choices.items()
        )
        self._tokens = [
            {option: token for token, option in enumerate(position.options)}
            for position in self.layout
        ]

    @property
    def size(self) -> int:
        """The product of the numbers of options."""
        size = 1
        for position in self.layout:
            size *= len(position.options)
        return size

    def length(self, num_layers: int | None = None) -> int:
        """The number of choices, whatever they are: the space has one depth, 1."""
        if num_layers not in (None, 1):
            raise ConfigurationError(f"A ChoiceSpace has num_layers 1 only, got {num_layers!r}.")
        return len(self.layout)

    def decode(self, tokens: Sequence[int]) -> ChoiceArchitecture:
        """The chosen option of every name.

        Raises:
            InvalidTokenError: wrong length, or a token out of range.
        """
        row = self.check(tokens, self.depth_of(tokens)).tolist()
        return ChoiceArchitecture(
            {
                position.name: position.options[token]
                for position, token in zip(self.layout, row, strict=True)
            }
        )

    def encode(self, architecture: ChoiceArchitecture) -> tuple[int, ...]:
        """The tokens of the options that ``architecture`` holds.

        Raises:
            InvalidArchitectureError: other names, or an option that the space lacks.
        """
        names = [position.name for position in self.layout]
        if not isinstance(architecture, ChoiceArchitecture) or set(architecture) != set(names):
            raise InvalidArchitectureError(
                f"The space chooses {listed(names)}; cannot encode {shown(architecture)}."
            )
        return tuple(
            self._token(position, tokens, architecture[position.name])
            for position, tokens in zip(self.layout, self._tokens, strict=True)
        )

    @staticmethod
    def _token(position: Position, tokens: Mapping[Option, int], option: Option) -> int:
        if option not in tokens:
            raise InvalidArchitectureError(
                f"{position.name[:80]} is {shown(option)}; allowed: "
                f"{shown(list(position.options))}."
            )
        return tokens[option]


def _is_option(value: object) -> bool:
    """Strings and finite numbers: hashable, and the same after a trip through JSON."""
    if not isinstance(value, str | int | float):
        return False
    try:
        return bool(json.loads(json.dumps(value, allow_nan=False)) == value)
    except (TypeError, ValueError):
        return False


def _checked_options(name: object, options: object) -> tuple[Option, ...]:
    if not isinstance(name, str):
        raise ConfigurationError(f"Names of choices are strings, got {shown(name)}.")
    if isinstance(options, str) or not isinstance(options, Sequence) or not options:
        raise ConfigurationError(
            f"The options of {shown(name)} are {shown(options)}; give a non-empty list, "
            "e.g. [1, 2, 3]."
        )
    bad = [option for option in options if not _is_option(option)]
    if bad:
        raise ConfigurationError(
            f"The options {shown(bad)} of {shown(name)} are not strings or finite numbers, so they "
            "cannot be stored as JSON; use names and look the objects up in your evaluator."
        )
    if len(set(options)) != len(options):
        raise ConfigurationError(f"The options of {shown(name)} repeat: {shown(list(options))}.")
    return tuple(options)
