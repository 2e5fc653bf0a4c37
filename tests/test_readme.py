"""What the README shows works as printed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
COMMANDS = [
    line
    for block in re.findall(r"```bash\n(.*?)```", TEXT, flags=re.DOTALL)
    for line in block.splitlines()
    if "scripts/" in line
]


def test_python_blocks_run_in_order(tmp_path: Path) -> None:
    program = "\n".join(PYTHON)
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", program],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert len(PYTHON) >= 4


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_name_scripts_and_flags_that_exist(command: str) -> None:
    script = re.search(r"scripts/\S+\.py", command)
    assert script is not None
    shown = subprocess.run(
        [sys.executable, str(ROOT / script.group()), "--help"], capture_output=True, text=True
    )
    assert shown.returncode == 0, shown.stderr
    for flag in re.findall(r"--[a-z][a-z-]*", command.split("#")[0].split(script.group())[1]):
        assert flag in shown.stdout, f"{script.group()} has no flag {flag}"


def test_links_to_files_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", TEXT)
    paths = re.findall(r"`((?:nas_env|agents|scripts|docs)/[\w/]+\.\w+)`", TEXT)
    missing = [name for name in [*links, *paths] if not (ROOT / name).exists()]
    assert missing == []


def test_every_registered_id_is_in_the_table() -> None:
    from nas_env.registration import REGISTRATIONS

    listed = set(re.findall(r"^\| `([\w-]+-v\d+)` ", TEXT, flags=re.MULTILINE))
    assert listed == {registration.id for registration in REGISTRATIONS}
