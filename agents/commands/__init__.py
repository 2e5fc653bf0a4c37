"""The commands: ``nas-env NAME``, or ``python scripts/NAME.py`` in a checkout; the same functions.

Opening this file imports nothing else: a command's module is imported when it is called.
"""

import shlex
import sys
from pathlib import Path
from typing import NoReturn

from agents.command import run_script

PROGRAM = "nas-env"
COMMANDS = {  # name -> (script of a checkout, what it does)
    "train": ("train_agent.py", "search for networks; this trains their children"),
    "evaluate": ("evaluate_architecture.py", "train one architecture, or repeat a run's best"),
    "finalise": ("finalise.py", "from a search to a trained and tested network"),
    "predict": ("predict.py", "what pictures show, by a finalised network"),
    "export": ("export.py", "a finalised network as ONNX, torch.export, plain Python, JSON"),
    "compare": ("compare_agents.py", "agents against each other over paired seeds"),
    "compare-networks": ("compare_networks.py", "found networks and human designs by one recipe"),
    "validate-run": ("validate_run.py", "children of a run trained again: does its record hold?"),
    "perturb": ("perturb.py", "is a network a local optimum? it and its neighbours by one recipe"),
    "report": ("report.py", "the report of one run or several"),
    "summarise": ("summarise_runs.py", "the figures of runs, in a terminal"),
    "draw": ("draw.py", "pictures of architectures and searches"),
    "language-model": ("train_language_model.py", "train a language model of a recurrent cell"),
}


def main() -> NoReturn:
    """``nas-env NAME [flags]``."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in ("-h", "--help"):
        print(usage())
        sys.exit(0)
    if name not in COMMANDS:
        print(f"error: Unknown command {name!r}.\n\n{usage()}", file=sys.stderr)
        sys.exit(2)
    sys.argv = [f"{PROGRAM} {name}", *sys.argv[2:]]
    run_script(f"agents.commands.{name.replace('-', '_')}:main")


def usage() -> str:
    """What there is."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name.ljust(width)}  {text}" for name, (_, text) in COMMANDS.items()]
    return f"usage: {PROGRAM} NAME [--help]\n\n" + "\n".join(lines)


def command_line(name: str, *words: object) -> str:
    """How to call a command, ready to paste: as a script where a script was called."""
    here = Path(sys.argv[0])
    if here.suffix == ".py" and here.parent.name == "scripts":
        called = ["python", str(here.with_name(COMMANDS[name][0]))]
    else:
        called = [PROGRAM, name]
    return shlex.join([*called, *map(str, words)])
