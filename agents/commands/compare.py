"""Compare agents over paired seeds: Figure 6 of the paper, curves, and when they beat random.

``python scripts/compare_agents.py --agents reinforce random evolution --env NAS-Digits-Table-v0
--children 1000 --seeds 20``

Ctrl-C and start again with the same folder: what is finished is kept. More seeds, agents or
children can be added later.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from agents.command import run_command
from agents.commands.compare_suite import SuiteRun, compare_suite
from agents.comparison.report import (
    VERDICT_HEADS,
    Page,
    best_figures,
    budget_rows,
    comparison_page,
    curves_csv,
    table_text,
    verdict_rows,
)
from agents.comparison.run import ComparisonRunner, Contest, folder_errors, parse_contender
from agents.comparison.side_by_side import Job, run_jobs
from agents.comparison.statistics import Comparison
from agents.records.provenance import command_line, hardware, versions
from agents.records.trace import Floats, Trace
from agents.reports.facts import hardware_line, versions_line
from agents.search.environment import find_spec
from agents.search.flags import environment_flags, parse_flags, settings_flags
from agents.search.resolve import family_of, further_arguments, settings_given
from agents.search.setting_names import environment_setting_names
from nas_env.checks import at_least, check_settings, some
from nas_env.envs.settings import ChildSettings
from nas_env.envs.table_env import TableSettings
from nas_env.errors import ConfigurationError
from nas_env.evaluation.named_reward import reward_from_text
from nas_env.system.files import write_durably
from nas_env.system.folders import user_path
from nas_env.tables.file import read_table
from nas_env.tables.noise import noise_of, regrets
from nas_env.tables.table import Table, index_of
from nas_env.training.recipe_choice import recipe_from_text

STOPPED = "interrupted; the same command goes on from here"
BUDGETS = (100, 200, 500, 1000, 2000, 5000)
"""Rows of the tables, as far as the searches go; the end is always one."""


@dataclass(frozen=True)
class CompareOptions:
    """What to compare.

    Attributes:
        agents: names: reinforce, random, evolution, screen, gp, hybrid, ppo, a2c, maskable_ppo,
            recurrent_ppo. Hyper-parameters that differ from the preset's follow a colon:
            reinforce:learning_rate=6e-4,entropy_coefficient=0.01.
        env: id of the environment.
        suite: instead of one environment, tables: "tables" for all that an id is registered for,
            and names or files of others. The report is about all of them together.
        children: budget of each search.
        seeds: number of paired seeds.
        first_seed: the first of them; the others follow it.
        children_per_update: architectures per update.
        preset: hyper-parameters of the agents: quick, fast or paper.
        recipe: how children are trained, where they are. Default: the environment's.
        dataset: what on. Default: the environment's.
        reward: what a child is worth: a name, or a JSON object with settings. Default: the paper's
            of the metric.
        arguments: further keyword arguments of the environment as a JSON object.
        every: children between points of the curves. Default: a hundredth of the budget, at least
            10.
        at_once: searches at the same time, each in a process of its own. Default: as many as there
            are cores on a table, else one, whose children train side by side.
        run_dir: folder where everything is kept. Default: runs/compare-ENV.
        test: also show held-out figures of a table: for a comparison that is final, not for
            choosing agents or settings.
        environment: arguments of the environment that have flags of their own.
    """

    agents: Annotated[tuple[str, ...], some] = ("reinforce", "random", "evolution")
    env: str = "NAS-Digits-Table-v0"
    suite: tuple[str, ...] = ()
    children: Annotated[int, at_least(1)] = 1000
    seeds: Annotated[int, at_least(1)] = 5
    first_seed: Annotated[int, at_least(0)] = 0
    children_per_update: Annotated[int, at_least(1)] = 8
    preset: str = "quick"
    recipe: str | None = None
    dataset: str | None = None
    reward: str | None = None
    arguments: str | None = None
    every: Annotated[int | None, at_least(1)] = None
    at_once: Annotated[int | None, at_least(1)] = None
    run_dir: Path | None = None
    test: bool = False
    environment: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def folder(self) -> Path:
        """Where everything is kept."""
        if self.run_dir is not None:
            return user_path(self.run_dir)
        if self.suite:
            return Path("runs") / "compare-tables"
        return Path("runs") / f"compare-{self.env.replace('/', '-')}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare; the exit status is 0, 2 for an error, 130 after Ctrl-C."""

    def body() -> int:
        compare(parse(sys.argv[1:] if arguments is None else arguments))
        return 0

    return run_command(body, lambda: STOPPED)


def parse(arguments: Sequence[str]) -> CompareOptions:
    """The options of a command line."""
    own = [flag for flag in settings_flags(CompareOptions) if flag.name != "environment"]
    groups = {"compare": own, "environment": environment_flags()}
    values = parse_flags(groups, arguments, (__doc__ or "").partition("\n\n")[0])
    environment = {
        name: value
        for name in environment_setting_names()
        if (value := values.pop(name)) is not None
    }
    return CompareOptions(**values, environment=environment)


