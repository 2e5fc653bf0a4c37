"""Print what finished runs show: python scripts/summarise_runs.py runs/A runs/B ...

Runs of one environment are grouped by agent; each block of children gets the mean and best metric
over seeds, and each agent is compared with the last one named (put the control last).
"""

import signal
import sys
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":  # Ctrl-C while modules load: no traceback
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))

import tyro

from agents.command import run_script
from agents.reports.summary import block_table, by_agent, difference, read_run
from nas_env.errors import NasEnvError


@dataclass(frozen=True)
class Options:
    """Compare finished runs."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Run folders of one environment."""
    block: int = 50
    """Children per row of the table."""
    last: int = 100
    """How many of the last children of each run to compare."""


def main() -> int:
    """Read the runs and print the table and the comparisons."""
    options = tyro.cli(Options)
    runs = [read_run(folder) for folder in options.runs]
    if not runs:
        raise NasEnvError("No run folder given. Usage: summarise_runs.py RUN [RUN ...]")
    environments = sorted({run.env for run in runs})
    if len(environments) > 1:
        raise NasEnvError(f"Runs of one environment can be compared, got {environments}.")
    groups = by_agent(runs)
    seeds = {agent: [run.seed for run in group] for agent, group in groups.items()}
    print(f"{environments[0]}, seeds {seeds}\n\n{block_table(runs, options.block)}\n")
    *others, control = groups.values()
    for group in others:
        print(difference(group, control, options.last))
    return 0


if __name__ == "__main__":
    run_script(main)
