"""From the options of a command line to a search: environment, preset, recipe, folder, store."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from agents.presets import Preset, find_preset
from agents.records.run_folder import RunFolder
from agents.registry import resolved_options, unknown
from agents.search.environment import STORE, describe_environment, find_spec, open_environment
from agents.search.options import TrainOptions
from agents.search.play import AnyEnv
from agents.search.schedule import DepthSchedule
from agents.search.search import Search, SearchSettings
from agents.tracking.tracker import WandbTracker, run_suffix, sweep_id
from nas_env.errors import ConfigurationError, DatasetNotFoundError, RunFolderError

DEFAULT_ENV, OFFLINE_ENV = "NAS-CIFAR10-v0", "NAS-Digits-v0"
EXECUTORS = ("process", "local")
TRANSIENT = ("out_of_memory", "timeout", "worker_lost", "error")
"""Failures that another try may not meet."""
FAMILIES = {"conv_env": "image", "cell_env": "language"}
"""Module of an environment's class -> family of presets."""
RUNS = Path("runs")


@dataclass(frozen=True)
class Launch:
    """A search ready to run.

    Attributes:
        search: the search.
        env: its environment; to be closed.
        options: the options with everything resolved that a resume needs.
        banner: what the user must know first; ``""`` for nothing.
    """

    search: Search
    env: AnyEnv
    options: TrainOptions
    banner: str


def stored_options(options: TrainOptions) -> TrainOptions:
    """The options of the run to resume: what flags given now are laid over.

    Raises:
        RunFolderError: there is no such run.
    """
    if options.run_dir is None:
        raise RunFolderError(f"--resume needs --run-dir, the run to continue. {_newest_run()}")
    config = RunFolder(options.run_dir).read_config()
    command = config.get("command")
    if not isinstance(command, dict):
        raise RunFolderError(
            f"{options.run_dir} was not started by scripts/train_agent.py: resume it with "
            "agents.run_search(..., resume=True)."
        )
    return TrainOptions.from_json(command)


def prepare(options: TrainOptions) -> Launch:
    """Resolve options and open everything that a search needs; trains nothing yet.

    Raises:
        NasEnvError: an option that cannot be, or data that is not there.
    """
    if options.executor not in EXECUTORS:
        raise ConfigurationError(unknown("executor", options.executor, EXECUTORS))
    options, banner = _choose_env(options)
    spec = find_spec(str(options.env))
    family = FAMILIES.get(str(spec.entry_point).partition(":")[0].rpartition(".")[2], "other")
    preset = find_preset(options.preset, family)
    agent_options = {**preset.options(options.agent), **options.agent_options()}
    resolved_options(options.agent, agent_options)
    options = _resolve_places(replace(options, track=options.track or bool(sweep_id())), spec.id)
    arguments = _arguments(options, preset, spec.kwargs, family)
    settings = _settings(options, preset)
    if options.retry_failed:
        banner += _forget_failures(Path(str(options.store)))
    env = open_environment(str(options.env), settings.children_per_update, None, arguments)
    again = replace(options, resume=False, retry_failed=False)
    description = {
        **describe_environment(env),
        "preset": options.preset,
        "command": again.to_json(),
        "repeat": again.repeat_command(),
    }
    if options.num_layers is None:
        settings = replace(settings, schedule=_schedule(preset, env))
    search = Search(env, options.agent, settings, options.run_dir, agent_options, description)
    if options.track:
        search.observers.add(WandbTracker())
    return Launch(search, env, options, banner)


def _settings(options: TrainOptions, preset: Preset) -> SearchSettings:
    """Budget and steps: what was given, else the preset's."""
    per_update = options.children_per_update
    if per_update is None:
        per_update = preset.children_per_update
    children, hours = options.children, options.hours
    if children is None and hours is None:
        children, hours = preset.children, preset.hours
    return SearchSettings(
        children=children,
        hours=hours,
        children_per_update=per_update,
        seed=options.seed,
        resume=options.resume,
        progress=options.progress,
    )


