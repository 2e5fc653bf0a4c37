"""The wheel and the source distribution hold everything, and the wheel works away from here."""

import csv
import email
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import nas_env

yaml: Any = import_module("yaml")  # of wandb; it has no annotations

ROOT = Path(__file__).parents[2]
PACKAGES = ("nas_env", "agents", "baselines")
PAGE = ROOT / "docs" / "package.md"


def run(*command: str | Path, cwd: Path) -> str:
    """What a command prints, run where no variable leads back to the repository or its caches."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    kept["NAS_ENV_CACHE"] = str(cwd / "cache")
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=kept)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def sources() -> set[str]:
    """Every file of the packages: source and data."""
    files = (path for name in PACKAGES for path in (ROOT / name).rglob("*") if path.is_file())
    return {str(p.relative_to(ROOT)) for p in files if "__pycache__" not in p.parts}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the sdist, and the wheel that was built from that sdist."""
    folder = tmp_path_factory.mktemp("built")
    copy = folder / "copy"  # building writes beside the sources
    copy.mkdir()
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, copy)
    for name in (*PACKAGES, "docs", "scripts", "tests"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, copy, cwd=folder)
    shutil.rmtree(copy)
    yield folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    [path] = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def away(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` of a fresh environment with the wheel in it.

    The dependencies are those of the environment of the tests: a ``.pth`` file names its folder.
    The paths that an editable install of nas_env adds there are not taken over.
    """
    folder = tmp_path_factory.mktemp("away")
    venv.create(folder / "env", with_pip=False, symlinks=True)
    programs = folder / "env" / ("Scripts" if os.name == "nt" else "bin")
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    own = Path(run(programs / "python", "-c", ask, cwd=folder).strip())
    (own / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    options = ("--quiet", "--no-index", "--no-deps", "--ignore-installed")
    run(programs / "python", "-m", "pip", "install", *options, wheel, cwd=folder)
    return programs


@pytest.mark.slow
def test_the_wheel_holds_the_packages_file_by_file_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    held = {name for name in names if ".dist-info/" not in name}
    assert held == sources()
    assert {Path(name).suffix for name in held} >= {".py", ".cpp", ".h", ".npz", ".typed"}
    assert any(name.endswith("licenses/LICENSE") for name in names)


@pytest.mark.slow
def test_the_source_distribution_holds_packages_documents_and_no_tests(built: Path) -> None:
    [path] = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= sources()
    assert names >= {"README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff", "docs/index.md"}
    folders = {name.split("/")[0] for name in names if "/" in name}
    assert folders == {*PACKAGES, "docs", "nas_env.egg-info"}


@pytest.mark.slow
def test_the_metadata_are_those_of_the_project(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    [name] = [name for name in archive.namelist() if name.endswith("/METADATA")]
    metadata = email.message_from_bytes(archive.read(name))
    assert (metadata["Name"], metadata["Version"]) == ("nas_env", nas_env.__version__)
    assert metadata["License-Expression"] == "MIT"
    assert str(metadata.get_payload()).strip() == PAGE.read_text().strip()


@pytest.mark.slow
def test_the_wheel_searches_away_from_the_repository(away: Path, tmp_path: Path) -> None:
    where = "import nas_env, agents, baselines; print(nas_env.__file__, agents.__file__)"
    for found in run(away / "python", "-W", "error", "-c", where, cwd=tmp_path).split():
        assert Path(found).is_relative_to(away.parent)
    search = ("--agent", "random", "--env", "NAS-Digits-Table-v0", "--children", "16")
    printed = run(away / "nas-env", "train", *search, "--run-dir", "run", cwd=tmp_path)
    folder = tmp_path / "run"
    with (folder / "episodes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["state"] for row in rows] == ["complete"] * 16
    best = max(float(row["metric"]) for row in rows)
    assert f"{best:.4f}".lstrip("0") in printed
    assert (folder / "best_architecture.json").is_file() and (folder / "config.json").is_file()
    report = (folder / "report.html").read_text()
    assert "<svg" in report and "</html>" in report


@pytest.mark.slow
@pytest.mark.skipif(not any(map(shutil.which, ("c++", "g++", "clang++"))), reason="no compiler")
def test_the_wheel_compiles_the_kernel_of_cells(away: Path, tmp_path: Path) -> None:
    """From the C++ files where they are installed, with a cache that is empty."""
    code = (
        "import torch, nas_env\n"
        "layer = nas_env.RecurrentLayer(nas_env.published.NAS_CELL, 4, 4)\n"
        "print(tuple(layer(torch.zeros(3, 2, 4))[0].shape))\n"
    )
    assert run(away / "python", "-c", code, cwd=tmp_path).strip() == "(3, 2, 4)"
    assert list((tmp_path / "cache" / "kernels").glob("*.so"))


@pytest.mark.slow
def test_the_wheel_plays_stable_baselines3(away: Path, tmp_path: Path) -> None:
    """Agents of the entry points are found."""
    code = "import agents; print(len(agents.run_search('NAS-Digits-Table-v0', 'ppo', 8).episodes))"
    assert run(away / "python", "-c", code, cwd=tmp_path).strip() == "8"


def test_the_citation_names_the_software_and_the_paper() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["title"].startswith("nas_env") and "version" not in citation
    [paper] = citation["references"]
    assert paper["identifiers"] == [{"type": "other", "value": "arXiv:1611.01578"}]
