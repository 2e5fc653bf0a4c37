"""What the README shows works as printed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documents import ROOT, check_command, commands, missing_files, python_blocks

README = ROOT / "README.md"
TEXT = README.read_text()
PYTHON = python_blocks(README)


def test_python_blocks_run_in_order(tmp_path: Path) -> None:
    program = "\n".join(PYTHON)
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", program],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert len(PYTHON) >= 3


@pytest.mark.parametrize("command", commands(README))
def test_commands_name_scripts_and_flags_that_exist(command: str) -> None:
    check_command(command)


def test_links_to_files_lead_somewhere() -> None:
    assert missing_files(README) == []


def test_every_registered_id_is_in_the_table() -> None:
    from nas_env.registration import REGISTRATIONS

    listed = set(re.findall(r"^\| `([\w-]+-v\d+)` ", TEXT, flags=re.MULTILINE))
    assert listed == {registration.id for registration in REGISTRATIONS}


def test_it_is_read_in_one_sitting() -> None:
    assert len(TEXT.splitlines()) < 150


def test_the_package_page_needs_no_file_of_the_repository() -> None:
    text = (ROOT / "docs" / "package.md").read_text()
    assert re.findall(r"!\[|<img|\]\((?!https?:)", text) == []
    assert "REINFORCE's mean accuracy rises" in text
    assert python_blocks(ROOT / "docs" / "package.md") == PYTHON
