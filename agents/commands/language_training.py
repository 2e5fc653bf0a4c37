"""What ``nas-env language-model`` does: one model of one cell, trained, told, tested if asked."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import torch

import nas_env
from agents.commands.language_options import LanguageOptions
from nas_env.checks import at_least, at_most, check_seed, checked
from nas_env.child.language.size import Cell, language_cost
from nas_env.data.held_out_text import load_held_out_text
from nas_env.data.text import TextData, load_text
from nas_env.errors import ConfigurationError, InvalidArchitectureError
from nas_env.space.cell_architecture import CellArchitecture
from nas_env.space.published import MAX_SIN_CELL, NAS_CELL
from nas_env.training.image_numerics import resolve_device
from nas_env.training.language_recipes import LanguageRecipe, language_recipe
from nas_env.training.language_training import LanguageEpoch, LanguageTraining
from nas_env.training.recipe_choice import recipe_from_text

NAMED_CELLS: dict[str, Cell] = {
    "lstm": "lstm",
    "gru": "gru",
    "nas_cell": NAS_CELL,
    "max_sin_cell": MAX_SIN_CELL,
}


def read_cell(name: str) -> Cell:
    """A cell by name, or from a JSON file."""
    if name in NAMED_CELLS:
        return NAMED_CELLS[name]
    if not name.endswith(".json"):
        raise ConfigurationError(
            f"Unknown cell {name!r}. Cells: {', '.join(NAMED_CELLS)}, or a .json file."
        )
    architecture = nas_env.load_architecture(Path(name))
    if not isinstance(architecture, CellArchitecture):
        raise InvalidArchitectureError(f"{name} does not hold a recurrent cell.")
    return architecture


def choose_recipe(options: LanguageOptions, vocabulary_size: int | None = None) -> LanguageRecipe:
    """The recipe of the options, sized for ``vocabulary_size`` once that is known."""
    recipe = language_recipe(recipe_from_text(options.recipe), options.dataset)
    recipe = recipe.with_numerics(resolve_device(options.device))
    if options.epochs is not None:
        kept = min(recipe.reward_epochs, options.epochs)
        recipe = replace(recipe, epochs=options.epochs, reward_epochs=kept)
    if options.same_parameters_as is not None and vocabulary_size is not None:
        other = options.same_parameters_as
        sizes = recipe.sizes(other, vocabulary_size)
        budget = language_cost(other, sizes).parameters
        recipe = replace(recipe, hidden_size=None, parameter_budget=budget)
    return recipe


Threads = Annotated[int, at_least(1), at_most(1024)]


def train(options: LanguageOptions) -> None:
    """Train, print a line an epoch, and test once if asked to."""
    seed = check_seed(options.seed)
    torch.set_num_threads(checked("threads", options.threads, Threads))
    checked("epochs", options.epochs, Annotated[int | None, at_least(1)])
    cell, recipe = read_cell(options.cell), choose_recipe(options)
    data = load_text(options.dataset, options.data_dir, recipe.selection)
    recipe = choose_recipe(options, len(data.vocabulary))
    data = data.to(resolve_device(options.device))
    training = LanguageTraining(cell, data, recipe, seed)
    print(_describe(options, recipe, data, training), flush=True)
    curve = training.run(lambda epoch: print(_line(epoch, recipe, data), flush=True))
    print(f"best validation perplexity {min(curve):.2f}", flush=True)
    if options.test:
        text = load_held_out_text(options.dataset, data.vocabulary, options.data_dir)
        # One stream: every word of the test text is predicted from all before it.
        perplexity = training.perplexity(text.to(training.device), batch=1)
        print(f"test perplexity after the last epoch {perplexity:.2f}{_bits(recipe, perplexity)}")


def _describe(
    options: LanguageOptions, recipe: LanguageRecipe, data: TextData, training: LanguageTraining
) -> str:
    return (
        f"{options.cell}, recipe {recipe.name}: hidden size {training.sizes.hidden_size}, "
        f"{training.cost.parameters:,} parameters, {len(data.train):,} training tokens, "
        f"vocabulary {len(data.vocabulary):,}, {recipe.numerics}, seed {options.seed}"
    )


def _line(epoch: LanguageEpoch, recipe: LanguageRecipe, data: TextData) -> str:
    valid = epoch.valid_perplexity
    shown = "-" if valid is None else f"{valid:.2f}{_bits(recipe, valid)}"
    return (
        f"epoch {epoch.number:3d}  rate {epoch.learning_rate:.4g}  "
        f"train {epoch.train_perplexity:.2f}  valid {shown}  {epoch.seconds:.1f} s  "
        f"{len(data.train) / epoch.seconds:,.0f} tokens/s"
    )


def _bits(recipe: LanguageRecipe, perplexity: float) -> str:
    return f" ({math.log2(perplexity):.3f} bits)" if recipe.level == "character" else ""
