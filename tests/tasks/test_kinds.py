"""The table of kinds of child, and a kind that a user registers."""

from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import pytest

import nas_env
from nas_env.envs.settings import settings_of
from nas_env.errors import ConfigurationError, InvalidArchitectureError
from nas_env.registration import REGISTRATIONS
from nas_env.space import architecture_json
from nas_env.space.choices import ChoiceArchitecture, ChoiceSpace
from nas_env.space.layout import Architecture
from nas_env.space.published import FIGURE_7, NAS_CELL
from nas_env.tasks import kinds
from nas_env.tasks.drawing import draw_text, draw_tokens
from nas_env.tasks.kinds import CELL, CHOICE, CONV, OTHER, kind_of, kind_of_space


@dataclass(frozen=True)
class Tree(Architecture):
    """A user's own kind of architecture."""

    leaves: int

    def to_json(self) -> dict[str, Any]:
        return {"kind": "tree", "leaves": self.leaves}

    @classmethod
    def from_json(cls, data: Any) -> "Tree":
        return cls(data["leaves"])

    def canonical(self) -> "Tree":
        return self


class TreeSpace(ChoiceSpace):
    """Trees of one leaf or two."""

    def __init__(self) -> None:
        super().__init__({"leaves": [1, 2]})

    def decode(self, tokens: Any) -> Any:
        return Tree(int(super().decode(tokens)["leaves"]))


class TreeKind(nas_env.Kind[Any]):
    """All that is known of trees."""

    name = "tree"
    architecture = Tree
    spaces = (TreeSpace,)
    metric_name = "accuracy"

    def draw_text(self, architecture: Tree) -> str:
        return "\n".join(["trunk", *["leaf"] * architecture.leaves])

    def draw_tokens(self, space: Any, tokens: Any, num_layers: int) -> str:
        return "a tree that grows"

    def build(self, architecture: Tree, **sizes: Any) -> Any:
        import torch

        return torch.nn.Linear(architecture.leaves, **sizes)


@pytest.fixture
def tree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "_kinds", [CONV, CELL, CHOICE])
    monkeypatch.setattr(architecture_json, "READERS", dict(architecture_json.READERS))
    monkeypatch.setattr(kinds, "READERS", architecture_json.READERS)
    nas_env.register_kind(TreeKind())


@pytest.mark.parametrize(
    ("architecture", "kind", "line"),
    [
        (NAS_CELL, CELL, "7 tanh 5 sigmoid 2 relu 1 identity, 10 add 5 elem_mult"),
        (FIGURE_7, CONV, "3x3x36 "),
        (ChoiceArchitecture({"width": 8, "rate": 0.1}), CHOICE, "width 8, rate 0.1"),
        (Tree(2), OTHER, "Tree(leaves=2)"),
    ],
)
def test_every_architecture_has_one_kind_and_a_line(
    architecture: Architecture, kind: Any, line: str
) -> None:
    assert kind_of(architecture) is kind
    summary = kind.summary(architecture)
    assert "\n" not in summary and (line in summary)


def test_names_in_json_are_those_of_the_kinds() -> None:
    for kind, example in ((CONV, FIGURE_7), (CELL, NAS_CELL)):
        assert example.to_json()["kind"] == kind.name
    assert {*architecture_json.READERS} >= {CONV.name, CELL.name, CHOICE.name}


@pytest.mark.parametrize("kind", [CONV, CELL])
def test_a_kind_knows_recipes_data_and_metric_of_its_task(kind: Any) -> None:
    assert all(kind.recipe(name).name == name for name in kind.recipes)
    assert kind.recipe("quick", kind.offline_dataset) != kind.recipe("quick")
    task = kind.make_task(kind.offline_dataset, None, {"numerics": "float32"}, "cpu")
    assert task.metric_name == kind.metric_name
    assert task.recipe.name == "quick" and task.key()[0]


@pytest.mark.parametrize("registration", REGISTRATIONS, ids=lambda one: one.id)
def test_settings_of_an_id_tell_kind_and_family_without_making_it(registration: Any) -> None:
    found = settings_of(f"nas_env:{registration.id}")
    assert found is not None and settings_of(gym.spec(registration.id)) is found
    env: Any = gym.make(registration.id).unwrapped
    settings = found.of(registration.arguments)
    assert kind_of_space(env.search_space) is settings.kind
    assert settings.looks_up == ("Table" in registration.id)
    assert settings.family == ("other" if settings.looks_up else settings.kind.family)


def test_environments_of_others_have_no_settings() -> None:
    assert settings_of("CartPole-v1") is None


def test_a_child_is_built_of_json_as_well() -> None:
    sizes = {"image_channels": 1, "classes": 3}
    built, again = (nas_env.build_child(one, **sizes) for one in (FIGURE_7, FIGURE_7.to_json()))
    assert str(built) == str(again)


def test_a_users_kind_is_read_drawn_built_and_played(tree: None) -> None:
    assert nas_env.architecture_from_json({"kind": "tree", "leaves": 2}) == Tree(2)
    assert draw_text({"kind": "tree", "leaves": 2}) == "trunk\nleaf\nleaf"
    assert kind_of(Tree(1)).summary(Tree(1)) == "trunk"
    assert nas_env.build_child(Tree(3), out_features=2).weight.shape == (2, 3)
    assert "trunk" in nas_env.draw_figure(Tree(1)).svg()
    space = TreeSpace()
    assert (draw_tokens(space, [], 1), draw_tokens(space, [0], 1)) == (
        "a tree that grows",
        "trunk\nleaf",
    )
    env = nas_env.ArchitectureEnv(space, lambda tree, seed: float(tree.leaves), render_mode="ansi")  # type: ignore[attr-defined]
    env.reset()
    assert env.step(1)[1] == 2.0


def test_a_kind_that_cannot_be_is_refused(tree: None) -> None:
    class Own(Architecture):
        """Its JSON cannot be read back."""

    class Unreadable(nas_env.Kind[Any]):
        name = "unreadable"
        architecture = Own

    with pytest.raises(ConfigurationError, match=r"named 'tree' already.*'conv'"):
        nas_env.register_kind(TreeKind())
    with pytest.raises(ConfigurationError, match="from_json"):
        nas_env.register_kind(Unreadable())
    with pytest.raises(ConfigurationError, match="takes a Kind that names its architecture"):
        nas_env.register_kind(nas_env.Kind())


def test_what_nobody_registered_is_shown_in_its_own_words_and_cannot_be_built() -> None:
    assert draw_text(Tree(2)) == "Tree(leaves=2)"
    with pytest.raises(InvalidArchitectureError, match=r"Tree.*own evaluator"):
        nas_env.build_child(Tree(2))
    with pytest.raises(ConfigurationError, match="evaluator="):
        nas_env.evaluate(Tree(2))
