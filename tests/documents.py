"""What the tests of README and docs share: code blocks, and whether commands could be run."""

import functools
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def python_blocks(path: Path) -> list[str]:
    """The Python code of a page, block by block; those in HTML or of other languages left out."""
    return re.findall(r"```python\n(.*?)```", path.read_text(), flags=re.DOTALL)


def commands(path: Path) -> list[str]:
    """The command lines of a page that name a file of the repository's scripts."""
    blocks = re.findall(r"```bash\n(.*?)```", path.read_text(), flags=re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if "scripts/" in line]


def check_command(command: str) -> None:
    """A command names a script and flags that exist, or a file that does."""
    named = re.search(r"scripts/\S+", command)
    assert named is not None
    path = ROOT / named.group()
    assert path.exists(), f"{path} does not exist"
    if path.suffix == ".py":
        given = command.split("#")[0].split(named.group())[1]
        part = re.match(r" ([a-z]+)( |$)", given) if path.name == "benchmark.py" else None
        shown = _help(path, part[1] if part else "")
        for flag in re.findall(r"--[a-z][a-z-]*", given):
            assert flag in shown, f"{named.group()} has no flag {flag}"


def missing_files(path: Path) -> list[str]:
    """Links of a page, and code that it names, that lead nowhere."""
    text = path.read_text()
    links = re.findall(r"\]\((?!http)([^)#]+)\)", text)
    code = re.findall(r"`((?:nas_env|agents|scripts|docs|tests)/[\w/]+\.\w+)`", text)
    found = [name for name in links if not (path.parent / name).exists()]
    return found + [name for name in code if not (ROOT / name).exists()]


@functools.cache
def _help(script: Path, part: str = "") -> str:
    command = [sys.executable, str(script), *([part] if part else []), "--help"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
