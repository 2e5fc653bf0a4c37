"""Turn NAS-Bench-Macro (Su et al. 2021) into a table that environments and comparisons can use.

``python scripts/examples/table_of_nas_bench_macro.py nas_bench_macro.npz macro.npz``, then
``python scripts/compare_agents.py --arguments '{"table": "macro.npz"}'``.

The input holds ``arch`` (6561, 8), a choice of three blocks for each of eight layers, and
``acc_seeds`` (6561, 3), CIFAR-10 accuracy in percent of three trainings. Rewards come from the
first two trainings; the third is held out, for reports.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from agents.command import run_command, run_script
from nas_env.errors import InvalidDatasetError
from nas_env.tables.file import space_from_json, write_table
from nas_env.tables.table import Table, index_of

OPERATIONS = ["identity", "mbconv_3x3_expand_3", "mbconv_5x5_expand_6"]
SPACE = {"kind": "choices", "choices": {f"layer_{n}": OPERATIONS for n in range(1, 9)}}


@dataclass(frozen=True)
class MacroOptions:
    """Files to read and to write."""

    source: tyro.conf.Positional[Path]
    """The benchmark's arrays."""
    output: tyro.conf.Positional[Path]
    """The table."""


def main(options: MacroOptions) -> int:
    """Convert; the exit status is 0, 2 for an error."""

    def body() -> int:
        print(f"written: {convert(options.source, options.output)}")
        return 0

    return run_command(body)


def convert(source: Path, output: Path) -> Path:
    """Read the benchmark, write the table.

    Raises:
        InvalidDatasetError: the source holds something else.
        OSError: it cannot be read.
    """
    try:
        with np.load(source) as arrays:
            tokens, percent = arrays["arch"].tolist(), arrays["acc_seeds"]
    except (KeyError, ValueError, TypeError) as error:
        raise InvalidDatasetError(
            f"{source} does not hold arch and acc_seeds of NAS-Bench-Macro: {error!r}."
        ) from error
    space = space_from_json(SPACE)
    accuracies = np.full((3**8, percent.shape[1]), np.nan)
    accuracies[[index_of(space, row) for row in tokens]] = percent / 100
    about = {
        "title": "NAS-Bench-Macro",
        "dataset": "CIFAR-10, test images",
        "held_out": "training 3",
    }
    table = Table(space, accuracies[:, :-1], "accuracy", about=about)
    return write_table(output, table, SPACE, accuracies[:, -1:])


if __name__ == "__main__":
    run_script(lambda: main(tyro.cli(MacroOptions, description=__doc__)))
