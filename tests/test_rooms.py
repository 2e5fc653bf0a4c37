"""The architecture of the repository: who may import whom, and what stays light."""

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# A room may import itself and the rooms named here (DESIGN: imports go one way).
ALLOWED: dict[str, set[str]] = {
    "nas_env.system": set(),
    "nas_env.space": set(),
    "nas_env.child": {"nas_env.space"},
    "nas_env.data": {"nas_env.space"},
    "nas_env.training": {"nas_env.space", "nas_env.child", "nas_env.data"},
    "nas_env.rendering": {"nas_env.space", "nas_env.child"},
    "nas_env.network": {"nas_env.space", "nas_env.child", "nas_env.data"},
}
ALLOWED["nas_env.evaluation"] = {*ALLOWED["nas_env.training"], "nas_env.training"}
ALLOWED["nas_env.tables"] = {"nas_env.space", "nas_env.evaluation"}
ALLOWED["nas_env.tasks"] = {*ALLOWED["nas_env.evaluation"]} | {
    *("nas_env.evaluation", "nas_env.rendering"),
}
ALLOWED["nas_env.envs"] = {*ALLOWED["nas_env.tasks"], "nas_env.tasks", "nas_env.tables"}
PROTOCOLS = {"agents.agent", "agents.agent_state", "agents.streams"}
ALLOWED["agents.reinforce"] = PROTOCOLS
ALLOWED["agents.screening"] = {*PROTOCOLS, "agents.reinforce"}
ALLOWED["agents.records"] = {"agents.agent"}
ALLOWED["agents.reports"] = {"agents.records", "agents.observer"}
ALLOWED["agents.tracking"] = {"agents.records", "agents.reports", "agents.observer"}
ALLOWED["agents.finalise"] = {"agents.records", "agents.reports"}
ALLOWED["agents.search"] = {*ALLOWED["agents.tracking"], *PROTOCOLS} | {
    *("agents.registry", "agents.presets", "agents.tracking"),
}
TOP_LEVEL: dict[str, set[str]] = {
    "nas_env": {"nas_env"},
    "agents": {"nas_env", "agents"},
    "baselines": {"nas_env", "baselines"},
    "scripts": {"nas_env", "agents", "baselines", "scripts"},
}
PROTOCOL = "agents.agent"  # what a baseline implements to play in a search; nothing else of agents
EVERYWHERE = {"nas_env.errors", "nas_env.checks", "nas_env.system"}
LAZY_ONLY = {"ray", "wandb"}


