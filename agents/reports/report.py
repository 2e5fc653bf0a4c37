"""A run, or several, as one HTML file that shows everything and loads nothing.

``write_report`` is what ``scripts/report.py`` calls, and the observer of every search with a run
folder. What the page looks like stands in ``templates/run.html.j2``.
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agents.records.direction import ranks_text
from agents.records.run_record import RunRecord, direction_in, group_runs, read_run
from agents.reports import facts
from agents.reports.architectures import different_architectures
from agents.reports.curves import (
    BAND_NOTE,
    RECENT_NOTE,
    agent_figures,
    group_curves,
    run_curves,
)
from agents.reports.front import fronts
from agents.reports.page import render
from agents.reports.token_shares import draw_history, read_history
from nas_env.errors import ConfigurationError, RunFolderError
from nas_env.system.files import write_durably

REPORT = "report.html"
TOP = 20
"""Architectures in the table."""


def write_report(
    folders: Sequence[str | Path], path: str | Path | None = None, refresh_s: int = 0
) -> Path:
    """Write the report of one run, or of several of one environment.

    Args:
        folders: run folders; a folder named twice counts once.
        path: the file; None = ``report.html`` in the run folder, or in the working folder for
            several runs.
        refresh_s: the page loads itself anew every so many seconds; 0 = never.

    Returns:
        The file.

    Raises:
        ConfigurationError: no folder, runs of different environments, or a seed twice.
        RunFolderError: a folder is no run, has no episodes, or the file cannot be written.
    """
    different = list(dict.fromkeys(Path(folder) for folder in folders))
    if not different:
        raise ConfigurationError("No run folder given: name one or more, such as runs/NAME.")
    records = [read_run(folder) for folder in different]
    if path is None:
        path = different[0] / REPORT if len(different) == 1 else Path(REPORT)
    path = Path(path)
    document = report(records, refresh_s).encode()
    try:
        write_durably(path, document)
    except OSError as error:
        reason = error.strerror or str(error)
        raise RunFolderError(
            f"The report {path} cannot be written: {reason}. Free space, mend the permissions, or "
            "name another file in a folder that is there (--output)."
        ) from error
    return path


def report(records: Sequence[RunRecord], refresh_s: int = 0) -> str:
    """The HTML document.

    Raises:
        ConfigurationError: runs of different environments, or a seed twice.
    """
    groups = group_runs(records)
    first, several = records[0], len(records) > 1
    direction = direction_in(records)
    found = different_architectures(records)
    return render(
        "run.html.j2",
        title=f"{first.env}: {', '.join(groups)}",
        env=first.env,
        subtitle=facts.subtitle(groups),
        refresh_s=refresh_s,
        written=time.strftime("%H:%M:%S"),
        several=several,
        metric=first.metric_name,
        children=sum(len(record.episodes) for record in records),
        tiles=facts.tiles(records, direction),
        best_head=facts.best_head(first.metric_name, direction),
        group_rows=facts.group_rows(groups),
        run_rows=facts.run_rows(groups),
        recent_note=RECENT_NOTE,
        curves=group_curves(groups) if several else run_curves(first),
        curve_notes=[RECENT_NOTE] + [BAND_NOTE] * (len(groups) < len(records)),
        found=found,
        top=found[:TOP],
        median=found[len(found) // 2] if found else None,
        ranks=ranks_text(first.metric_name, direction),
        repeated=any(one.times > 1 for one in found),
        choices="" if several else _choices(first),
        fronts=fronts(found),
        failures=facts.failure_rows(records),
        figures=[] if several else agent_figures(first),
        origins=[_origin(record) for record in records],
    )


def _choices(record: RunRecord) -> str:
    """Which tokens were chosen, over the children."""
    history = read_history(record.config, record.episodes)
    return draw_history(history, f"What {record.agent} chose").svg()


def _origin(record: RunRecord) -> dict[str, Any]:
    """Command, versions, hardware and configuration of a run."""
    return {
        "folder": record.folder,
        "command": record.config.get("command_line", "not recorded"),
        "repeat": record.config.get("repeat", ""),
        "facts": facts.origin(record),
        "config": json.dumps(record.config, indent=1),
    }
