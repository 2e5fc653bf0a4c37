"""Measure this machine: `python scripts/benchmark.py child > child.json`.

A thin door: each part lives in ``scripts/benchmarks`` as options and a function of them that
returns figures, which are printed as JSON. `python scripts/benchmark.py PART --help` has its flags.
"""

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from agents.command import run_command, run_script

PARTS = {  # name -> (module, class of its options, function, what it measures)
    "child": ("child", "ChildOptions", "run", "children against a plain PyTorch loop"),
    "numerics": ("numerics", "NumericsOptions", "run", "accuracies in every arithmetic"),
    "gpu": ("gpu", "GpuOptions", "run", "children on a GPU, several at once"),
    "cells": ("cells", "CellOptions", "run", "recurrent cells against torch.nn.LSTM"),
    "agents": ("agents", "AgentOptions", "run", "sampling and learning of the agents"),
    "environments": ("environments", "EnvironmentOptions", "run", "steps without children"),
    "search": ("search", "SearchOptions", "run", "what a search costs beside training"),
    "pictures": ("pictures", "PictureOptions", "run", "frames and files"),
    "scaling": ("executors", "ScalingOptions", "run", "children over worker processes"),
    "overhead": ("executors", "OverheadOptions", "run_overhead", "executor and store"),
    "tracking": ("tracking", "TrackingOptions", "run", "wandb and the report"),
}


def main() -> int:
    """Run one benchmark and print its figures."""

    def body() -> int:
        name = sys.argv[1] if len(sys.argv) > 1 else "--help"
        if name not in PARTS:
            print(usage(), file=sys.stdout if name in ("-h", "--help") else sys.stderr)
            return 0 if name in ("-h", "--help") else 2
        import tyro

        module, options, function, _ = PARTS[name]
        part = import_module(f"scripts.benchmarks.{module}")
        program = f"{sys.argv[0]} {name}"
        chosen = tyro.cli(getattr(part, options), args=sys.argv[2:], prog=program)
        print(json.dumps(rounded(getattr(part, function)(chosen)), indent=2))
        return 0

    return run_command(body)


def usage() -> str:
    """What there is."""
    lines = (f"  {name:<13} {text}" for name, (*_, text) in PARTS.items())
    return "usage: benchmark.py PART [--help]\n\n" + "\n".join(lines)


def rounded(value: Any, digits: int = 4) -> Any:
    """Floats with as many significant digits as a measurement deserves, at any depth."""
    if isinstance(value, float):
        return float(f"{value:.{digits}g}")
    if isinstance(value, dict):
        return {key: rounded(item, digits) for key, item in value.items()}
    return [rounded(item, digits) for item in value] if isinstance(value, list | tuple) else value


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    run_script(main)
