"""From a search to a network: choose again, tune, train to the end, test once.

The result is a folder: network.npz (for nas_env.load and nas-env predict), model_card.md,
report.html, figures.json. Stopped or killed, the same command goes on.
"""

from collections.abc import Sequence

from agents.command import run_command
from agents.commands import command_line
from agents.finalise.settings import FinaliseSettings
from agents.search.words import read_options


def main(arguments: Sequence[str] | None = None) -> int:
    """Finalise; the exit status is 0, or 2 for an error."""

    def body() -> int:
        settings = read_options(FinaliseSettings, arguments, __doc__)
        from agents.finalise.finalise import finalise  # imports torch: after --help

        done = finalise(settings)
        reading = done.reading
        test = f"not measured, {done.no_test}"
        if reading is not None:
            test = "{:.4f} (95% interval {:.4f} to {:.4f})".format(
                reading.accuracies[0], *reading.interval
            )
        print(f"test        {test}")
        print(f"validation  {done.validation:.4f}, by which it was chosen")
        print(f"network     {done.folder}, {done.cost.parameters:,} parameters")
        print(f"use it      {command_line('predict', done.folder, 'PICTURE.png')}")
        print(f"export it   {command_line('export', done.folder)}")
        return 0

    return run_command(
        body, lambda: "interrupted; nothing finished is lost: the same command goes on from here"
    )
