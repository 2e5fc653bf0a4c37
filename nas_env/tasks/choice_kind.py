"""Named choices of a user's own search space, of which only the names are known."""

from typing import TYPE_CHECKING

from nas_env.rendering.choice_text import draw_choices
from nas_env.space.choices import ChoiceArchitecture, ChoiceSpace
from nas_env.tasks.kind import Kind

if TYPE_CHECKING:
    from nas_env.rendering.picture import Picture


class ChoiceKind(Kind[ChoiceArchitecture]):
    """See ``Kind``: how to train one is the user's ``evaluator``."""

    name = "choice"
    architecture = ChoiceArchitecture
    spaces = (ChoiceSpace,)

    def draw_text(self, architecture: ChoiceArchitecture) -> str:
        """A line a name."""
        return draw_choices(architecture)

    def draw_figure(self, architecture: ChoiceArchitecture) -> "Picture":
        """A row a name."""
        from nas_env.rendering.choice_figure import Choice, choice_picture

        choices = [Choice(name, (str(option),), 0) for name, option in architecture.items()]
        return choice_picture(f"{len(choices)} choices", choices)

    def summary(self, architecture: ChoiceArchitecture) -> str:
        """``width 8, activation relu``."""
        return ", ".join(f"{name} {option}" for name, option in architecture.items())
