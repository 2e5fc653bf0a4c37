"""Draw an architecture, or what a search chose over time.

``python scripts/draw.py best_architecture.json network.svg`` (or ``.png``)
``python scripts/draw.py runs/NAME`` writes choices.svg and likeliest.gif into the run folder
``python scripts/draw.py runs/NAME choices.png`` (or ``.svg``, ``.gif``) writes that file alone

choices: which share of the children of that time chose each option; for an agent that samples, an
estimate of its probability. likeliest: the most likely architecture over the search.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

import nas_env
from agents.command import run_command
from agents.records.run_record import read_run
from agents.reports.film import write_film
from agents.reports.token_shares import draw_history, read_history
from agents.search.words import read_options
from nas_env.errors import ConfigurationError
from nas_env.rendering.picture import FORMATS
from nas_env.system.folders import user_path
from nas_env.system.reading import is_folder


@dataclass(frozen=True)
class DrawOptions:
    """What to draw, and where to."""

    source: tyro.conf.Positional[Path]
    """JSON file of an architecture, or a run folder."""
    output: tyro.conf.Positional[Path | None] = None
    """The file; .svg or .png, of a run folder also .gif. Default: beside the source."""


def draw(options: DrawOptions) -> list[Path]:
    """Draw; returns the files written.

    Raises:
        NasEnvError: the source is neither, or the file cannot be one of these kinds.
    """
    source = user_path(options.source)
    output = None if options.output is None else user_path(options.output)
    if not is_folder(source):
        output = output or source.with_suffix(".svg")
        nas_env.draw_figure(nas_env.load_architecture(source)).save(output)
        return [output]
    record = read_run(source)
    history = read_history(record.config, record.episodes)
    outputs = [source / "choices.svg", source / "likeliest.gif"] if output is None else [output]
    if outputs[-1].suffix.lower() not in (*FORMATS, ".gif"):
        raise ConfigurationError(
            f"A search is drawn as .svg or .png (its choices) or .gif (the likeliest architecture "
            f"over time), got {str(output)!r}: name a file that ends in one of them."
        )
    for path in outputs:
        if path.suffix.lower() == ".gif":
            write_film(history, record.episodes, path)
        else:
            draw_history(history, f"{record.env}: what {record.agent} chose").save(path)
    return outputs


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw and print the files' names; the exit status is 0, or 2 for an error."""

    def body() -> int:
        print(*draw(read_options(DrawOptions, arguments, __doc__)), sep="\n")
        return 0

    return run_command(body)
