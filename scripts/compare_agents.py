"""Compare agents over paired seeds: Figure 6 of the paper, curves, and when they beat random.

``python scripts/compare_agents.py --agents reinforce random evolution --env NAS-Digits-Table-v0
--children 1000 --seeds 20``

Ctrl-C and start again with the same folder: what is finished is kept. More seeds, agents or
children can be added later.
"""

import json
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # Ctrl-C while modules load: no traceback
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))

import numpy as np
import tyro

from agents.command import run_command, run_script
from agents.comparison.report import (
    VERDICT_HEADS,
    Page,
    best_test_figures,
    budget_rows,
    comparison_page,
    curves_csv,
    table_text,
    verdict_rows,
)
from agents.comparison.run import ComparisonRunner, Contest, folder_errors, parse_contender
from agents.comparison.statistics import Comparison
from agents.records.provenance import command_line, hardware, versions
from agents.records.trace import Trace
from agents.reports.facts import hardware_line, versions_line
from agents.search.environment import find_spec
from agents.search.resolve import family_of, settings_given
from nas_env.errors import ConfigurationError
from nas_env.system.files import write_durably
from nas_env.tables.file import read_table
from nas_env.tables.held_out import load_held_out_metrics
from nas_env.tables.table import index_of

STOPPED = "interrupted; the same command goes on from here"
BUDGETS = (100, 200, 500, 1000, 2000, 5000)
"""Rows of the tables, as far as the searches go; the end is always one."""


@dataclass(frozen=True)
class CompareOptions:
    """What to compare."""

    agents: tuple[str, ...] = ("reinforce", "random", "evolution")
    """Names: reinforce, random, evolution, ppo, a2c, maskable_ppo, recurrent_ppo. Hyper-parameters
    that differ from the preset's follow a colon:
    reinforce:learning_rate=6e-4,entropy_coefficient=0.01."""
    env: str = "NAS-Digits-Table-v0"
    """Id of the environment."""
    children: int = 1000
    """Budget of each search."""
    seeds: int = 5
    """Number of paired seeds: 0, 1, ..."""
    children_per_update: int = 8
    """Architectures per update."""
    preset: str = "quick"
    """Hyper-parameters of the agents: quick, fast or paper."""
    arguments: str = "{}"
    """Keyword arguments of the environment as JSON, such as '{"table": "my.npz"}'."""
    every: int | None = None
    """Children between points of the curves. Default: a hundredth of the budget, at least 10."""
    folder: Path | None = None
    """Where everything is kept. Default: runs/compare-ENV."""


def main(options: CompareOptions) -> int:
    """Compare; the exit status is 0, 2 for an error, 130 after Ctrl-C."""

    def body() -> int:
        compare(options)
        return 0

    return run_command(body, lambda: STOPPED)


def compare(options: CompareOptions) -> Path:
    """Run what has not been run, write the report, return its path."""
    contest = _contest(options)
    family = family_of(settings_given(find_spec(options.env), contest.arguments))
    contenders = [parse_contender(a, options.preset, family) for a in dict.fromkeys(options.agents)]
    folder = options.folder or Path("runs") / f"compare-{options.env.replace('/', '-')}"
    runner = ComparisonRunner(contest, folder)
    found: dict[tuple[str, int], Trace] = {}
    for seed in range(options.seeds):
        for contender in contenders:
            found[contender.label, seed] = runner.run(contender, seed)
        print(f"seed {seed + 1} of {options.seeds} done", flush=True)
    every = options.every or max(10, options.children // 100)
    comparison = Comparison([*found.values()], every)
    about = _page(options, contest, comparison, found, runner.looks_up)
    _print(comparison, about)
    with folder_errors(folder):
        write_durably(folder / "curves.csv", curves_csv(comparison).encode())
        path = folder / "report.html"
        write_durably(path, comparison_page(comparison, about).encode())
    print(f"\nreport: {path}")
    return path


def _contest(options: CompareOptions) -> Contest:
    for name in ("children", "seeds", "children_per_update"):
        if getattr(options, name) < 1:
            raise ConfigurationError(f"{name} must be at least 1, got {getattr(options, name)}.")
    if options.every is not None and options.every < 1:
        raise ConfigurationError(f"every must be at least 1, got {options.every}.")
    try:
        arguments = dict(json.loads(options.arguments))
    except (ValueError, TypeError) as error:
        raise ConfigurationError(
            f'--arguments must be a JSON object such as \'{{"table": "my.npz"}}\', got '
            f"{options.arguments!r}."
        ) from error
    return Contest(options.env, options.children, options.children_per_update, arguments)


def _page(
    options: CompareOptions,
    contest: Contest,
    comparison: Comparison,
    found: dict[tuple[str, int], Trace],
    looks_up: bool,
) -> Page:
    budgets = [n for n in BUDGETS if n < options.children] + [options.children]
    test = None
    if looks_up:
        name = str(contest.arguments.get("table", "digits"))
        test = best_test_figures(comparison, _test_figures(name, found), budgets)
    origin = [
        ("command", command_line()),
        ("versions", versions_line(versions())),
        ("hardware", hardware_line(hardware())),
    ]
    return Page(f"{options.env}: agents compared", origin, budgets, test)


def _test_figures(table: str, found: dict[tuple[str, int], Trace]) -> dict[tuple[str, int], Any]:
    """Held-out figure of every child: the mean of its trainings. Read when searches are over."""
    space = read_table(table).search_space
    figures = np.nanmean(load_held_out_metrics(table), axis=1)
    return {
        key: figures[[index_of(space, tokens) for tokens in one.tokens.tolist()]]
        for key, one in found.items()
    }


def _print(comparison: Comparison, about: Page) -> None:
    print("\n" + table_text(*budget_rows(comparison, about)))
    if verdicts := verdict_rows(comparison):
        print("\nAgainst random search:\n" + table_text(VERDICT_HEADS, verdicts))


if __name__ == "__main__":
    run_script(lambda: main(tyro.cli(CompareOptions, description=__doc__)))
