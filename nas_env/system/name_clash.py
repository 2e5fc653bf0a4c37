"""Whether ``import agents`` and ``import baselines`` find the packages that came with nas_env.

Both are common names: a folder of the user or another distribution may stand in their place. That
is noticed here, by asking where Python would look, without importing either.
"""

import sys
import warnings
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

COST = {
    "agents": "nas_env's environments work; its agents, searches and commands do not.",
    "baselines": "nas_env's environments work; the agents of Stable-Baselines3 do not.",
}
"""Package of ours -> what is lost without it."""
MARK = "nas_env"
"""A word in the first line of each package's ``__init__.py``, by which it is known as ours."""


def warn_of_clashes(home: Path) -> None:
    """Warn where another package would be imported instead of one of ours.

    To be called where nas_env is imported: the warning names the line of that import. It says
    nothing of a package that is not installed beside nas_env, and nothing in the worker processes
    of a program that was told. To silence it: ``python -W ignore:nas_env``.

    Args:
        home: the folder that holds the package nas_env, and ours where they are installed.
    """
    process = sys.modules.get("multiprocessing.process")
    if process is not None and process.current_process().name != "MainProcess":
        return
    for name in COST:
        if problem := clash(name, home):
            warnings.warn(problem, UserWarning, stacklevel=3)


def clash(name: str, home: Path) -> str:
    """What stands in the place of our package ``name``, and what to do; ``""`` if it is ours."""
    ours = home / name / "__init__.py"
    found = _would_import(name) if ours.is_file() else None
    if found is None:
        return ""
    if not _same_file(found, ours):
        return (
            f"nas_env: `import {name}` finds {found}, which is not part of nas_env; ours is "
            f"{ours}. {COST[name]} Rename that file or folder, start Python from another folder, "
            f"or uninstall the distribution that it belongs to{_owners(name, found)}."
        )
    if not _is_ours(ours):
        return (
            f"nas_env: another distribution{_owners(name, ours)} has overwritten {ours}: "
            f"`import {name}` finds that one's. {COST[name]} Uninstall the other distribution "
            "and install nas_env again (pip install --force-reinstall --no-deps), or give each a "
            "virtual environment of its own."
        )
    return ""


def _would_import(name: str) -> Path | None:
    """The file that ``import name`` would run; the folder of a package without one."""
    try:
        spec: ModuleSpec | None = find_spec(name)
    except (ImportError, ValueError, AttributeError):  # a module made by hand, a broken finder
        return None
    if spec is None:
        return None
    if spec.has_location and spec.origin:
        return Path(spec.origin)
    folders = list(spec.submodule_search_locations or [])
    return Path(folders[0]) if folders else None


def _same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # inside an archive
        return one == other


def _is_ours(path: Path) -> bool:
    with path.open(encoding="utf-8", errors="replace") as file:
        return MARK in file.readline()


def _owners(name: str, path: Path) -> str:
    """Other distributions with a package of this name, in brackets. Slow: after a clash only."""
    if not {"site-packages", "dist-packages"} & set(path.parts):
        return ""
    from importlib.metadata import distributions

    others = {
        found.metadata["Name"].replace("-", "_")
        for found in distributions()
        if any(file.parts[0] in (name, f"{name}.py") for file in found.files or ())
    } - {"nas_env"}
    return f" ({', '.join(sorted(others))})" if others else ""
