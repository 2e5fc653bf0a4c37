"""Say what pictures show: ``nas-env predict runs/NAME/final picture.png``.

A line for each: file, class, probability. Pictures of other sizes are resized.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from agents.command import run_command
from agents.search.words import read_options
from nas_env.system.folders import user_path


@dataclass(frozen=True)
class PredictOptions:
    """Which network, and which pictures.

    Attributes:
        network: the folder that nas-env finalise wrote, or its network.npz.
        pictures: files.
        json: a JSON object a line, with the probability of every class.
        device: cpu or cuda.
    """

    network: tyro.conf.Positional[Path]
    pictures: tyro.conf.Positional[tuple[Path, ...]]
    json: bool = False
    device: str = "cpu"


def main(arguments: Sequence[str] | None = None) -> int:
    """Predict and print; the exit status is 0, or 2 for an error."""

    def body() -> int:
        options = read_options(PredictOptions, arguments, __doc__)
        from nas_env.network.network import load  # imports torch: after --help

        network = load(options.network, options.device)
        width = max(len(str(path)) for path in options.pictures) if options.pictures else 0
        for path in options.pictures:
            one = network.predict(user_path(path))[0]
            if options.json:
                print(json.dumps({"picture": str(path), "class": one.name, **_plain(one)}))
            else:
                print(f"{str(path).ljust(width)}  {one.name}  {one.probability:.3f}")
        return 0

    return run_command(body)


def _plain(one: object) -> dict[str, object]:
    return {name: getattr(one, name) for name in ("probability", "probabilities")}