def _choose_env(options: TrainOptions) -> tuple[TrainOptions, str]:
    """Name the environment: CIFAR-10 where it can be had, else what needs no network."""
    if options.env is not None:
        return options, ""
    by_dataset = {"digits": OFFLINE_ENV, "ptb": "NAS-PTB-v0", "pydocs": "NAS-PyDocs-v0"}
    if options.dataset is not None:
        return replace(options, env=by_dataset.get(options.dataset, DEFAULT_ENV)), ""
    from nas_env.data.images import dataset_digest

    try:
        dataset_digest("cifar10", options.data_dir)
    except DatasetNotFoundError as error:
        banner = (
            f"CIFAR-10 is neither on disk nor downloadable, so this searches {OFFLINE_ENV}, the "
            f"handwritten digits that ship with scikit-learn. For CIFAR-10: {error}\n"
        )
        return replace(options, env=OFFLINE_ENV), banner
    return replace(options, env=DEFAULT_ENV), ""


def _resolve_places(options: TrainOptions, env_id: str) -> TrainOptions:
    """Absolute paths, so that a run can be resumed from any folder."""
    run_dir = options.run_dir
    if run_dir is None:
        stamp = time.strftime("%Y%m%d-%H%M%S") + run_suffix()
        run_dir = RUNS / f"{env_id.replace('/', '-')}-{options.agent}-{options.seed}-{stamp}"
    run_dir = run_dir.expanduser().resolve()
    store = options.store or run_dir.parent / STORE
    dataset = options.dataset
    if dataset is not None and Path(dataset).expanduser().exists():
        dataset = str(Path(dataset).expanduser().resolve())
    data_dir = None if options.data_dir is None else options.data_dir.expanduser().resolve()
    store = store.expanduser().resolve()
    return replace(options, run_dir=run_dir, store=store, dataset=dataset, data_dir=data_dir)


def _arguments(
    options: TrainOptions, preset: Preset, registered: Mapping[str, Any], family: str
) -> dict[str, Any]:
    """Keyword arguments of the environment; the recipe in full, its numerics chosen."""
    given = {
        "dataset": options.dataset,
        "data_dir": None if options.data_dir is None else str(options.data_dir),
        "workers": options.workers,
        "num_layers": options.num_layers,
        "recipe": options.recipe_value(),
    }
    if family == "other":
        return {name: value for name, value in given.items() if value is not None}
    given |= {"evaluator": options.executor, "store": str(options.store), "device": options.device}
    if family == "image" and options.num_layers is None and "num_layers" not in registered:
        given["num_layers"] = preset.num_layers
    dataset = str(registered["dataset"] if options.dataset is None else options.dataset)
    recipe = options.recipe_value() or preset.recipe
    given["recipe"] = _resolved_recipe(options, family, dataset, recipe)
    return {name: value for name, value in given.items() if value is not None}


def _resolved_recipe(
    options: TrainOptions, family: str, dataset: str, recipe: Any
) -> dict[str, Any]:
    """The whole recipe as a dict; its numerics are those of the run that is resumed.

    Raises:
        DatasetNotFoundError, InvalidDatasetError: before any worker starts.
    """
    if options.resume and options.run_dir is not None:
        stored = RunFolder(options.run_dir).read_config().get("environment", {}).get("recipe", {})
        changes = {"name": recipe} if isinstance(recipe, str) else dict(recipe)
        if isinstance(stored, dict) and "numerics" in stored:
            recipe = {"numerics": stored["numerics"], **changes}
    task: Any
    if family == "language":
        from nas_env.tasks.language_task import LanguageTask

        task = LanguageTask(dataset, options.data_dir, recipe, options.device)
    else:
        from nas_env.tasks.image_task import ImageTask

        task = ImageTask(dataset, options.data_dir, recipe, options.device)
    task.key()
    return asdict(task.recipe)


def _schedule(preset: Preset, env: AnyEnv) -> DepthSchedule | None:
    """The preset's depth schedule, in a search space that is deep enough for it."""
    schedule, space = preset.schedule, getattr(env.unwrapped, "search_space", None)
    if schedule is None or space is None or space.max_layers < schedule.last:
        return None
    return schedule


def _forget_failures(store: Path) -> str:
    """Let failures that may pass be tried again."""
    if not store.exists():
        return ""
    from nas_env.evaluation.store import EvaluationStore

    with EvaluationStore(store) as opened:
        count = opened.forget_failures(TRANSIENT)
    return f"{count} stored failures forgotten: those children are trained again.\n"


def _newest_run() -> str:
    runs = sorted(RUNS.glob("*/config.json"), key=lambda path: path.stat().st_mtime)
    return f"The newest here is --run-dir {runs[-1].parent}." if runs else ""
