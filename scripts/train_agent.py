"""Search for networks.

``python scripts/train_agent.py --agent reinforce``

A run folder holds every episode, the best architecture and a checkpoint; Ctrl-C, SIGTERM or a crash
leave a run that --resume continues.
"""

import contextlib
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

if __name__ == "__main__":  # Ctrl-C while modules load: no traceback
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))

import tyro

from agents.command import run_command, run_script
from agents.records.episode import SearchResult
from agents.records.run_folder import describe
from agents.registry import register_agents
from agents.search.launch import Launch, prepare, stored_options
from agents.search.options import TrainOptions
from agents.tracking.sweep_flags import plain_flags
from baselines.table import AGENTS as BASELINES


def main(arguments: Sequence[str] | None = None) -> int:
    """Search; the exit status is 0, or 1 if no child could be trained, 2 for an error.

    After a signal, or when nobody reads the output any more, see ``agents.command``.
    """
    launch: Launch | None = None
    register_agents(BASELINES)

    def search() -> int:
        nonlocal launch
        given = sys.argv[1:] if arguments is None else arguments
        flags = plain_flags(given, TrainOptions)
        options = tyro.cli(TrainOptions, args=flags)
        if options.resume:
            stored = stored_options(options)
            options = tyro.cli(TrainOptions, args=flags, default=stored)
        launch = prepare(options)
        print(f"{launch.banner}{_title(launch)}", flush=True)
        with contextlib.closing(launch.env):
            result = launch.search.run()
        print(_summary(launch, result))
        return 0 if result.best else 1

    return run_command(search, lambda: _interrupted(launch))


def _title(launch: Launch) -> str:
    options, settings = launch.options, launch.search.settings
    budgets = [f"{settings.children} children" if settings.children else ""]
    budgets += [f"{settings.hours:g} hours" if settings.hours else ""]
    return (
        f"{options.env}, agent {options.agent}, preset {options.preset}, seed {options.seed}, "
        f"{' or '.join(filter(None, budgets))}\nrun folder {options.run_dir}"
    )


def _summary(launch: Launch, result: SearchResult) -> str:
    best, run_dir = result.best, launch.options.run_dir
    failed = sum(episode.state == "failed" for episode in result.episodes)
    lines = ["", f"{len(result.episodes)} children, {failed} failed"]
    if best is None:
        reasons = sorted({episode.message for episode in result.episodes})
        lines.append(f"No child could be trained: {'; '.join(reasons[:3])}")
    else:
        name = launch.search.config.get("metric_name", "metric")
        lines += [
            f"best {name} {best.metric:.4f} (validation), {best.parameters:,} parameters, "
            f"child {best.number}",
            "",
            describe(best),
            "",
        ]
    lines.append(f"run folder  {run_dir}")
    lines.append(f"go on       {_resume(launch)} --children {2 * len(result.episodes)}")
    dataset = launch.search.config["environment"].get("dataset")
    if best is not None and dataset is not None:
        lines.append(f"train it    {_evaluate(launch, str(dataset))}")
    return "\n".join(lines)


def _evaluate(launch: Launch, dataset: str) -> str:
    """The command that trains the best architecture alone, on the same data."""
    script = str(Path(sys.argv[0]).with_name("evaluate_architecture.py"))
    words = ["python", script, f"{launch.options.run_dir}/best_architecture.json"]
    words += ["--dataset", dataset]
    if launch.options.data_dir is not None:
        words += ["--data-dir", str(launch.options.data_dir)]
    return shlex.join(words)


def _interrupted(launch: Launch | None) -> str:
    if launch is None or not launch.search.begun:
        return "interrupted before the search began"
    done = len(launch.search.episodes)
    return (
        f"interrupted after {done} children; nothing finished is lost. Continue with:\n"
        f"  {_resume(launch)}"
    )


def _resume(launch: Launch) -> str:
    script = shlex.quote(sys.argv[0])
    return f"python {script} --resume --run-dir {shlex.quote(str(launch.options.run_dir))}"


if __name__ == "__main__":
    run_script(main)
