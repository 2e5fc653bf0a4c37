"""The held-out figures of a table: for the final report of a finished search, and nothing else.

No module that a search imports may import this one; a test parses the imports.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_env.errors import InvalidDatasetError
from nas_env.tables.file import read_table, reading, table_path
from nas_env.tables.table import count_members


def load_held_out_metrics(table: str | Path) -> NDArray[np.floating[Any]]:
    """(members, trainings) held-out metrics of a table by name or path, NaN = failed.

    Raises:
        DatasetNotFoundError: no such table.
        InvalidDatasetError: damaged, or without held-out figures.
    """
    path = table_path(table)
    members = count_members(read_table(path).search_space)
    with reading(path) as arrays:
        if "test_metrics" not in arrays:
            raise InvalidDatasetError(f"{path} has no held-out figures (test_metrics).")
        figures: NDArray[np.floating[Any]] = arrays["test_metrics"]
        shape = np.shape(figures)
        if len(shape) != 2 or shape[0] != members or figures.dtype.kind not in "fiu":
            raise InvalidDatasetError(
                f"The held-out figures in {path} are {figures.dtype} of shape {shape}; they must "
                f"be numbers of shape ({members}, trainings)."
            )
    return figures
