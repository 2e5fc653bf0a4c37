"""How commands end: closed pipes, full disks and signals give a status and words, no traceback."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(path.name for path in (ROOT / "scripts").glob("*.py"))
BUILDERS = {
    "benchmark.py",
    "build_docs.py",
    "build_results.py",
    "build_table.py",
}  # for who works on the project
DOORS = sorted(set(SCRIPTS) - BUILDERS)
HEAD = """
import signal, sys, time
from agents.command import run_command, run_script
from nas_env.errors import ConfigurationError
"""
TAIL = "\nrun_script(lambda: run_command(body, lambda: 'continue like this'))"
WAIT = "def body():\n    print('ready', flush=True)\n    time.sleep(60)\n    return 0"


def start(code: str, **options: Any) -> "subprocess.Popen[str]":
    return spawn([sys.executable, "-c", HEAD + code + TAIL], **options)


def spawn(command: list[str], **options: Any) -> "subprocess.Popen[str]":
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "cwd": ROOT, **options}
    return subprocess.Popen(command, text=True, **options)


def read_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.mark.parametrize(
    "body",
    [
        "def body():\n    for i in range(10**6): print('line', i)\n    return 0",
        "def body():\n    print('now', flush=True); sys.stdin.readline(); print('lost'); return 0",
    ],
    ids=["while printing", "at the end"],
)
def test_a_reader_that_has_gone_ends_a_command_quietly(body: str) -> None:
    process = start(body, stdin=subprocess.PIPE)
    assert read_line(process)
    assert process.stdin is not None and process.stdout is not None
    process.stdout.close()
    process.stdin.close()
    assert process.stderr is not None
    with process.stderr:
        assert (process.wait(timeout=300), process.stderr.read()) == (141, "")


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_of_every_script_into_a_closed_pipe_is_quiet(script: str) -> None:
    read, write = os.pipe()
    os.close(read)
    process = spawn([sys.executable, f"scripts/{script}", "--help"], stdout=write)
    os.close(write)
    _, error = process.communicate(timeout=300)
    assert (process.returncode, error) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_onto_a_full_disk_is_one_clear_error() -> None:
    with Path("/dev/full").open("w") as full:
        process = start("def body():\n    print('lost')\n    return 0", stdout=full)
        _, error = process.communicate(timeout=300)
    assert process.returncode == 2
    assert error.startswith("error: The output, or a file, cannot be used: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["int", "term"]
)
def test_a_signal_stops_also_what_a_shell_started_in_the_background(
    number: signal.Signals, status: int
) -> None:
    """`command &` in a script starts it with SIGINT ignored."""

    def ignored() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    process = start(WAIT, preexec_fn=ignored)
    assert read_line(process) == "ready\n"
    process.send_signal(number)
    _, error = process.communicate(timeout=300)
    assert (process.returncode, error) == (status, "continue like this\n")


def test_many_signals_end_as_one() -> None:
    process = start(WAIT)
    assert read_line(process) == "ready\n"
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=300)
    assert (process.returncode, error) == (130, "continue like this\n")


@pytest.mark.parametrize("step", ["STOPPING.enter()", "STOPPING.__exit__()", "command._be_deaf()"])
def test_signals_wait_while_their_handlers_are_swapped(step: str) -> None:
    """Or CPython may lose one, and says so on stderr: whoever swaps must have blocked them."""
    code = f"""
import signal
from agents import command
from agents.command import STOPPING, STOPS
if "exit" in {step!r}:
    STOPPING.enter()
swap, swapped = signal.signal, []
def watched(number, handler):
    assert set(STOPS) <= signal.pthread_sigmask(signal.SIG_BLOCK, ())
    swapped.append(number)
    return swap(number, handler)
signal.signal = watched
{step}
assert set(swapped) == set(STOPS)
assert not set(STOPS) & signal.pthread_sigmask(signal.SIG_BLOCK, ())
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_signal_before_the_body_starts_stops_it() -> None:
    code = "signal.raise_signal(signal.SIGINT)\ndef body():\n    print('lost')\n    return 0"
    process = start("from agents.command import STOPPING\nSTOPPING.enter()\n" + code)
    output, error = process.communicate(timeout=300)
    assert (process.returncode, output, error) == (130, "", "interrupted\n")


def module(folder: Path, text: str) -> "subprocess.Popen[str]":
    """A script that names its function by ``module:function``."""
    (folder / "own_module.py").write_text(text)
    environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    code = "from agents.command import run_script\nrun_script('own_module:main')"
    return spawn([sys.executable, "-c", code], env=environment)


def test_a_script_may_name_its_function_and_ends_with_its_status(tmp_path: Path) -> None:
    process = module(tmp_path, "def main():\n    print('done')\n    return 1\n")
    assert process.communicate(timeout=300) == ("done\n", "")
    assert process.returncode == 1


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["int", "term"]
)
def test_a_signal_while_the_named_module_loads_is_one_word(
    number: signal.Signals, status: int, tmp_path: Path
) -> None:
    process = module(tmp_path, "import time\nprint('ready', flush=True)\ntime.sleep(60)\n")
    assert read_line(process) == "ready\n"
    process.send_signal(number)
    _, error = process.communicate(timeout=300)
    assert (process.returncode, error) == (status, "interrupted\n")


def test_the_ending_of_commands_loads_nothing_else() -> None:
    code = "import sys, agents.command; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    ours = {name for name in done.stdout.split() if name.split(".")[0] in ("agents", "nas_env")}
    assert ours == {"agents", "agents.command"}
    assert not {"numpy", "gymnasium", "torch", "tyro", "rich"} & set(done.stdout.split())


@pytest.mark.parametrize("script", DOORS)
def test_ctrl_c_while_modules_load_is_quiet(script: str, tmp_path: Path) -> None:
    """The first module that a script imports, tyro, is replaced by one that takes its time."""
    (tmp_path / "tyro.py").write_text("import time\nprint('ready', flush=True)\ntime.sleep(60)\n")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    process = spawn([sys.executable, f"scripts/{script}"], env=environment)
    assert read_line(process) == "ready\n"
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=300)
    assert process.returncode == 130
    assert error in ("", "interrupted\n"), "nothing where a preamble of the script's own ends it"


def test_an_unforeseen_error_of_the_system_names_the_file() -> None:
    process = start("def body():\n    open('/no/such/file')")
    _, error = process.communicate(timeout=300)
    assert process.returncode == 2
    assert "'/no/such/file'" in error
    assert "Traceback" not in error
