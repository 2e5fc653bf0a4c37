"""What settings mean, read from where they are declared: for flags, help and documents.

A settings class is a dataclass whose docstring has an ``Attributes`` section (Google style) and
whose annotations hold the limits (``nas_env.checks``).
"""

import inspect
import re
from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING, Any

from nas_env.checks import Kind, kinds_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_ENTRY = re.compile(r"^ {4}(\w+(?:, \w+)*): (.*(?:\n {5,}.*|\n(?=\n {5,}))*)", re.MULTILINE)


@dataclass(frozen=True)
class Setting:
    """One field of a settings class.

    Attributes:
        name: of the field.
        meaning: its entry in the ``Attributes`` section, in one line; ``""`` if it has none.
        default: its default; ``MISSING`` if it has none.
        kind: what its annotation allows; None where that is not checked.
    """

    name: str
    meaning: str
    default: Any
    kind: Kind | None

    @property
    def allowed(self) -> str:
        """What is allowed, in words."""
        return "" if self.kind is None else self.kind.words


def settings_in(cls: "type[DataclassInstance]") -> tuple[Setting, ...]:
    """All fields of a settings class, inherited ones first, the nearest class explaining each."""
    meanings = _meanings(cls)
    kinds = kinds_of(cls)
    return tuple(
        Setting(field.name, meanings.get(field.name, ""), _default(field), kinds.get(field.name))
        for field in fields(cls)
    )


def _default(field: Any) -> Any:
    return field.default_factory() if field.default_factory is not MISSING else field.default


def _meanings(cls: type[Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for ancestor in reversed(cls.__mro__):
        text = inspect.cleandoc(ancestor.__dict__.get("__doc__") or "")
        section = text.partition("\nAttributes:\n")[2]
        for names, meaning in _ENTRY.findall(section):
            found |= dict.fromkeys(names.split(", "), " ".join(meaning.split()))
    return found
