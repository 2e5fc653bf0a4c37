"""The test text: for the one final measurement of a finished search, and nothing else.

No module that a search imports may import this one; a test parses the imports.
"""

from pathlib import Path

from torch import Tensor

from nas_env.data.datasets import TextDataset, dataset_of
from nas_env.data.text import Vocabulary, split_symbols
from nas_env.errors import DatasetNotFoundError
from nas_env.system.folders import data_folder


def load_held_out_text(
    dataset: str | TextDataset, vocabulary: Vocabulary, data_dir: str | Path | None = None
) -> Tensor:
    """The test part as (n,) int64 ids of the vocabulary that the child was trained with.

    Raises:
        DatasetNotFoundError: no test part.
        InvalidDatasetError: damaged, or not usable.
    """
    row = dataset_of(TextDataset, dataset)
    if row.held_out is None:
        raise DatasetNotFoundError(
            f"{row.name} has no test text: give its row a held_out reader to measure on it."
        )
    text = row.held_out(data_folder(data_dir))
    return vocabulary.encode(split_symbols(text, vocabulary.level))
