"""The test text: for the one final measurement of a finished search, and nothing else.

No module that a search imports may import this one; a test parses the imports.
"""

from pathlib import Path

from torch import Tensor

from nas_env.data.text import Vocabulary, read_part, split_symbols


def load_held_out_text(
    dataset: str, vocabulary: Vocabulary, data_dir: str | Path | None = None
) -> Tensor:
    """The test part as (n,) int64 ids of the vocabulary that the child was trained with.

    Raises:
        DatasetNotFoundError: no test part.
        InvalidDatasetError: damaged, or not usable.
    """
    return vocabulary.encode(split_symbols(read_part(dataset, data_dir, "test"), vocabulary.level))
