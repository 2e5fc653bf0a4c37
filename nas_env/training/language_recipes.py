"""How a language-model child is trained: every number of every recipe, in this one file.

``paper`` follows Zoph & Le (2017, section 4.2) and, where the paper is silent, the medium models of
Zaremba et al. (2014) and of Gal and Ghahramani (2016) that it names. ``fast`` fits a search of a
day on one GPU, ``quick`` a search of minutes on two CPU cores. ``zaremba_small`` and
``zaremba_medium`` reproduce published figures; ``character`` is the transfer task of Table 3.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

import torch

from nas_env.checks import above, at_least, between, check_settings, one_of, refuse, require
from nas_env.child.language.dropout import GAL_MEDIUM, ZAREMBA_MEDIUM, LanguageDropout
from nas_env.child.language.size import (
    MEDIUM_BUDGET,
    Cell,
    LanguageSizes,
    check_cell,
    hidden_size_for_budget,
)
from nas_env.data.datasets import TextDataset
from nas_env.data.text import Level, TextSelection
from nas_env.training.language_numerics import LANGUAGE_NUMERICS, choose_language_numerics
from nas_env.training.recipe_choice import (
    check_names,
    check_reward_epochs,
    chosen_recipe,
    recipe_digest,
    seed_digest,
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
        time_limit_s: a child that trains longer fails with ``timeout``; None = no limit. Its own
            time: processor seconds, or seconds on the GPU. Not part of the digest: it cannot
            change a metric.
        max_parameters: a larger child fails with ``too_large`` without being built.
        max_memory_mb: estimated training memory, likewise.
    """

    name: str
    epochs: Annotated[int, at_least(1)]
    hidden_size: Annotated[int | None, at_least(1)] = None
    parameter_budget: Annotated[int | None, at_least(1)] = None
    reward_epochs: Annotated[int, at_least(1)] = 1
    level: Level = "word"
    vocabulary_size: Annotated[int | None, at_least(2)] = None
    train_tokens: Annotated[int | None, at_least(1)] = None
    valid_tokens: Annotated[int | None, at_least(1)] = None
    batch_size: Annotated[int, at_least(1)] = 20
    bptt_steps: Annotated[int, at_least(1)] = 35
    evaluation_batch: Annotated[int, at_least(1)] = 20
    layers: Annotated[int, at_least(1)] = 2
    embedding_size: Annotated[int | None, at_least(1)] = None
    tied: bool = False
    dropout: LanguageDropout = field(default_factory=LanguageDropout)
    init_scale: Annotated[float, above(0)] = 0.05
    unigram_bias: bool = False
    optimiser: Optimiser = "sgd"
    learning_rate: Annotated[float, above(0)] = 1.0
    constant_epochs: Annotated[int, at_least(1)] = 6
    decay: Annotated[float, above(0)] = 1 / 1.2
    cooldown: Annotated[float, between(0, 1)] = 0.0
    clip_norm: Annotated[float, above(0)] = 5.0
    weight_decay: Annotated[float, at_least(0)] = 0.0
    numerics: Annotated[str, one_of("auto", *LANGUAGE_NUMERICS)] = "auto"
    time_limit_s: Annotated[float | None, above(0)] = None
    max_parameters: Annotated[int | None, at_least(1)] = None
    max_memory_mb: Annotated[float | None, above(0)] = None

    def __post_init__(self) -> None:
        """Check every setting, so that a mistyped recipe fails before any child trains."""
        if isinstance(self.dropout, Mapping):
            object.__setattr__(self, "dropout", _dropout(self.dropout))
        if not isinstance(self.dropout, LanguageDropout):
            refuse("dropout", self.dropout, "an object such as {'input': 0.2}", "recipe")
        check_settings(self, "recipe")
        check_reward_epochs(self)
        given = (self.hidden_size, self.parameter_budget)
        both = "hidden_size and parameter_budget"
        require(given.count(None) == 1, both, given, "exactly one of them", "recipe")

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

    def seed_digest(self) -> str:
        """Likewise, but for the arithmetic: children's seeds derive from it."""
        return seed_digest("language", self)


def language_recipe(
    recipe: "str | Mapping[str, Any] | LanguageRecipe" = "quick",
    dataset: str | TextDataset | None = None,
) -> LanguageRecipe:
    """The recipe that a user means.

    Args:
        recipe: a name; a dict of fields, with ``"name"`` naming the recipe to start from (default
            ``"quick"``), where giving one of ``hidden_size`` and ``parameter_budget`` replaces the
            other; or a recipe.
        dataset: a data set whose row may change the named recipes; None = as they stand here.

    Raises:
        ConfigurationError: unknown name or field, or a value out of range.
    """
    return chosen_recipe(recipe, RECIPES, TextDataset, dataset)


def _dropout(values: Mapping[str, Any]) -> LanguageDropout:
    check_names("dropout", values, LanguageDropout)
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
"""For Penn Treebank and texts of about its size; the row of a data set has what differs."""
