"""Print what finished runs show: python scripts/summarise_runs.py runs/A runs/B ...

Runs of one environment are grouped by agent, its options and reward. Each block of children gets
the mean and best metric over seeds; then stands what the best children cost; and each agent is
compared with the last one named (put the control last) over the seeds that both have, with 95%
confidence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from agents.command import run_command
from agents.comparison.summary import against_last, block_table, cost_table
from agents.records.run_record import group_runs, read_run
from agents.search.words import read_options
from nas_env.errors import NasEnvError
from nas_env.system.folders import user_path


@dataclass(frozen=True)
class Options:
    """Compare finished runs."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Run folders of one environment."""
    block: int = 50
    """Children per row of the table."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Summarise; the exit status is 0, or 2 for an error."""
    return run_command(lambda: summarise(read_options(Options, arguments, __doc__)))


def summarise(options: Options) -> int:
    """Read the runs and print the table and the comparisons."""
    if not options.runs or options.block < 1:
        raise NasEnvError("Name run folders, and blocks of at least 1 child (--block).")
    groups = group_runs([read_run(user_path(folder)) for folder in options.runs])
    seeds = {agent: [run.seed for run in group] for agent, group in groups.items()}
    env = next(iter(groups.values()))[0].env
    print(f"{env}, seeds {seeds}\n\n{block_table(groups, options.block)}\n")
    print(f"The child with the highest reward, and the recent ones:\n\n{cost_table(groups)}\n")
    print(*against_last(groups), sep="\n")
    return 0
