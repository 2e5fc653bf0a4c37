"""The options of a search as one dataclass: the flags of ``scripts/train_agent.py``."""

import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from nas_env.training.recipe_choice import recipe_from_text

HYPER_PARAMETERS = (
    "learning_rate",
    "baseline_decay",
    "entropy_coefficient",
    "gradient_clip",
    "unit_advantages",
    "elite_size",
    "elite_weight",
    "avoid_repeats",
    "population",
    "tournament",
    "n_epochs",
    "batch_size",
    "clip_range",
)


@dataclass(frozen=True)
class TrainOptions:
    """Search for networks: an agent writes architectures, their children are trained.

    Where no default is shown, the preset decides; agents/presets.py holds all its numbers.
    """

    agent: str = "reinforce"
    """Who searches: reinforce, random or evolution; of Stable-Baselines3 ppo, a2c, maskable_ppo or
    recurrent_ppo (baselines/sb3_settings.py has all their defaults)."""
    env: str | None = None
    """Id of the environment. Default: NAS-CIFAR10-v0 if CIFAR-10 is on disk or can be downloaded,
    else NAS-Digits-v0."""
    preset: str = "quick"
    """Budget, recipe and hyper-parameters that belong together: quick (two CPU cores, minutes),
    fast (one GPU, hours) or paper."""
    recipe: str | None = None
    """How children are trained: quick, fast, paper, or a JSON object of changes such as
    '{"name": "quick", "epochs": 2}'. Default: the preset's."""
    dataset: str | None = None
    """Name, or path of a folder with your own images (train/CLASS/*.png) or text. Default: the
    environment's."""
    data_dir: Path | None = None
    """Folder where data sets known by name are, or are downloaded to. Default: NAS_ENV_DATA, else
    the cache folder."""
    num_layers: int | None = None
    """Layers of every child. Default: the preset's depth or depth schedule."""
    children: int | None = None
    """Stop after so many children. Default: the preset's."""
    hours: float | None = None
    """Stop after so many hours, all resumes together. Default: the preset's; no limit if none."""
    children_per_update: int | None = None
    """Architectures per update of the agent (m). Default: the preset's."""
    seed: int = 0
    """Run seed: the same seed gives the same search."""
    workers: int | None = None
    """Worker processes. Default: as many as there are cores, at most one per child of an update."""
    executor: str = "process"
    """Where children are trained: process (workers, with hard limits) or local (this process)."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, ..."""
    store: Path | None = None
    """SQLite file that keeps every finished child, shared by all runs. Default: store.sqlite beside
    the run folder."""
    run_dir: Path | None = None
    """Folder to record the run in. Default: runs/ENV-AGENT-SEED-TIME."""
    resume: bool = False
    """Continue the run in --run-dir with its own settings; other settings given are refused, except
    a larger budget and where children are trained."""
    retry_failed: bool = False
    """First forget stored failures that may pass (out of memory, timeout, lost worker, error), so
    that those children are trained again."""
    progress: bool = True
    """Show progress: a bar on a terminal, lines elsewhere."""
    track: bool = False
    """Record the search with Weights & Biases; offline where no account is set up. A run that a
    sweep starts is always recorded."""
    learning_rate: float | None = None
    """reinforce and Stable-Baselines3: the optimiser's learning rate. Default: the preset's (paper:
    6e-4); Stable-Baselines3: 3e-4 (a2c 7e-4)."""
    baseline_decay: float | None = None
    """reinforce: decay of the baseline's moving average. Default: the preset's (.95)."""
    entropy_coefficient: float | None = None
    """reinforce and Stable-Baselines3: weight of an entropy bonus. Default: the preset's (0: none,
    as in the paper)."""
    gradient_clip: float | None = None
    """reinforce and Stable-Baselines3: largest gradient norm. Default: the preset's (no clipping,
    as in the paper); Stable-Baselines3: .5."""
    unit_advantages: bool | None = None
    """reinforce: advantages of unit size. Default: the preset's (no, as in the paper)."""
    elite_size: int | None = None
    """reinforce: best architectures that are learned from at every update. Default: the preset's
    (0: none, as in the paper)."""
    elite_weight: float | None = None
    """reinforce: weight of the elites' log-likelihood. Default: the preset's."""
    avoid_repeats: bool | None = None
    """reinforce: train no architecture twice. Default: the preset's (no, as in the paper)."""
    population: int | None = None
    """evolution: architectures alive. Default: the preset's."""
    tournament: int | None = None
    """evolution: architectures drawn, of which the best becomes the parent. Default: the
    preset's."""
    n_epochs: int | None = None
    """ppo, maskable_ppo, recurrent_ppo: passes over the episodes of an update. Default: 10."""
    batch_size: int | None = None
    """ppo, maskable_ppo, recurrent_ppo: largest minibatch, in tokens. Default: 64 (recurrent_ppo:
    128)."""
    clip_range: float | None = None
    """ppo, maskable_ppo, recurrent_ppo: how far a token's probability may move in an update.
    Default: .2."""

    def agent_options(self) -> dict[str, Any]:
        """The hyper-parameters that were given."""
        given = {name: getattr(self, name) for name in HYPER_PARAMETERS}
        return {name: value for name, value in given.items() if value is not None}

    def recipe_value(self) -> str | dict[str, Any] | None:
        """The recipe's name, or its changes as a dict.

        Raises:
            ConfigurationError: it looks like JSON but is not.
        """
        return None if self.recipe is None else recipe_from_text(self.recipe)

    def to_json(self) -> dict[str, Any]:
        """JSON-able, for the run's configuration."""
        values = asdict(self)
        return {k: str(v) if isinstance(v, Path) else v for k, v in values.items()}

    def repeat_command(self) -> str:
        """The command line that gives this search again, in another folder."""
        words = ["python", "scripts/train_agent.py"]
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None or value == field.default or field.name in ("run_dir", "store"):
                continue
            flag = f"--{field.name.replace('_', '-')}"
            if isinstance(value, bool):
                words.append(flag if value else f"--no-{flag[2:]}")
            else:
                words += [flag, str(value)]
        return shlex.join(words)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "TrainOptions":
        """Read what ``to_json`` wrote; what this version does not know is left out."""
        known = {field.name for field in fields(cls)}
        paths = ("data_dir", "store", "run_dir")
        given = {name: value for name, value in values.items() if name in known}
        for name in paths:
            given[name] = None if given.get(name) is None else Path(given[name])
        return cls(**given)