def compare(options: CompareOptions) -> Path:
    """Run what has not been run, write the report, return its path."""
    if options.suite:
        return compare_suite(_suite(options))
    contest = _contest(options)
    settings = settings_given(find_spec(options.env), contest.arguments)
    contenders = [
        parse_contender(agent, options.preset, family_of(settings))
        for agent in dict.fromkeys(options.agents)
    ]
    ComparisonRunner(contest, options.folder).check(contenders)
    if options.test:
        _held_out(settings)  # there, before anything runs; looked at when all is over
    jobs = [
        Job(contest, options.folder, contender, options.first_seed + number)
        for number in range(options.seeds)
        for contender in contenders
    ]
    traces = run_jobs(jobs, options.at_once, told)
    found = {(job.contender.label, job.seed): one for job, one in zip(jobs, traces, strict=True)}
    every = options.every or max(10, options.children // 100)
    comparison = Comparison([*found.values()], every)
    about = _page(options, comparison, found, settings)
    _print(comparison, about)
    with folder_errors(options.folder):
        write_durably(options.folder / "curves.csv", curves_csv(comparison).encode())
        path = options.folder / "report.html"
        write_durably(path, comparison_page(comparison, about).encode())
    print(f"\nreport: {path}")
    return path


def _suite(options: CompareOptions) -> SuiteRun:
    given = {name: getattr(options, name) for name in ("recipe", "dataset", "arguments")}
    given["test"] = options.test or None
    names = [name for name, value in {**given, **options.environment}.items() if value is not None]
    if names:
        raise ConfigurationError(
            f"--suite plays tables as they are, so {', '.join(names)} cannot be given with it: "
            "leave it out, or compare on one environment (--env)."
        )
    return SuiteRun(
        options.suite,
        list(dict.fromkeys(options.agents)),
        options.preset,
        options.children,
        options.children_per_update,
        range(options.first_seed, options.first_seed + options.seeds),
        options.at_once,
        options.folder,
    )


def told(done: int, of: int) -> None:
    """Say how far the searches are."""
    print(f"{done} of {of} searches done", flush=True)


def _contest(options: CompareOptions) -> Contest:
    recipe = None if options.recipe is None else recipe_from_text(options.recipe)
    reward = None if options.reward is None else reward_from_text(options.reward)
    named = {"recipe": recipe, "dataset": options.dataset, "reward": reward}
    arguments = {
        **further_arguments(options.arguments),
        **options.environment,
        **{name: value for name, value in named.items() if value is not None},
    }
    return Contest(options.env, options.children, options.children_per_update, arguments)


def _page(
    options: CompareOptions,
    comparison: Comparison,
    found: dict[tuple[str, int], Trace],
    settings: ChildSettings | None,
) -> Page:
    budgets = [n for n in BUDGETS if n < options.children] + [options.children]
    regret, noise, test = None, "", None
    if isinstance(settings, TableSettings) and settings.looks_up:
        table = read_table(settings.table)
        regret = best_figures(comparison, _of_children(table, regrets(table), found), budgets)
        noise = str(noise_of(table))
        if options.test:
            held_out = _of_children(table, _held_out(settings), found)
            test = best_figures(comparison, held_out, budgets)
    origin = [
        ("command", command_line()),
        ("versions", versions_line(versions())),
        ("hardware", hardware_line(hardware())),
    ]
    return Page(f"{options.env}: agents compared", origin, budgets, regret, noise, test)


def _held_out(settings: ChildSettings | None) -> Floats:
    """(members,) mean held-out figure of each member of the table that is played.

    Raises:
        ConfigurationError: no table is played.
        InvalidDatasetError: its table has none.
    """
    if not isinstance(settings, TableSettings) or not settings.looks_up:
        raise ConfigurationError(
            "--test shows the held-out figures of a table, but children are trained here: leave it "
            "out, and test what was found with `nas-env finalise`."
        )
    from nas_env.tables.held_out import load_held_out_metrics

    figures: Floats = np.nanmean(load_held_out_metrics(settings.table), axis=1)
    return figures


def _of_children(
    table: Table, figures: Floats, found: Mapping[tuple[str, int], Trace]
) -> dict[tuple[str, int], Floats]:
    """A figure of every member, as one of every child."""
    space = table.search_space
    return {
        key: figures[[index_of(space, tokens) for tokens in one.tokens.tolist()]]
        for key, one in found.items()
    }


def _print(comparison: Comparison, about: Page) -> None:
    print("\n" + table_text(*budget_rows(comparison, about)))
    if about.noise:
        print(f"\nNoise of the table: {about.noise}.")
    if verdicts := verdict_rows(comparison):
        print("\nAgainst random search:\n" + table_text(VERDICT_HEADS, verdicts))
