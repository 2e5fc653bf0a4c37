"""A run, or several, as one HTML file that shows everything and loads nothing.

``write_report`` is what ``scripts/report.py`` calls, and every search with a run folder at its end.
"""

import warnings
from collections.abc import Sequence
from html import escape
from pathlib import Path

from agents.reports.curves import agent_figures, by_agent, learning_curves, pareto_charts
from agents.reports.data import RunRecord, different_architectures, read_record
from agents.reports.page import note, page, section
from agents.reports.sections import (
    architectures,
    budget,
    failures,
    origin,
    run_table,
    tiles,
    top_table,
)
from agents.reports.token_shares import draw_history, read_history
from nas_env.errors import ConfigurationError, RunFolderError
from nas_env.system.files import write_durably

REPORT = "report.html"


def write_report(folders: Sequence[str | Path], path: str | Path | None = None) -> Path:
    """Write the report of one run, or of several of one environment.

    Args:
        folders: run folders; a folder named twice counts once.
        path: the file; None = ``report.html`` in the run folder, or in the working folder for
            several runs.

    Returns:
        The file.

    Raises:
        ConfigurationError: no folder, or runs of different environments.
        RunFolderError: a folder is no run, has no episodes, or the file cannot be written.
    """
    different = list(dict.fromkeys(Path(folder) for folder in folders))
    if not different:
        raise ConfigurationError("No run folder given: name one or more, such as runs/NAME.")
    records = [read_record(folder) for folder in different]
    if path is None:
        path = different[0] / REPORT if len(different) == 1 else Path(REPORT)
    path = Path(path)
    document = report(records).encode()
    try:
        write_durably(path, document)
    except OSError as error:
        reason = error.strerror or str(error)
        raise RunFolderError(
            f"The report {path} cannot be written: {reason}. Free space, mend the permissions, or "
            "name another file in a folder that is there (--output)."
        ) from error
    return path


def report_at_end(folder: Path) -> None:
    """Write a finished run's report; a report that fails is a warning, never a failed search."""
    try:
        write_report([folder])
    except Exception as error:  # the search is over and safe on disk, whatever is wrong here
        warnings.warn(f"The report of {folder} could not be written: {error!r}.", stacklevel=2)


def report(records: Sequence[RunRecord]) -> str:
    """The HTML document.

    Raises:
        ConfigurationError: runs of different environments, whose metrics cannot be compared.
    """
    environments = sorted({record.run.env for record in records})
    if len(environments) > 1:
        raise ConfigurationError(
            f"A report is of runs of one environment, got {', '.join(environments)}: write one "
            "report for each."
        )
    found, several = different_architectures(records), len(records) > 1
    body = [_head(records), tiles(records)]
    if several:
        body.append(run_table(records))
    body += [section("Learning", _charts(learning_curves(records), _bands(records)))]
    body += [architectures(found), top_table(found, several)]
    if not several:
        body.append(_choices(records[0]))
    if costs := pareto_charts(found):
        dots = any("<svg" in cost for cost in costs)
        body.append(section("Cost", _charts(costs, "One dot an architecture." if dots else "")))
    body.append(failures(records))
    if not several and (figures := agent_figures(records[0])):
        body.append(section("The agent's own figures", _charts(figures, "", "charts small")))
    body.append(origin(records))
    return page(f"{environments[0]}: {', '.join(by_agent(records))}", body)


def _head(records: Sequence[RunRecord]) -> str:
    groups = by_agent(records)
    seeds = list(dict.fromkeys(record.run.seed for record in records))
    budgets = dict.fromkeys(budget(record) for record in records)
    facts = [
        f"agent{'s' * (len(groups) > 1)} {', '.join(groups)}",
        f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}",
        f"budget {' / '.join(budgets)}",
    ]
    return f"<h1>{escape(records[0].run.env)}</h1><p class='sub'>{escape(' · '.join(facts))}</p>"


def _choices(record: RunRecord) -> str:
    """Which tokens were chosen, over the children."""
    history = read_history(record.config, record.episodes)
    picture = draw_history(history, f"What {record.run.agent} chose")
    return section("Choices", f"<div class='scroll'>{picture.svg()}</div>")


def _charts(charts: Sequence[str], remark: str, kind: str = "charts") -> str:
    return f"<div class='{kind}'>{''.join(charts)}</div>" + (note(remark) if remark else "")


def _bands(records: Sequence[RunRecord]) -> str:
    if any(len(group) > 1 for group in by_agent(records).values()):
        return "Lines: mean over seeds. Bands: one standard error to each side."
    return ""
