"""What is finalised: the architectures of a run, best first, and how they were trained."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.finalise.settings import FinaliseSettings
from agents.records.direction import direction_of
from agents.records.episode import Episode
from agents.records.run_folder import RunFolder
from nas_env.errors import ConfigurationError, InvalidArchitectureError, RunFolderError
from nas_env.space.architecture_json import architecture_from_json, load_architecture
from nas_env.space.conv_architecture import ConvArchitecture
from nas_env.system.folders import user_path
from nas_env.system.reading import is_folder
from nas_env.tasks.kinds import CONV
from nas_env.training.recipe_choice import recipe_from_text

STORE = "store.sqlite"


@dataclass(frozen=True)
class Candidate:
    """An architecture of the run.

    Attributes:
        architecture: decoded.
        child: number of the first child that had it; 0 = it comes from a file.
        metric: mean over the children that had it; None = from a file.
    """

    architecture: ConvArchitecture
    child: int = 0
    metric: float | None = None

    @property
    def name(self) -> str:
        """In tables."""
        return f"child {self.child}" if self.child else "the file's"


@dataclass(frozen=True)
class Source:
    """A run, or a file, as finalising sees it.

    Attributes:
        candidates: different architectures, best first.
        identity: of the search: the test part is read once for it.
        what: in words.
        dataset: name, path, or what else ``dataset=`` takes.
        grid_recipe: what short trainings use.
        seed: of the search.
        data_dir: where its data are.
        store: where its children are kept.
    """

    candidates: tuple[Candidate, ...]
    identity: str
    what: str
    dataset: Any
    grid_recipe: Any
    seed: int
    data_dir: str | None
    store: Path


def read_source(settings: FinaliseSettings) -> Source:
    """The run or the file that the settings name.

    Raises:
        RunFolderError: no run, or none of its children was trained.
        InvalidArchitectureError: no convolutional architecture.
        ConfigurationError: it is not known how its children were trained.
    """
    place = user_path(settings.source)
    given = None if settings.grid_recipe is None else recipe_from_text(settings.grid_recipe)
    return _of_run(place, settings, given) if is_folder(place) else _of_file(place, settings, given)


def _of_file(path: Path, settings: FinaliseSettings, recipe: Any) -> Source:
    architecture = _convolutional(load_architecture(path), str(path))
    text = json.dumps(architecture.to_json(), sort_keys=True)
    return Source(
        candidates=(Candidate(architecture),),
        identity=hashlib.sha256(text.encode()).hexdigest()[:32],
        what=f"the architecture of {path.name}",
        dataset=settings.dataset or CONV.default_dataset,
        grid_recipe="quick" if recipe is None else recipe,
        seed=settings.seed or 0,
        data_dir=None if settings.data_dir is None else str(settings.data_dir),
        store=user_path(settings.store or path.absolute().with_name(STORE)),
    )


def _of_run(folder: Path, settings: FinaliseSettings, recipe: Any) -> Source:
    run = RunFolder(folder)
    config, episodes = run.read_config(), run.episodes()
    environment = config.get("environment", {})
    resources = config.get("resources", {})
    dataset = settings.dataset or environment.get("dataset")
    recipe = environment.get("recipe") if recipe is None else recipe
    candidates = _different(folder, episodes)
    if dataset is None or recipe is None:
        raise ConfigurationError(
            f"{folder} does not say on what and how its children were trained (a table, or an "
            "environment that is not ours): give --dataset and --grid-recipe."
        )
    data_dir = settings.data_dir or resources.get("data_dir")
    store = settings.store or resources.get("store") or folder.absolute().parent / STORE
    return Source(
        candidates=candidates,
        identity=_identity(config),
        what=f"{config.get('env')}, agent {config.get('agent')}, {len(episodes):,} children",
        dataset=dataset,
        grid_recipe=recipe,
        seed=int(config.get("seed", 0)) if settings.seed is None else settings.seed,
        data_dir=None if data_dir is None else str(data_dir),
        store=user_path(store),
    )


def _identity(config: dict[str, Any]) -> str:
    """The same for a copy of the run folder and after a resume."""
    told = {name: config.get(name) for name in ("env", "agent", "seed", "created", "environment")}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:32]


def _different(folder: Path, episodes: list[Episode]) -> tuple[Candidate, ...]:
    """Each architecture once, the best by its mean metric first; of equals the earliest.

    By its mean reward where the rewards of the search do not follow the metric.
    """
    metrics: dict[str, list[float]] = {}
    rewards: dict[str, list[float]] = {}
    first: dict[str, int] = {}
    for episode in episodes:
        if episode.state == "complete" and episode.metric is not None and episode.architecture:
            metrics.setdefault(episode.architecture, []).append(episode.metric)
            rewards.setdefault(episode.architecture, []).append(episode.reward)
            first.setdefault(episode.architecture, episode.number)
    if not metrics:
        raise RunFolderError(
            f"{folder} has no child that was trained: {len(episodes)} children, all failed or "
            "none finished. Continue the search (nas-env train --resume), or name another run."
        )
    found = {
        text: Candidate(
            _convolutional(architecture_from_json(json.loads(text)), str(folder)),
            first[text],
            sum(values) / len(values),
        )
        for text, values in metrics.items()
    }
    measured, paid = ([e.metric for e in episodes], [e.reward for e in episodes])
    ranks = metrics if direction_of("accuracy", measured, paid) else rewards
    worth = {text: sum(values) / len(values) for text, values in ranks.items()}
    return tuple(found[text] for text in sorted(found, key=lambda t: (-worth[t], found[t].child)))


def _convolutional(architecture: object, place: str) -> ConvArchitecture:
    if not isinstance(architecture, ConvArchitecture):
        raise InvalidArchitectureError(
            f"{place} holds {type(architecture).__name__}: finalising trains convolutional "
            "networks on images. A recurrent cell is trained in full and tested with nas-env "
            "language-model --cell FILE.json --test."
        )
    return architecture
