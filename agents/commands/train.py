"""Search for networks.

A run folder holds every episode, the best architecture and a checkpoint; Ctrl-C, SIGTERM or a crash
leave a run that --resume continues.
"""

import contextlib
import sys
from collections.abc import Sequence

from agents.command import run_command
from agents.commands import command_line
from agents.records.direction import direction_of
from agents.records.episode import SearchResult, best_of
from agents.reports.architectures import describe
from agents.search.flags import parse_options
from agents.search.launch import Launch, prepare, stored_options


def main(arguments: Sequence[str] | None = None) -> int:
    """Search; the exit status is 0, or 1 if no child could be trained, 2 for an error.

    After a signal, or when nobody reads the output any more, see ``agents.command``.
    """
    launch: Launch | None = None

    def search() -> int:
        nonlocal launch
        given = sys.argv[1:] if arguments is None else arguments
        options = parse_options(given)
        if options.budget.resume:
            options = parse_options(given, stored_options(options.place.run_dir))
        launch = prepare(options)
        print(f"{launch.banner}{_title(launch)}", flush=True)
        with contextlib.closing(launch.env):
            result = launch.search.run()
        print(_summary(launch, result))
        return 0 if best_of(result.episodes) else 1

    return run_command(search, lambda: _interrupted(launch))


def _title(launch: Launch) -> str:
    what, settings = launch.options.what, launch.search.settings
    budgets = [f"{settings.children} children" if settings.children else ""]
    budgets += [f"{settings.hours:g} hours" if settings.hours else ""]
    return (
        f"{what.env}, agent {what.agent}, preset {what.preset}, seed {what.seed}, "
        f"{' or '.join(filter(None, budgets))}\nrun folder {launch.run_dir}"
    )


def _summary(launch: Launch, result: SearchResult) -> str:
    best = best_of(result.episodes)
    failed = sum(episode.state == "failed" for episode in result.episodes)
    lines = ["", f"{len(result.episodes)} children, {failed} failed"]
    if best is None:
        reasons = sorted({episode.message for episode in result.episodes})
        lines.append(f"No child could be trained: {'; '.join(reasons[:3])}")
    else:
        name = str(launch.search.config.get("metric_name", "metric"))
        metrics, rewards = zip(*((e.metric, e.reward) for e in result.episodes), strict=True)
        what = f"best {name} {best.metric:.4f} (validation)"
        if not direction_of(name, metrics, rewards):
            what = f"best reward {best.reward:.4g}, {name} {best.metric:.4f} (validation)"
        lines += [
            f"{what}, {best.parameters:,} parameters, child {best.number}",
            "",
            describe(best),
            "",
        ]
    lines.append(f"run folder  {launch.run_dir}")
    lines.append(f"go on       {_resume(launch)} --children {2 * len(result.episodes)}")
    if best is not None and "recipe" in launch.search.config["environment"]:
        lines.append(f"repeat it   {command_line('evaluate', launch.run_dir)}")
    return "\n".join(lines)


def _interrupted(launch: Launch | None) -> str:
    if launch is None or not launch.search.begun:
        return "interrupted before the search began"
    done = len(launch.search.episodes)
    return (
        f"interrupted after {done} children; nothing finished is lost. Continue with:\n"
        f"  {_resume(launch)}"
    )


def _resume(launch: Launch) -> str:
    return command_line("train", "--resume", "--run-dir", launch.run_dir)
