"""Write the report of finished or running searches as one HTML file.

``python scripts/report.py runs/A [runs/B ...]``

One run: report.html in its folder. Several runs of one environment: agents are compared, with a
band over seeds, in report.html in the working folder.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from agents.command import run_command
from agents.reports.report import write_report
from agents.search.words import read_options
from nas_env.system.folders import user_path


@dataclass(frozen=True)
class ReportOptions:
    """What to report on, and where to."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Run folders of one environment."""
    output: Path | None = None
    """The file. Default: report.html in the run folder, or in the working folder for several."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the report; the exit status is 0, or 2 for an error."""

    def write() -> int:
        options = read_options(ReportOptions, arguments, __doc__)
        output = None if options.output is None else user_path(options.output)
        print(write_report([*map(user_path, options.runs)], output))
        return 0

    return run_command(write)
