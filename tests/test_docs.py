"""The documentation is true: pages are fresh, code runs, commands, links and columns exist."""

import csv
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import agents
import nas_env
from agents.registry import AGENTS, resolved_options
from nas_env.errors import ConfigurationError
from scripts.build_docs import FOLDER, pages, parts
from scripts.build_results import result_files
from scripts.documents.regions import names, refilled, stale
from scripts.documents.results import Figure, load, problems
from tests.documents import ROOT, check_command, commands, missing_files, python_blocks

DOCS = ROOT / "docs"
GENERATED = {*FOLDER.glob("*.md"), DOCS / "package.md"}
WRITTEN = sorted(set(DOCS.rglob("*.md")) - GENERATED)  # by hand
WITH_CODE = [page for page in WRITTEN if python_blocks(page)]
COMMANDS = [command for page in WRITTEN for command in commands(page)]
RUN_ALL = """
import contextlib, json, os, pathlib, sys
for name, program in json.loads(sys.stdin.read()).items():
    pathlib.Path(name).mkdir()
    os.chdir(name)
    exec(compile(program, name, "exec"), {"__name__": "__main__"})
    os.chdir("..")
    print("ran", name)
"""


def test_the_pages_of_environments_are_fresh() -> None:
    expected = dict(pages())
    assert stale(expected) == [], "run: python scripts/build_docs.py"
    assert set(FOLDER.glob("*")) == set(expected), "a page of an id that is no more"


def test_tables_of_settings_and_the_package_page_are_fresh() -> None:
    assert stale(dict(parts())) == [], "run: python scripts/build_docs.py"


def test_tables_and_charts_of_results_are_those_of_the_figures() -> None:
    files = result_files()
    assert stale(files) == [], "run: python scripts/build_results.py"
    assert set((DOCS / "results").glob("*.svg")) == {f for f in files if f.suffix == ".svg"}


def test_every_measured_figure_is_shown() -> None:
    shown = [page.read_text() for page in (DOCS / "results").glob("*.md")]
    assert set(load().tables) == {name for text in shown for name in names(text, "table")}
    assert set(load().sources) == {name for text in shown for name in names(text, "source")}


def test_a_figure_of_no_table_and_a_measurement_without_a_command_are_noticed() -> None:
    results = load()
    unknown = replace(results, figures={"digits/random/best": Figure(1.0)})
    assert "figure 'digits/random/best' belongs to no column" in problems(unknown)
    source = replace(results.sources["kills"], commands=(), repeat="")
    silent = replace(results, sources={**results.sources, "kills": source})
    assert problems(silent) == ["source 'kills' has neither a command nor a word why"]


def test_only_parts_of_a_known_kind_are_made_anew() -> None:
    page = "a\n<!-- table x -->\nold\n<!-- end -->\nb\n<!-- other -->\nkept\n<!-- end -->\n"
    made = refilled(page, {"table": lambda name: f"new {name}"})
    assert made == page.replace("old", "new x")
    with pytest.raises(ConfigurationError, match="1 generated parts begin, 0 end"):
        refilled("<!-- table x -->\n", {})


def test_a_setting_of_an_agent_stands_on_its_page() -> None:
    line = "| `tournament` | 25 | a whole number of at least 1 | architectures drawn"
    assert line in (DOCS / "agents" / "evolution.md").read_text()


def test_every_page_is_reached_from_the_index() -> None:
    index = (DOCS / "index.md").read_text().replace("\n", " ")
    linked = {(DOCS / name).resolve() for name in re.findall(r"\]\(([^)]+\.md)\)", index)}
    assert set(DOCS.rglob("*.md")) - linked == {DOCS / "index.md", DOCS / "package.md"}


def test_python_blocks_run_in_order_on_each_page(tmp_path: Path) -> None:
    import json

    programs = {page.stem: "\n".join(python_blocks(page)) for page in WITH_CODE}
    assert {"quick_start", "own_data", "own_search_space", "own_agent"} <= set(programs)
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", RUN_ALL],
        input=json.dumps(programs),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("ran ") == len(programs)


@pytest.mark.parametrize("command", sorted(set(COMMANDS)))
def test_commands_name_scripts_and_flags_that_exist(command: str) -> None:
    check_command(command)


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: str(page.stem))
def test_links_lead_somewhere(page: Path) -> None:
    assert missing_files(page) == []


@pytest.mark.parametrize("agent", [*AGENTS, "ppo", "a2c"])
def test_every_logged_column_is_explained(agent: str, tmp_path: Path) -> None:
    space = nas_env.ChoiceSpace({"width": [1, 2], "depth": [1, 2]})
    env = nas_env.ArchitectureEnv(space, lambda _, seed: seed % 7 / 7)
    agents.run_search(env, agent, children=8, run_dir=tmp_path / "run")
    page = agent if agent in AGENTS else "stable_baselines3"
    text = (DOCS / "agents" / "what_is_logged.md").read_text()
    text += (DOCS / "agents" / f"{page}.md").read_text()
    heads = re.findall(r"^\| (`[^|]+`) \|", text, flags=re.MULTILINE)
    explained = set(re.findall(r"`([\w/]+)`", " ".join(heads)))
    for name in ("updates.csv", "episodes.csv"):
        with (tmp_path / "run" / name).open(newline="") as file:
            assert set(next(csv.reader(file))) <= explained


@pytest.mark.parametrize("agent", AGENTS)
def test_every_option_is_explained(agent: str) -> None:
    text = (DOCS / "agents" / f"{agent}.md").read_text()
    assert [name for name in resolved_options(agent, {}) if f"`{name}`" not in text] == []


def test_what_tracking_adds_is_explained() -> None:
    from agents.tracking.figures import Figures
    from tests.agents.tracking.test_tracker import episode

    figures = Figures()
    figures.add([episode(1, 0.5), episode(2, None, "timeout")])
    general = (DOCS / "agents" / "what_is_logged.md").read_text()
    for name in [*figures.row({}, [], 1.0), "memory_gb"]:
        assert f"| `{name.replace('timeout', 'KIND')}` |" in general
