"""What pictures cost: of a frame, of a run's files, and against the trainings of a quick search."""

import json
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

import nas_env
from agents.presets import IMAGE
from agents.records.episode import Episode
from agents.records.run_folder import RunFolder
from agents.reports.film import write_film
from agents.reports.token_shares import draw_history, read_history
from nas_env import published
from nas_env.space.conv import ConvSpace
from nas_env.tasks.drawing import draw_tokens_figure
from scripts.benchmarks.measure import Clock

CHOICES = nas_env.ChoiceSpace({"width": list(range(40)), "kind": ["a", "b", "c"]})


@dataclass(frozen=True)
class PictureOptions:
    """Milliseconds of each picture, and what share of a quick search its pictures take."""

    num_layers: int = 6
    """Layers of the networks drawn; a quick search has 6."""
    children: int = IMAGE["quick"].children
    """Children of the search."""
    trained: int = 3
    """Children that are trained, on the digits, to know what one costs."""
    repeats: int = 5
    """Repeats, of which the median is reported."""


def run(options: PictureOptions) -> dict[str, object]:
    """Time on one thread, in processor time.

    Returns:
        ``frame_ms``, ``cell_frame_ms``, ``choice_frame_ms``: one ``rgb_array`` of a network, of a
        cell, of 40 and 3 options; ``png_ms``: the network as a file, twice as large; ``best_ms``:
        the best architecture's JSON, text and picture, as written whenever a child is the best so
        far; ``choices_ms``: the report's heat map; ``film_ms``: the animation, which only
        ``scripts/draw.py`` makes; ``share``: of the processor time of a quick search, if every
        update brought a new best.
    """
    clock, space = Clock(torch.device("cpu")), ConvSpace(options.num_layers)
    rows = space.sample_batch(np.random.default_rng(0), options.children)
    tokens = [tuple(row[: space.length()].tolist()) for row in rows]
    episodes = [_episode(space, number, row) for number, row in enumerate(tokens, 1)]

    def median_s(work: Callable[[], object]) -> float:
        return statistics.median(clock.seconds(work) for _ in range(options.repeats))

    depth = options.num_layers
    layers = {"num_layers": depth, "max_layers": max(20, depth)}
    history = read_history({"env": "NAS-Digits-v0", "environment": layers}, episodes)
    with TemporaryDirectory() as folder:
        seconds = {
            "frame": median_s(lambda: draw_tokens_figure(space, tokens[0], depth).array()),
            "cell_frame": median_s(lambda: nas_env.draw_figure(published.NAS_CELL).array()),
            "choice_frame": median_s(lambda: draw_tokens_figure(CHOICES, [1], 1).array()),
            "png": median_s(
                lambda: draw_tokens_figure(space, tokens[0], depth).png(Path(folder) / "a.png")
            ),
            "best": median_s(lambda: RunFolder(folder).write_best(episodes)),
            "choices": median_s(lambda: draw_history(history, "choices").svg()),
            "film": median_s(lambda: write_film(history, episodes, Path(folder) / "film.gif")),
        }
    figures: dict[str, object] = {f"{name}_ms": 1e3 * value for name, value in seconds.items()}
    child_s = _child_s(clock, space, tokens[: options.trained])
    updates = options.children / IMAGE["quick"].children_per_update
    pictures_s = seconds["best"] * updates + seconds["choices"]
    return {**figures, "child_s": child_s, "share": pictures_s / (child_s * options.children)}


def _episode(space: ConvSpace, number: int, tokens: tuple[int, ...]) -> Episode:
    architecture = json.dumps(space.decode(tokens).to_json())
    return Episode(number, tokens, architecture, 0.5, 0.125, "complete")


def _child_s(clock: Clock, space: ConvSpace, rows: Any) -> float:
    """Processor seconds of one training of a quick search."""
    torch.set_num_threads(1)
    children = [space.decode(row) for row in rows]
    nas_env.evaluate(children[0], "digits", "quick", seed=1)  # loads the data, chooses numerics
    return statistics.median(
        clock.seconds(lambda child=child: nas_env.evaluate(child, "digits", "quick"))  # type: ignore[misc]
        for child in children
    )
