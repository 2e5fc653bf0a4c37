"""Print what finished runs show: python scripts/summarise_runs.py runs/A runs/B ...

Runs of one environment are grouped by agent and its options; each block of children gets the mean
and best metric over seeds, and each agent is compared with the last one named (put the control
last) over the seeds that both have, with 95% confidence.
"""

import signal
import sys
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":  # Ctrl-C while modules load: no traceback
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))

import tyro

from agents.command import run_script
from agents.comparison.summary import against_last, block_table
from agents.records.run_record import group_runs, read_run
from nas_env.errors import NasEnvError


@dataclass(frozen=True)
class Options:
    """Compare finished runs."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Run folders of one environment."""
    block: int = 50
    """Children per row of the table."""


def main() -> int:
    """Read the runs and print the table and the comparisons."""
    options = tyro.cli(Options)
    if not options.runs or options.block < 1:
        raise NasEnvError("Name run folders, and blocks of at least 1 child (--block).")
    groups = group_runs([read_run(folder) for folder in options.runs])
    seeds = {agent: [run.seed for run in group] for agent, group in groups.items()}
    env = next(iter(groups.values()))[0].env
    print(f"{env}, seeds {seeds}\n\n{block_table(groups, options.block)}\n")
    print(*against_last(groups), sep="\n")
    return 0


if __name__ == "__main__":
    run_script(main)
