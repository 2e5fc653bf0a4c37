"""Train one language model, print its perplexity epoch by epoch, and test it once at the end.

The published check of the trainer (validation 121.4, test 115.9):
``python scripts/train_language_model.py --recipe zaremba_small --cell lstm``, and a found cell with
as many parameters beside it: ``--recipe zaremba_small --cell nas_cell --same-parameters-as lstm``.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
import tyro

import nas_env
from agents.command import run_command
from nas_env.checks import check_seed
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


@dataclass(frozen=True)
class LanguageOptions:
    """What to train, on what, and how."""

    cell: str = "lstm"
    """lstm, gru, nas_cell, max_sin_cell, or the JSON file of a recurrent cell."""
    recipe: str = "zaremba_small"
    """zaremba_small, zaremba_medium, paper, fast, quick, character, or a JSON object of changes
    such as '{"name": "quick", "epochs": 2}'."""
    dataset: str = "ptb"
    """ptb, pydocs, or a folder with *.train.txt, *.valid.txt and *.test.txt."""
    data_dir: Path | None = None
    """Folder where data sets are looked for and downloaded to."""
    seed: int = 0
    """Of initial weights and dropout."""
    device: str = "auto"
    """auto, cpu or cuda."""
    threads: int = 1
    """Torch threads on a CPU; more than one changes the last digits."""
    epochs: int | None = None
    """Fewer epochs than the recipe has, for a look; None = all."""
    same_parameters_as: Literal["lstm", "gru"] | None = None
    """Choose the hidden size so that the model has as many parameters as this one would."""
    test: bool = True
    """Measure the test text once, at the end."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, print, test; the exit status is 0 if the child was trained, 2 for an error."""

    def body() -> int:
        _train(tyro.cli(LanguageOptions, args=arguments, description=__doc__))
        return 0

    return run_command(body)


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


def _train(options: LanguageOptions) -> None:
    seed = check_seed(options.seed)
    torch.set_num_threads(options.threads)
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
