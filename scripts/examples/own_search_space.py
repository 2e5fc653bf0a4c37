"""Your own search space, on a published table of trained networks or on a function.

``python scripts/examples/own_search_space.py --table nas_bench_macro.npz``

NAS-Bench-Macro (Su et al. 2021) has 3^8 = 6,561 networks of eight layers, each trained three times
on CIFAR-10. The file holds ``arch`` (6561, 8), which of three operations each layer has, and
``acc_seeds`` (6561, 3), the accuracies in percent. Without a table, a small function stands in.
"""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro

import agents
import nas_env
from agents.command import run_script
from nas_env.errors import InvalidDatasetError

OPERATIONS = ["identity", "mbconv_3x3_expand_3", "mbconv_5x5_expand_6"]
LAYERS = 8
SPACE = nas_env.ChoiceSpace({f"layer_{number}": OPERATIONS for number in range(1, LAYERS + 1)})

Worth = Callable[[Any, int], float]


@dataclass(frozen=True)
class Options:
    """Search a space of your own."""

    table: Path | None = None
    """.npz file of NAS-Bench-Macro. Default: a small function instead."""
    agent: str = "reinforce"
    """reinforce, random, evolution, ppo, a2c, maskable_ppo or recurrent_ppo."""
    children: int = 200
    """Budget."""
    seed: int = 0
    """Run seed."""


def table_lookup(path: Path) -> Worth:
    """Accuracy of a network in one of its three trainings, which the child's seed picks.

    Raises:
        InvalidDatasetError: no file, or one that holds something else.
    """
    try:
        with zipfile.ZipFile(path):  # anything else would be read as a single array or a pickle
            file = np.load(path)
        networks, accuracies = file["arch"], file["acc_seeds"]
        if networks.shape != (SPACE.size, LAYERS) or accuracies.shape[:1] != (SPACE.size,):
            raise ValueError(f"arch is {networks.shape}, acc_seeds {accuracies.shape}")
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise InvalidDatasetError(
            f"{path} is not the table of NAS-Bench-Macro ({error}): expected an .npz file with "
            "arch (6561, 8) and acc_seeds (6561, 3)."
        ) from error
    row_of = {tuple(row): index for index, row in enumerate(networks.tolist())}

    def worth(architecture: Any, seed: int) -> float:
        trained = accuracies[row_of[SPACE.encode(architecture)]]  # (3,)
        return float(trained[seed % len(trained)]) / 100

    return worth


def invented(architecture: Any, seed: int) -> float:
    """A stand-in: larger operations help, an identity helps in the middle; some noise."""
    tokens = np.array(SPACE.encode(architecture))
    ideal = np.array([2, 2, 1, 0, 1, 2, 2, 2])
    noise = np.random.default_rng(seed).normal(0, 0.002)
    return float(0.93 - 0.004 * np.abs(tokens - ideal).sum() + noise)


def main() -> int:
    """Search, and print what was found."""
    options = tyro.cli(Options, description=__doc__)
    worth = invented if options.table is None else table_lookup(options.table)
    env = nas_env.ArchitectureEnv(SPACE, worth, metric_name="accuracy")
    chosen: dict[str, Any] = {"learning_rate": 2e-2} if options.agent == "reinforce" else {}
    if options.agent == "evolution":
        chosen = {"population": 24, "tournament": 8}
    found = agents.run_search(env, options.agent, options.children, seed=options.seed, **chosen)
    metrics = [episode.metric for episode in found.episodes if episode.metric is not None]
    first, last = np.mean(metrics[:50]), np.mean(metrics[-50:])
    print(f"{SPACE.size:,} networks, {len(metrics)} of them tried by {options.agent}")
    print(f"mean of the first and last 50: {first:.4f} {last:.4f}")
    print(f"best {found.best.metric:.4f}: {dict(SPACE.decode(found.best.tokens))}")
    return 0


if __name__ == "__main__":
    run_script(main)
