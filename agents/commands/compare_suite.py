"""``nas-env compare --suite``: agents over several tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import gymnasium as gym

import nas_env  # noqa: F401 - registers the ids
from agents.comparison.effort import effort_of
from agents.comparison.report import table_text
from agents.comparison.run import ComparisonRunner, Contest, folder_errors, parse_contender
from agents.comparison.side_by_side import Job, run_jobs
from agents.comparison.suite import Suite, improvement_rows, regret_rows, suite_csv, suite_page
from agents.records.provenance import command_line, hardware, versions
from agents.records.trace import Trace
from agents.reports.facts import hardware_line, versions_line
from agents.search.environment import our_ids
from agents.search.resolve import settings_given
from nas_env.envs.settings import settings_of
from nas_env.envs.table_env import TableSettings
from nas_env.errors import ConfigurationError
from nas_env.system.files import write_durably
from nas_env.tables.file import read_table, table_path

ALL = "tables"
"""Every table that an id is registered for."""
LOOKUP = "NAS-Digits-Table-v0"
"""Plays any table."""
BUDGETS = (25, 50, 100, 200, 500, 1000, 2000)


@dataclass(frozen=True)
class Played:
    """A table and how it is played: label, environment, its arguments, name or path."""

    label: str
    env: str
    arguments: dict[str, str]
    table: str


def tables_of(names: Sequence[str]) -> list[Played]:
    """The tables that were named: ``tables`` for all of the package, names, paths of files.

    Raises:
        ConfigurationError: two of one label.
        DatasetNotFoundError: no such table.
    """
    found: list[Played] = []
    for name in names:
        found += _registered() if name == ALL else [_named(name)]
    labels = [one.label for one in found]
    for label in labels:
        if labels.count(label) > 1:
            raise ConfigurationError(
                f"Two tables are called {label!r}: name each once, and rename one of two files."
            )
    return found


def _registered() -> list[Played]:
    found = []
    for name in our_ids():
        spec = gym.spec(name)
        settings = settings_of(spec)
        if settings is not None and issubclass(settings, TableSettings):
            table = settings_given(spec, {})
            if isinstance(table, TableSettings) and table.looks_up:
                found.append(Played(name, name, {}, str(table.table)))
    return found


def _named(name: str) -> Played:
    path = table_path(name)
    return Played(Path(path).stem, LOOKUP, {"table": str(Path(path).resolve())}, str(path))


@dataclass(frozen=True)
class SuiteRun:
    """What to compare over tables; see ``CompareOptions``."""

    tables: Sequence[str]
    agents: Sequence[str]
    preset: str
    children: int
    children_per_update: int
    seeds: Sequence[int]
    at_once: int | None
    folder: Path


def compare_suite(run: SuiteRun) -> Path:
    """Run what has not been run, write the page, return its path."""
    played = tables_of(run.tables)
    contenders = [parse_contender(agent, run.preset, "other") for agent in run.agents]
    jobs, keys = [], []
    for one in played:
        contest = Contest(one.env, run.children, run.children_per_update, one.arguments)
        folder = run.folder / one.label
        ComparisonRunner(contest, folder).check(contenders)
        for contender in contenders:
            jobs += [Job(contest, folder, contender, seed) for seed in run.seeds]
            keys += [(one.label, contender.label)] * len(run.seeds)
    traces: dict[tuple[str, str], list[Trace]] = {}
    for key, trace in zip(keys, run_jobs(jobs, run.at_once, _told), strict=True):
        traces.setdefault(key, []).append(trace)
    suite = Suite({one.label: read_table(one.table) for one in played}, traces)
    efforts = {one.label: effort_of(one.name) for one in contenders}
    return _written(run, suite, efforts)


def _told(done: int, of: int) -> None:
    if done % max(1, of // 20) == 0 or done == of:
        print(f"{done} of {of} searches done", flush=True)


def _written(run: SuiteRun, suite: Suite, efforts: dict[str, str]) -> Path:
    budgets = [n for n in BUDGETS if n < run.children] + [run.children]
    print("\nNormalised regret (%), interquartile mean [95% interval]")
    print(table_text(*regret_rows(suite, budgets)))
    if "evolution" in suite.agents:
        print("\nProbability of improvement over evolution")
        print(table_text(*improvement_rows(suite, "evolution", budgets)))
    page = suite_page(suite, "Agents over tables", budgets, efforts, _origin())
    path = run.folder / "suite.html"
    with folder_errors(run.folder):
        write_durably(run.folder / "suite.csv", suite_csv(suite, budgets).encode())
        write_durably(path, page.encode())
    print(f"\nreport: {path}")
    return path


def _origin() -> list[tuple[str, str]]:
    return [
        ("command", command_line()),
        ("versions", versions_line(versions())),
        ("hardware", hardware_line(hardware())),
    ]
