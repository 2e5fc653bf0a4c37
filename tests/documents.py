"""What the tests of README and docs share: code blocks, and whether commands could be run."""

import functools
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from unittest import mock

from tests.faults.outcome import call

ROOT = Path(__file__).parents[1]
SCRIPTS = {
    "train": "train_agent.py",
    "compare": "compare_agents.py",
    "report": "report.py",
    "draw": "draw.py",
    "evaluate": "evaluate_architecture.py",
    "summarise": "summarise_runs.py",
    "finalise": "finalise.py",
    "predict": "predict.py",
    "export": "export.py",
    "compare-networks": "compare_networks.py",
    "validate-run": "validate_run.py",
    "perturb": "perturb.py",
    "language-model": "train_language_model.py",
}
"""Sub-command of ``nas-env`` -> the script that is the same."""


def python_blocks(path: Path) -> list[str]:
    """The Python code of a page, block by block; those in HTML or of other languages left out."""
    return re.findall(r"```python\n(.*?)```", path.read_text(), flags=re.DOTALL)


def commands(path: Path) -> list[str]:
    """The command lines of a page that call a script of the repository or ``nas-env``."""
    blocks = re.findall(r"```bash\n(.*?)```", path.read_text(), flags=re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [line for line in lines if "scripts/" in line or line.startswith("nas-env ")]


def check_command(command: str) -> None:
    """A command names a script and flags that exist, or a file that does."""
    as_script = re.sub(r"^nas-env (\S+)", lambda found: f"scripts/{SCRIPTS[found[1]]}", command)
    named = re.search(r"scripts/\S+", as_script)
    assert named is not None
    path = ROOT / named.group()
    assert path.exists(), f"{path} does not exist"
    if path.suffix == ".py":
        given = as_script.split("#")[0].split(named.group())[1]
        part = re.match(r" ([a-z]+)( |$)", given) if path.name == "benchmark.py" else None
        shown = _help(path, part[1] if part else "")
        for flag in re.findall(r"--[a-z][a-z-]*", given):
            assert flag in shown, f"{named.group()} has no flag {flag}"


def missing_files(path: Path) -> list[str]:
    """Links of a page, and code that it names, that lead nowhere."""
    text = path.read_text()
    links = re.findall(r"\]\((?!http)([^)#]+)(?:#([^)]+))?\)", text)
    code = re.findall(r"`((?:nas_env|agents|scripts|docs|tests)/[\w/]+\.\w+)`", text)
    found = [name for name, _ in links if not (path.parent / name).exists()]
    found += [
        f"{name}#{head}"
        for name, head in links
        if head and name not in found and head not in _heads(path.parent / name)
    ]
    return found + [name for name in code if not (ROOT / name).exists()]


def _heads(path: Path) -> set[str]:
    """Names of a page's headings as links spell them."""
    heads = re.findall(r"^#+ (.+)$", path.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in heads}


@functools.cache
def _help(script: Path, part: str = "") -> str:
    """What a script says of its flags: from its ``main`` here, where it has one without arguments.

    A process each, most of them with torch, would take a minute.
    """
    words = [str(script), *([part] if part else []), "--help"]
    named = re.search(r'run_script\((?:"([\w.]+):)?main"?\)', script.read_text())
    if named is None:
        command = [sys.executable, *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    own = ".".join(script.relative_to(ROOT).with_suffix("").parts)
    main = import_module(named[1] or own).main
    with mock.patch.object(sys, "argv", words):
        done = call(lambda _: int(main()))
    assert done.status == 0, done.error
    return done.output
