"""Search for a recurrent cell for your own text: a folder ``*.train.txt``, ``*.valid.txt``.

``python scripts/examples/own_text.py path/to/folder``, or without a folder on sentences that it
makes up.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import gymnasium as gym
import numpy as np
import tyro

import agents
import nas_env  # noqa: F401 - registers the environments
from agents.command import run_script
from nas_env.tasks.drawing import draw_text

RECIPE = {"name": "quick", "hidden_size": 16, "train_tokens": 8000, "valid_tokens": 2000}
"""A short training. Leave it out, or say ``recipe="fast"``, for a search in earnest."""


@dataclass(frozen=True)
class Options:
    """Search for a recurrent cell for text."""

    folder: tyro.conf.Positional[Path | None] = None
    """Folder with *.train.txt and *.valid.txt, UTF-8, a sentence a line. Default: made up."""
    children: int = 4
    """Budget."""
    run_dir: Path | None = None
    """Folder to record the run in, with a report. Default: none."""


def write_sentences(root: Path) -> Path:
    """Sentences whose verb agrees with a subject two words before: something to remember."""
    rng = np.random.default_rng(0)
    subjects = {"the cat": "sleeps", "the cats": "sleep", "a dog": "barks", "two dogs": "bark"}
    places = ["near home", "in town", "by the sea", "under trees"]
    for part, count in (("train", 1500), ("valid", 400)):
        lines = []
        for _ in range(count):
            subject = str(rng.choice([*subjects]))
            lines.append(f"{subject} {rng.choice(places)} {subjects[subject]}")
        (root / f"own.{part}.txt").write_text("\n".join(lines) + "\n")
    return root


def search(folder: Path, options: Options) -> None:
    """Search and print the best cell."""
    env = gym.make("NAS-PyDocs-v0", dataset=str(folder), recipe=RECIPE, base_number=4)
    try:
        found = agents.run_search(
            env, "random", options.children, children_per_update=2, run_dir=options.run_dir
        )
    finally:
        env.close()
    for episode in found.episodes:
        outcome = episode.message or f"perplexity {episode.metric:.2f}"
        print(f"child {episode.number}: {outcome}, reward {episode.reward:.3f}")
    cell = env.unwrapped.search_space.decode(found.best.tokens)  # type: ignore[attr-defined]
    print(f"best: child {found.best.number}\n{draw_text(cell)}")


def main() -> int:
    """Search on the folder given, or on one made for the moment."""
    options = tyro.cli(Options, description=__doc__)
    if options.folder is not None:
        search(options.folder, options)
        return 0
    with tempfile.TemporaryDirectory() as made:
        search(write_sentences(Path(made)), options)
    return 0


if __name__ == "__main__":
    run_script(main)
