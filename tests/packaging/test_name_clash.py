"""A package that stands in the place of ours is noticed at ``import nas_env`` and explained."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nas_env.system.name_clash import COST, warn_of_clashes

ROOT = Path(__file__).parents[2]
LOOK = """
import json, warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import nas_env
import agents
found = agents.__file__ or agents.__path__[0]
told = [str(w.message) for w in caught if str(w.message).startswith("nas_env")]
print(json.dumps([told, found, [w.filename for w in caught if str(w.message) in told]]))
"""
EDITABLE = f"""
import sys
from importlib.machinery import PathFinder
class Finder:  # as an editable install adds one: asked after all of sys.path
    def find_spec(name, path=None, target=None):
        return PathFinder.find_spec(name, [{str(ROOT)!r}]) if path is None else None
sys.meta_path.insert(sys.meta_path.index(PathFinder) + 1, Finder)
"""


def look(folder: Path, home: Path | None = ROOT, before: str = "") -> tuple[list[str], Path]:
    """What ``import nas_env`` says in a folder, and what ``import agents`` then really finds."""
    path = {"PYTHONPATH": "" if home is None else str(home)}
    done = subprocess.run(
        [sys.executable, "-c", before + LOOK],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, **path},
    )
    assert done.returncode == 0, done.stderr
    told, found, lines = json.loads(done.stdout)
    assert set(lines) <= {"<string>"}, "the warning names the line of the user's import"
    return told, Path(found)


def installed(folder: Path, *names: str) -> Path:
    """A site-packages with nas_env and, of the others, those named."""
    site = folder / "site-packages"
    site.mkdir()
    (site / "nas_env").symlink_to(ROOT / "nas_env")
    for name in names:
        shutil.copytree(ROOT / name, site / name, ignore=shutil.ignore_patterns("__pycache__"))
    return site


def record(site: Path, name: str, *files: str) -> None:
    """What pip writes down of a distribution."""
    folder = site / f"{name}-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (folder / "RECORD").write_text("".join(f"{file},,\n" for file in files))


def test_nothing_is_said_where_all_is_ours(tmp_path: Path) -> None:
    assert look(tmp_path) == ([], ROOT / "agents" / "__init__.py")
    site = installed(tmp_path, "agents", "baselines")
    assert look(tmp_path, site) == ([], site / "agents" / "__init__.py")


@pytest.mark.parametrize("name", ["agents/__init__.py", "agents.py"])
def test_a_folder_or_file_of_the_user_in_the_place_of_ours_is_named(
    name: str, tmp_path: Path
) -> None:
    theirs = tmp_path / name
    theirs.parent.mkdir(exist_ok=True)
    theirs.write_text('"""My own agents, that play nas_env."""\n')
    [told], found = look(tmp_path)
    assert found == theirs
    assert f"`import agents` finds {theirs}" in told and str(ROOT / "agents") in told
    assert "Rename that file or folder" in told and COST["agents"] in told


def test_a_folder_without_init_clashes_only_where_it_is_found_first(tmp_path: Path) -> None:
    (tmp_path / "agents").mkdir()
    assert look(tmp_path) == ([], ROOT / "agents" / "__init__.py")
    [told], found = look(tmp_path, None, EDITABLE)
    assert found == tmp_path / "agents" and f"finds {found}" in told


def test_another_distribution_that_is_found_first_is_named(tmp_path: Path) -> None:
    site = tmp_path / "site-packages"
    (site / "agents").mkdir(parents=True)
    (site / "agents" / "__init__.py").write_text("")
    record(site, "other_agents", "agents/__init__.py")
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    code = f"import sys; sys.path.insert(0, {str(site)!r})\n"
    [told], found = look(folder, before=code)
    assert found == site / "agents" / "__init__.py"
    assert "uninstall the distribution that it belongs to (other_agents)" in told


def test_another_distribution_that_overwrote_ours_is_named(tmp_path: Path) -> None:
    site = installed(tmp_path, "agents", "baselines")
    init = site / "agents" / "__init__.py"
    init.write_text('"""Agents that book flights."""\n')
    record(site, "nas_env", "nas_env/__init__.py", "agents/__init__.py")
    record(site, "other-agents", "agents/__init__.py")
    [told], found = look(tmp_path, site)
    assert found == init
    assert f"another distribution (other_agents) has overwritten {init}" in told
    assert "--force-reinstall" in told


def test_nothing_is_said_where_nas_env_is_installed_alone(tmp_path: Path) -> None:
    site = installed(tmp_path)
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "__init__.py").write_text("")
    assert look(tmp_path, site) == ([], tmp_path / "agents" / "__init__.py")


def test_baselines_are_looked_at_too(tmp_path: Path) -> None:
    (tmp_path / "baselines.py").write_text("")
    [told], _ = look(tmp_path)
    assert f"`import baselines` finds {tmp_path / 'baselines.py'}" in told


def test_worker_processes_do_not_repeat_the_warning(tmp_path: Path) -> None:
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "__init__.py").write_text("")
    (tmp_path / "program.py").write_text(
        "import multiprocessing\n"
        "import nas_env\n"
        "from nas_env.evaluation.callable_evaluator import CallableTask\n"
        "from nas_env.evaluation.evaluator import Job\n"
        "from nas_env.evaluation.pool.process_pool import ProcessExecutor\n"
        "from nas_env.space.choices import ChoiceArchitecture\n"
        "if __name__ == '__main__':\n"
        "    pool = ProcessExecutor(CallableTask(lambda a, seed: 0.5, 'test'), 2, None)\n"
        "    jobs = [Job(ChoiceArchitecture({'units': n}), seed=n) for n in (1, 2)]\n"
        "    print(sorted(evaluation.metric for _, evaluation in pool.run(jobs)))\n"
        "    pool.close()\n"
        "    child = multiprocessing.get_context('spawn').Process(target=print, args=('child',))\n"
        "    child.start(), child.join()\n"
    )
    done = subprocess.run(
        [sys.executable, "program.py"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.stdout.splitlines() == ["[0.5, 0.5]", "child"], done.stderr
    assert done.stderr.count("UserWarning: nas_env: ") == 1, done.stderr


def test_looking_reads_our_two_files_and_no_list_of_distributions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So that `import nas_env` costs no more for it."""
    opened: list[Path] = []
    open_path = Path.open

    def watched(path: Path, *arguments: Any, **more: Any) -> Any:
        opened.append(path)
        return open_path(path, *arguments, **more)

    def listed() -> None:
        raise AssertionError("the list of distributions takes long to read")

    monkeypatch.setattr(Path, "open", watched)
    monkeypatch.setattr("importlib.metadata.distributions", listed)
    warn_of_clashes(ROOT)
    assert opened == [ROOT / name / "__init__.py" for name in COST]


@pytest.mark.parametrize("name", COST)
def test_the_first_line_of_our_packages_tells_whose_they_are(name: str) -> None:
    assert "nas_env" in (ROOT / name / "__init__.py").read_text().splitlines()[0]
