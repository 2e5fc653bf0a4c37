"""Measure this machine: `python scripts/benchmark.py child > child.json`.

A thin door: each part lives in ``scripts/benchmarks`` as options and a function of them that
returns figures, which are printed as JSON.
"""

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    # Ctrl-C while modules load: no traceback
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))

import tyro

from agents.command import run_script


def main() -> int:
    """Parse the command line, run one benchmark, print its figures."""
    from scripts.benchmarks import (
        agents,
        cells,
        child,
        environments,
        executors,
        gpu,
        pictures,
        search,
        tracking,
    )

    parts: dict[str, tuple[type, Callable[[Any], dict[str, object]]]] = {
        "child": (child.ChildOptions, child.run),
        "gpu": (gpu.GpuOptions, gpu.run),
        "cells": (cells.CellOptions, cells.run),
        "agents": (agents.AgentOptions, agents.run),
        "environments": (environments.EnvironmentOptions, environments.run),
        "search": (search.SearchOptions, search.run),
        "pictures": (pictures.PictureOptions, pictures.run),
        "scaling": (executors.ScalingOptions, executors.run),
        "overhead": (executors.OverheadOptions, executors.run_overhead),
        "tracking": (tracking.TrackingOptions, tracking.run),
    }
    names: dict[str, Callable[..., Any]] = {name: kind for name, (kind, _) in parts.items()}
    runs = dict(parts.values())
    options = tyro.extras.subcommand_cli_from_dict(names, description=__doc__)
    print(json.dumps(rounded(runs[type(options)](options)), indent=2))
    return 0


def rounded(value: Any, digits: int = 4) -> Any:
    """Floats with as many significant digits as a measurement deserves, at any depth."""
    if isinstance(value, float):
        return float(f"{value:.{digits}g}")
    if isinstance(value, dict):
        return {key: rounded(item, digits) for key, item in value.items()}
    return [rounded(item, digits) for item in value] if isinstance(value, list | tuple) else value


if __name__ == "__main__":
    run_script(main)
