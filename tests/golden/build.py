"""Wrote the files of this folder: `python tests/golden/build.py`, with the version they are of.

They pin what must outlive a change of the code: keys of recipes, architectures and layouts, and
runs that can be resumed. Run it again only where keys are to change, and say so in CHANGELOG.md.
"""

import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

import agents
import nas_env
from nas_env.evaluation.seeding import architecture_key, child_seed

FOLDER = Path(__file__).parent
IDS = (
    *("NAS-CIFAR10-v0", "NAS-CIFAR10-Strides-v0", "NAS-CIFAR10-Pooling-v0"),
    *("NAS-CIFAR10-LayerTypes-v0", "NAS-Digits-v0", "NAS-PTB-v0", "NAS-PTB-MaxSin-v0"),
    *("NAS-PyDocs-v0", "NAS-Digits-Table-v0"),
)
TABLE_AGENTS: dict[str, dict[str, Any]] = {
    "reinforce": {
        "learning_rate": 2e-2,
        "hidden_size": 8,
        "elite_size": 4,
        "unit_advantages": True,
    },
    "random": {},
    "evolution": {"population": 12, "tournament": 4},
}
TINY = {"name": "quick", "train_images": 64, "valid_images": 50, "numerics": "float32"}


def keys() -> dict[str, Any]:
    """Digests of recipes, layouts, architectures and seeds."""
    from nas_env.training.image_recipes import image_recipe
    from nas_env.training.language_recipes import language_recipe

    recipes = {
        f"{dataset} {name}": image_recipe({"name": name, "numerics": "float32"}, dataset).digest()
        for dataset in ("cifar10", "digits", "/some/folder")
        for name in ("paper", "fast", "quick")
    }
    names = ("paper", "fast", "quick", "zaremba_small", "zaremba_medium", "character")
    recipes |= {
        f"{dataset} {name}": language_recipe(
            {"name": name, "numerics": "float32"}, dataset
        ).digest()
        for dataset in ("ptb", "pydocs", "/some/folder")
        for name in names
    }
    return {"recipes": recipes, "layouts": layouts(), "architectures": architectures()}


def layouts() -> dict[str, str]:
    """What a token means in every id, as a run folder's configuration pins it."""
    found = {}
    for name in IDS:
        space: Any = gym.make(name).unwrapped.search_space  # type: ignore[attr-defined]
        text = repr((len(space.layout), space.max_options, space.layout))
        found[name] = hashlib.sha256(text.encode()).hexdigest()[:16]
    return found


def architectures() -> dict[str, list[Any]]:
    """Tokens, key and seed of two random members of every space, and of the published ones."""
    found: dict[str, list[Any]] = {}
    for name in IDS:
        space: Any = gym.make(name).unwrapped.search_space  # type: ignore[attr-defined]
        for number in range(2):
            tokens = space.sample(np.random.default_rng(number))
            found[f"{name} {number}"] = [list(tokens), *_identity(space.decode(tokens))]
    published = nas_env.published
    for name in ("FIGURE_7", "NAS_CELL", "MAX_SIN_CELL"):
        found[name] = [None, *_identity(getattr(published, name))]
    choice = nas_env.ChoiceSpace({"width": [8, 16], "rate": [0.1, 0.01], "kind": ["a", "b"]})
    found["choices"] = [[1, 0, 1], *_identity(choice.decode([1, 0, 1]))]
    return found


def _identity(architecture: Any) -> tuple[str, int]:
    key = architecture_key(architecture)
    return hashlib.sha256(key.encode()).hexdigest(), child_seed(7, architecture, "data", "recipe")


def table_runs() -> None:
    """Every agent of ours, 16 children of a table, and what 32 give."""
    for agent, options in TABLE_AGENTS.items():
        folder = FOLDER / f"table_{agent}"
        shutil.rmtree(folder, ignore_errors=True)
        for children in (16, 32):
            result = agents.run_search(
                *("NAS-Digits-Table-v0", agent, children, 8, 3),
                folder,
                resume=children == 32,
                **options,
            )
            if children == 16:
                shutil.copytree(folder, folder.with_suffix(".kept"))
        shutil.copy(folder / "episodes.csv", folder.with_suffix(".csv"))
        shutil.rmtree(folder)
        folder.with_suffix(".kept").rename(folder)
        for name in ("report.html", "best_architecture.svg", "best_architecture.txt"):
            (folder / name).unlink(missing_ok=True)
        assert len(result.episodes) == 32


def trained_run() -> None:
    """A run of the command line that trained its children: 8 of 16, the store has all 16."""
    from agents.commands.train import main

    with tempfile.TemporaryDirectory() as temporary:
        run, store = Path(temporary) / "run", FOLDER / "store.db"
        store.unlink(missing_ok=True)
        flags = ["--env", "NAS-Digits-v0", "--num-layers", "2", "--recipe", json.dumps(TINY)]
        flags += ["--executor", "local", "--device", "cpu", "--seed", "5", "--store", str(store)]
        flags += ["--agent", "evolution", "--population", "6", "--tournament", "2"]
        assert main([*flags, "--children", "16", "--run-dir", str(run)]) == 0
        shutil.rmtree(run)
        assert main([*flags, "--children", "8", "--run-dir", str(run)]) == 0
        target = FOLDER / "trained"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(run, target)
        again = ["--resume", "--run-dir", str(run), "--children", "16"]
        assert main(again) == 0
        shutil.copy(run / "episodes.csv", FOLDER / "trained.csv")
    for name in ("report.html", "best_architecture.svg", "best_architecture.txt"):
        (target / name).unlink(missing_ok=True)
    for name in ("store.db-wal", "store.db-shm"):
        (FOLDER / name).unlink(missing_ok=True)


if __name__ == "__main__":
    (FOLDER / "keys.json").write_text(json.dumps(keys(), indent=1) + "\n")
    table_runs()
    trained_run()
