"""How a language-model child is trained: every number of every recipe, in this one file.

``paper`` follows Zoph & Le (2017, section 4.2) and, where the paper is silent, the medium models of
Zaremba et al. (2014) and of Gal and Ghahramani (2016) that it names. ``fast`` fits a search of a
day on one GPU, ``quick`` a search of minutes on two CPU cores. ``zaremba_small`` and
``zaremba_medium`` reproduce published figures; ``character`` is the transfer task of Table 3.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch

from nas_env.child.language.dropout import GAL_MEDIUM, ZAREMBA_MEDIUM, LanguageDropout
from nas_env.child.language.size import (
    MEDIUM_BUDGET,
    Cell,
    LanguageSizes,
    check_cell,
    hidden_size_for_budget,
)
from nas_env.data.text import Level, TextSelection
from nas_env.training.language_numerics import LANGUAGE_NUMERICS, choose_language_numerics
from nas_env.training.recipe_choice import (
    changed_recipe,
    check_kinds,
    check_names,
    find_recipe,
    recipe_digest,
    require,
)

Optimiser = Literal["sgd", "adam"]


@dataclass(frozen=True)
class LanguageRecipe:
    """All settings of one child's training.

    Attributes:
        name: for people; not part of the digest.
        epochs: passes over the training text.
        hidden_size: units of each layer; exactly one of this and ``parameter_budget`` is given.
        parameter_budget: take the largest hidden size with at most so many parameters.
        reward_epochs: the metric is the lowest validation perplexity of the last so many epochs;
            only these are validated.
        level: ``"word"`` or ``"character"``.
        vocabulary_size: see ``TextSelection``.
        train_tokens: see ``TextSelection``.
        valid_tokens: see ``TextSelection``.
        batch_size: texts side by side in one step.
        bptt_steps: tokens of each through which the gradient flows back.
        evaluation_batch: texts side by side in validation; each starts from a zero state, so more
            are faster and read a little too high.
        layers: recurrent layers.
        embedding_size: of the input embedding; None = hidden size.
        tied: embedding and softmax share their weights.
        dropout: what is dropped; see ``LanguageDropout``.
        init_scale: weights start in U(-init_scale, init_scale).
        unigram_bias: the softmax bias starts at the log frequency of each token of the training
            text, so that a short training is not spent on learning it.
        optimiser: ``"sgd"`` (no momentum) or ``"adam"``.
        learning_rate: of the loss summed over time and averaged over the batch.
        constant_epochs: epochs before the rate starts to fall.
        decay: the rate is multiplied by this at the start of each later epoch.
        cooldown: fraction of all steps, at the end, over which the rate falls linearly to zero on
            top of the above; 0 for none.
        clip_norm: largest global norm of the gradient.
        weight_decay: on all parameters, coupled to the gradient before clipping is measured.
        numerics: ``"auto"`` (timed once per machine), ``"float32"`` or ``"bfloat16"``.
        time_limit_s: a child that trains longer fails with ``timeout``; None = no limit. Not part
            of the digest: it cannot change a metric.
        max_parameters: a larger child fails with ``too_large`` without being built.
        max_memory_mb: estimated training memory, likewise.
    """

    name: str
    epochs: int
    hidden_size: int | None = None
    parameter_budget: int | None = None
    reward_epochs: int = 1
    level: Level = "word"
    vocabulary_size: int | None = None
    train_tokens: int | None = None
    valid_tokens: int | None = None
    batch_size: int = 20
    bptt_steps: int = 35
    evaluation_batch: int = 20
    layers: int = 2
    embedding_size: int | None = None
    tied: bool = False
    dropout: LanguageDropout = field(default_factory=LanguageDropout)
    init_scale: float = 0.05
    unigram_bias: bool = False
    optimiser: Optimiser = "sgd"
    learning_rate: float = 1.0
    constant_epochs: int = 6
    decay: float = 1 / 1.2
    cooldown: float = 0.0
    clip_norm: float = 5.0
    weight_decay: float = 0.0
    numerics: str = "auto"
    time_limit_s: float | None = None
    max_parameters: int | None = None
    max_memory_mb: float | None = None

    def __post_init__(self) -> None:
        """Check the ranges, so that a mistyped recipe fails before any child trains."""
        if isinstance(self.dropout, Mapping):
            object.__setattr__(self, "dropout", _dropout(self.dropout))
        kept = isinstance(self.dropout, LanguageDropout)
        require(kept, "dropout", self.dropout, "an object such as {'input': 0.2}")
        check_kinds(self)
        given = [self.hidden_size, self.parameter_budget]
        require(
            given.count(None) == 1,
            "hidden_size and parameter_budget",
            tuple(given),
            "exactly one of them",
        )
        for name in _WHOLE:
            value = getattr(self, name)
            optional = name in _OPTIONAL and value is None
            require(
                optional or (type(value) is int and value >= 1), name, value, "an integer from 1"
            )
        allowed = f"1 to epochs ({self.epochs})"
        require(self.reward_epochs <= self.epochs, "reward_epochs", self.reward_epochs, allowed)
        for name in ("init_scale", "learning_rate", "decay", "clip_norm"):
            require(getattr(self, name) > 0, name, getattr(self, name), "above 0")
        require(0 <= self.cooldown <= 1, "cooldown", self.cooldown, "in [0, 1]")
        require(self.weight_decay >= 0, "weight_decay", self.weight_decay, "at least 0")
        optimisers = ("sgd", "adam")
        require(self.optimiser in optimisers, "optimiser", self.optimiser, "sgd or adam")
        numerics = ("auto", *LANGUAGE_NUMERICS)
        require(self.numerics in numerics, "numerics", self.numerics, f"one of {numerics}")
        for name in ("time_limit_s", "max_memory_mb"):
            value = getattr(self, name)
            require(value is None or value > 0, name, value, "None or above 0")
        self.selection  # noqa: B018 - its checks are the recipe's

    @property
    def selection(self) -> TextSelection:
        """What of the text this recipe uses."""
        return TextSelection(self.level, self.vocabulary_size, self.train_tokens, self.valid_tokens)

    def sizes(self, cell: Cell, vocabulary_size: int) -> LanguageSizes:
        """Sizes of the child made of ``cell``.

        Raises:
            ConfigurationError: not a cell, or no hidden size fits the budget.
        """
        check_cell(cell)
        sizes = LanguageSizes(
            vocabulary_size,
            self.hidden_size or (self.embedding_size if self.tied else None) or 1,
            self.embedding_size,
            self.layers,
            self.tied,
        )
        if self.parameter_budget is None:
            return sizes
        hidden = hidden_size_for_budget(cell, self.parameter_budget, sizes)
        return replace(sizes, hidden_size=hidden)

    def rate(self, epoch: int, done: float = 0.0) -> float:
        """Learning rate in ``epoch`` (0-based), of which the fraction ``done`` has passed."""
        later: float = self.decay ** max(0, epoch + 1 - self.constant_epochs)
        left = 1.0 - (epoch + done) / self.epochs
        return self.learning_rate * later * min(1.0, left / max(self.cooldown, 1e-9))

    def with_numerics(self, device: torch.device) -> "LanguageRecipe":
        """This recipe with ``"auto"`` numerics replaced by the choice for ``device``."""
        if self.numerics != "auto":
            return self
        return replace(self, numerics=choose_language_numerics(device))

    def digest(self) -> str:
        """32 hex digits of everything that can change a metric or refuse an architecture."""
        return recipe_digest("language", self)


_OPTIONAL = ("hidden_size", "parameter_budget", "embedding_size", "max_parameters")
_WHOLE = (
    *_OPTIONAL,
    "epochs",
    "reward_epochs",
    "batch_size",
    "bptt_steps",
    "evaluation_batch",
    "layers",
    "constant_epochs",
)


def language_recipe(
    recipe: "str | Mapping[str, Any] | LanguageRecipe" = "quick", dataset: str = "ptb"
) -> LanguageRecipe:
    """The recipe that a user means.

    Args:
        recipe: a name; a dict of fields, with ``"name"`` naming the recipe to start from (default
            ``"quick"``), where giving one of ``hidden_size`` and ``parameter_budget`` replaces the
            other; or a recipe.
        dataset: ``"ptb"``, ``"pydocs"`` or a path: named recipes differ between data sets.

    Raises:
        ConfigurationError: unknown name or field, or a value out of range.
    """
    if isinstance(recipe, LanguageRecipe):
        return recipe
    table = PYDOCS_RECIPES if dataset == "pydocs" else RECIPES
    if isinstance(recipe, str):
        return find_recipe(recipe, table)
    changes = dict(recipe) if isinstance(recipe, Mapping) else recipe
    if isinstance(changes, dict) and (
        ("hidden_size" in changes) != ("parameter_budget" in changes)
    ):
        other = "hidden_size" if "parameter_budget" in changes else "parameter_budget"
        changes[other] = None
    return changed_recipe(changes, table)


def _dropout(values: Mapping[str, Any]) -> LanguageDropout:
    check_names("dropout", values, LanguageDropout)
    for name, value in values.items():
        require(isinstance(value, int | float), f"dropout.{name}", value, "a number in [0, 1)")
    return LanguageDropout(**values)


PAPER = LanguageRecipe(
    name="paper",
    epochs=35,
    parameter_budget=MEDIUM_BUDGET,
    reward_epochs=35,
    dropout=GAL_MEDIUM,
    weight_decay=1e-7,
    time_limit_s=48 * 3600.0,
)

FAST = LanguageRecipe(
    name="fast",
    epochs=6,
    hidden_size=256,
    batch_size=40,
    evaluation_batch=80,
    dropout=LanguageDropout(input=0.2, between=0.2, output=0.2),
    init_scale=0.2,
    unigram_bias=True,
    optimiser="adam",
    learning_rate=2e-3,
    constant_epochs=6,
    cooldown=0.7,
    time_limit_s=1800.0,
)

# On Penn Treebank guessing by frequency gives 168 here, and one random cell in six can do no more
# (h stays 0). Cells that learn end at 90 to 130, within 3% of another seed.
QUICK = LanguageRecipe(
    name="quick",
    epochs=1,
    hidden_size=64,
    vocabulary_size=2000,
    train_tokens=112_000,
    valid_tokens=16_000,
    bptt_steps=20,
    evaluation_batch=100,
    init_scale=0.4,
    unigram_bias=True,
    optimiser="adam",
    learning_rate=0.015,
    constant_epochs=1,
    cooldown=0.7,
    time_limit_s=120.0,
    max_memory_mb=4096.0,
)

ZAREMBA_SMALL = LanguageRecipe(
    name="zaremba_small",
    epochs=13,
    hidden_size=200,
    reward_epochs=13,
    bptt_steps=20,
    init_scale=0.1,
    constant_epochs=4,
    decay=0.5,
    numerics="float32",
)

ZAREMBA_MEDIUM_RECIPE = LanguageRecipe(
    name="zaremba_medium",
    epochs=39,
    hidden_size=650,
    reward_epochs=39,
    dropout=ZAREMBA_MEDIUM,
)

CHARACTER = LanguageRecipe(
    name="character",
    epochs=51,  # 80,000 steps of 32 x 100 of 5,017,482 characters
    parameter_budget=6_570_000,
    reward_epochs=51,
    level="character",
    batch_size=32,
    bptt_steps=100,
    evaluation_batch=32,
    embedding_size=128,
    dropout=LanguageDropout(0.0, 0.2, 0.2, 0.2, 0.5, variational=True),
    optimiser="adam",
    learning_rate=1e-3,
    constant_epochs=51,
    clip_norm=5.0,
)

RECIPES = {
    recipe.name: recipe
    for recipe in (PAPER, FAST, QUICK, ZAREMBA_SMALL, ZAREMBA_MEDIUM_RECIPE, CHARACTER)
}
"""For Penn Treebank and texts of about its size."""

PYDOCS_RECIPES = {
    **RECIPES,
    "paper": replace(PAPER, parameter_budget=2_000_000),
    "fast": replace(FAST, hidden_size=128, batch_size=20, epochs=12, constant_epochs=12),
    "quick": replace(QUICK, epochs=2, constant_epochs=2, vocabulary_size=1000),
}
"""For Python's documentation: 60,000 words, so smaller children and more epochs."""