def imported_modules(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield (module, at module level) of every import statement in a file."""
    tree = ast.parse(path.read_text())
    top = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) in top
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or "", id(node) in top
            for alias in node.names:
                yield f"{node.module}.{alias.name}", id(node) in top


def room_of(module: str) -> str:
    return ".".join(module.split(".")[:2])


def source_files() -> list[Path]:
    return sorted(p for top in TOP_LEVEL for p in (ROOT / top).rglob("*.py"))


def forbidden_imports(path: Path) -> list[str]:
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    room, top = room_of(module), module.split(".")[0]
    found = []
    for name, at_top in imported_modules(path):
        package = name.split(".")[0]
        if package in LAZY_ONLY and at_top:
            found.append(f"{name} at module level")
        if package not in TOP_LEVEL:
            continue
        if package not in TOP_LEVEL[top]:
            if not (top == "baselines" and f"{name}.".startswith(f"{PROTOCOL}.")):
                found.append(name)
        elif (
            room in ALLOWED
            and package == top != name
            and room_of(name) not in {room, *ALLOWED[room], *EVERYWHERE}
        ):
            found.append(name)
    return found


@pytest.mark.parametrize("path", source_files(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    assert forbidden_imports(path) == []


def test_a_forbidden_arrow_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = tmp_path / "nas_env" / "space" / "bad.py"
    bad.parent.mkdir(parents=True)
    bad.write_text("from nas_env.training import outcome\nimport wandb\nimport agents.search\n")
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    assert set(forbidden_imports(bad)) >= {
        "nas_env.training",
        "wandb at module level",
        "agents.search",
    }


HELD_OUT = {"nas_env/data/held_out_images.py", "nas_env/data/held_out_text.py"}
MAY_IMPORT_HELD_OUT = {
    "agents/commands/compare.py",  # with --test alone
    "agents/commands/language_training.py",  # with --test alone
    "scripts/build_table.py",  # measures every member, chooses none
}


def readers_of_held_out_parts(root: Path) -> set[str]:
    """Files that touch the ``held_out`` reader of a data set's row."""
    return {
        str(path.relative_to(root))
        for top in TOP_LEVEL
        for path in (root / top).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == "held_out"
    }


def test_only_two_files_touch_what_is_held_out(tmp_path: Path) -> None:
    assert readers_of_held_out_parts(ROOT) == HELD_OUT
    bad = tmp_path / "nas_env" / "training" / "bad.py"
    bad.parent.mkdir(parents=True)
    bad.write_text("def score(row, folder):\n    return row.held_out(folder)\n")
    assert readers_of_held_out_parts(tmp_path) == {"nas_env/training/bad.py"}


def test_nothing_that_searches_or_tunes_imports_what_is_held_out() -> None:
    """Finalising measures what was chosen; whatever else asks for held-out figures stands above."""
    importing = {
        str(path.relative_to(ROOT))
        for path in source_files()
        if path.relative_to(ROOT).parts[:2] != ("agents", "finalise")
        if any("held_out" in name for name, _ in imported_modules(path))
    }
    assert importing == MAY_IMPORT_HELD_OUT


NAMES = ("cifar10", "digits", "ptb", "pydocs")
MAY_NAME_DATA_SETS = {
    *(f"nas_env/data/{name}.py" for name in NAMES),
    "nas_env/data/datasets.py",  # which files hold rows
    "nas_env/registration.py",  # arguments of ids
    "nas_env/tasks/conv_kind.py",  # the default of a kind
    "nas_env/tasks/cell_kind.py",
    "nas_env/tables/file.py",  # tables have names too
    "nas_env/envs/table_env.py",
}


def test_no_other_file_lists_names_of_data_sets() -> None:
    naming = {
        str(path.relative_to(ROOT))
        for path in source_files()
        if path.relative_to(ROOT).parts[0] in ("nas_env", "agents")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in NAMES
    }
    assert naming <= MAY_NAME_DATA_SETS


def test_a_report_cannot_steer_a_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = tmp_path / "agents" / "reports" / "bad.py"
    bad.parent.mkdir(parents=True)
    bad.write_text("from agents.search import play\nfrom nas_env.errors import NasEnvError\n")
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    assert set(forbidden_imports(bad)) == {"agents.search", "agents.search.play"}


def test_a_baseline_may_import_the_protocol_of_agents_and_nothing_else_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = tmp_path / "baselines" / "bad.py"
    bad.parent.mkdir()
    bad.write_text("from agents.agent import Agent\nfrom agents import search\n")
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    assert forbidden_imports(bad) == ["agents", "agents.search"]


def import_circle() -> list[str]:
    """Modules of which each imports the next while it loads, and the last the first; [] = none."""
    paths = {
        ".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): p
        for p in source_files()
    }
    graph = {
        module: {name for name, at_top in imported_modules(path) if at_top and name in paths}
        for module, path in paths.items()
    }
    for module, names in graph.items():  # from a package: its modules load, it has loaded before
        names -= {module, *(name for name in names if paths[name].name == "__init__.py")}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert import_circle() == []


def test_a_circle_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, other in (("a", "b"), ("b", "c"), ("c", "a")):
        (tmp_path / "agents").mkdir(exist_ok=True)
        (tmp_path / "agents" / f"{name}.py").write_text(f"from agents.{other} import something\n")
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    assert {"agents.a", "agents.b", "agents.c"} == set(import_circle())
    (tmp_path / "agents" / "c.py").write_text("def late():\n    from agents.a import something\n")
    assert import_circle() == []


def explanations(path: Path) -> str:
    """Comments and docstrings of a Python file; all lines of another file that are comments."""
    text = path.read_text()
    if path.suffix != ".py":
        return "\n".join(line for line in text.splitlines() if "//" in line)
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return "\n".join(
        token.string
        for token in tokens
        if token.type == tokenize.COMMENT
        or (token.type == tokenize.STRING and token.string.lstrip("r").startswith('"""'))
    )


@cache
def all_files() -> frozenset[str]:
    tops = (*TOP_LEVEL, "tests")
    paths = (path for top in tops for path in (ROOT / top).rglob("*.*"))
    return frozenset(f"/{path.relative_to(ROOT)}" for path in paths)


def missing_files(path: Path) -> set[str]:
    """Names of source files in a file's explanations that end no path of this repository."""
    named = re.findall(r"(?<![\w./-])([\w./-]*\w\.(?:py|cpp|h))\b", explanations(path))
    return {
        name
        for name in named
        if not Path(name).stem.isupper()  # NAME.py: any
        and not any(known.endswith(f"/{name}") for known in all_files())
    }


@pytest.mark.parametrize(
    "path",
    [*source_files(), *sorted((ROOT / "nas_env" / "child" / "cell" / "kernels").iterdir())],
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_explanations_name_files_that_exist(path: Path) -> None:
    others = {"ppo.py"} if path.name == "cleanrl_ppo.py" else set()  # CleanRL's
    assert missing_files(path) <= others


def test_a_file_that_is_named_and_missing_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text('"""As agents/nowhere.py does, unlike agent.py."""  # see gone.h\n')
    assert missing_files(path) == {"agents/nowhere.py", "gone.h"}


@pytest.mark.parametrize(
    "statement",
    [
        "import nas_env",
        "import nas_env.space.conv, nas_env.evaluation.store, nas_env.evaluation.pool.process_pool",
        "import nas_env.envs.conv_env, nas_env.envs.vector_env",
        "import nas_env; nas_env.draw_figure(nas_env.published.FIGURE_7).array()",
        "from nas_env.data.datasets import dataset_names; dataset_names()",
        "import nas_env; nas_env.register_kind; nas_env.evaluate",
    ],
)
def test_torch_is_not_imported_before_a_child_is_built(statement: str) -> None:
    code = f"import sys; {statement}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_the_packages_that_are_installed_are_ours_and_come_from_one_place() -> None:
    """Where another distribution owns one of the names, the warning of nas_env is an error here."""
    code = (
        "import nas_env, agents, baselines\n"
        "print(nas_env.__file__, agents.__file__, baselines.__file__)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, cwd="/"
    )
    assert done.returncode == 0, done.stderr
    assert len({Path(file).parents[1] for file in done.stdout.split()}) == 1


def test_files_stay_small_enough_to_hold_in_the_head() -> None:
    long = {
        str(p.relative_to(ROOT)): n
        for p in source_files()
        if (n := len(p.read_text().splitlines())) > 400
    }
    assert long == {}


def test_functions_stay_small_enough_to_hold_in_the_head() -> None:
    long = {
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}": n
        for path in source_files()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (n := (node.end_lineno or node.lineno) - node.lineno + 1) > 60
    }
    assert long == {}
