"""The table of kinds of child: nothing else asks what class an architecture or a space is of."""

from typing import Any

from nas_env.errors import ConfigurationError
from nas_env.space.architecture_json import READERS
from nas_env.space.layout import Architecture, SearchSpace
from nas_env.tasks.cell_kind import CellKind
from nas_env.tasks.choice_kind import ChoiceKind
from nas_env.tasks.conv_kind import ConvKind
from nas_env.tasks.kind import Kind

CONV, CELL, CHOICE = ConvKind(), CellKind(), ChoiceKind()
OTHER: Kind[Any] = Kind()
"""Of architectures that nobody registered a kind for."""

_kinds: list[Kind[Any]] = [CONV, CELL, CHOICE]


def register_kind(kind: Kind[Any]) -> None:
    """Make a kind of child known: its JSON, task, recipes and drawings are then used everywhere.

    A subclass of ``nas_env.Kind`` says what is known; what it leaves out has a default::

        class TreeKind(nas_env.Kind):
            name = "tree"
            architecture = Tree        # a subclass of nas_env's Architecture, with from_json
            spaces = (TreeSpace,)

            def draw_text(self, architecture):
                return architecture.indented()

        nas_env.register_kind(TreeKind())

    Args:
        kind: the kind; one of a subclass of an architecture that has a kind comes before it.

    Raises:
        ConfigurationError: it is no kind, its name is taken, or its JSON cannot be read back.
    """
    if not isinstance(kind, Kind) or kind.architecture is Architecture:
        raise ConfigurationError(
            f"register_kind takes a Kind that names its architecture class, got {kind!r}."
        )
    names = [known.name for known in (*_kinds, OTHER)]
    if kind.name in names:
        raise ConfigurationError(
            f"There is a kind named {kind.name!r} already; taken: {', '.join(map(repr, names))}."
        )
    reader = getattr(kind.architecture, "from_json", None)
    if not callable(reader):
        raise ConfigurationError(
            f"{kind.architecture.__name__} needs a class method from_json(data), which reads what "
            "to_json wrote: files and stores keep architectures as JSON."
        )
    READERS[kind.name] = reader
    _kinds.insert(0, kind)


def kind_of(architecture: Architecture) -> Kind[Any]:
    """The kind of an architecture; ``OTHER`` if none is registered for its class."""
    return next((kind for kind in _kinds if isinstance(architecture, kind.architecture)), OTHER)


def kind_of_space(space: SearchSpace[Any]) -> Kind[Any]:
    """The kind of what a search space writes; ``OTHER`` if none is registered for its class."""
    return next((kind for kind in _kinds if isinstance(space, kind.spaces)), OTHER)
