"""What ``nas-env language-model`` is told; torch is not imported, so that ``--help`` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nas_env.tasks.kinds import CELL


@dataclass(frozen=True)
class LanguageOptions:
    """What to train, on what, and how."""

    cell: str = "lstm"
    """lstm, gru, nas_cell, max_sin_cell, or the JSON file of a recurrent cell."""
    recipe: str = "zaremba_small"
    """zaremba_small, zaremba_medium, paper, fast, quick, character, or a JSON object of changes
    such as '{"name": "quick", "epochs": 2}'."""
    dataset: str = CELL.default_dataset
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
    test: bool = False
    """Measure the test text too, once, at the end: for a model that is chosen, not for choosing."""
