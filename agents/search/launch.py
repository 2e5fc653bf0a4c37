"""From the options of a command line to a search: environment, preset, recipe, folder, store."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gymnasium as gym

from agents.presets import find_preset
from agents.records.run_folder import RunFolder
from agents.registry import unknown
from agents.search.banner import ranking_line
from agents.search.environment import STORE, describe_environment, find_spec, open_environment
from agents.search.options import TrainOptions
from agents.search.play import AnyEnv
from agents.search.resolve import (
    depth_schedule,
    environment_arguments,
    family_of,
    further_arguments,
    search_settings,
    settings_for,
    settings_given,
)
from agents.search.search import Search
from agents.tracking.tensorboard import TensorBoardTracker
from agents.tracking.tracker import WandbTracker, run_suffix, sweep_id
from nas_env.data.datasets import data_given, find_dataset
from nas_env.envs.settings import settings_of
from nas_env.errors import ConfigurationError, DatasetNotFoundError, RunFolderError
from nas_env.system.folders import user_path

DEFAULT_ENV, OFFLINE_ENV = "NAS-CIFAR10-v0", "NAS-Digits-v0"
EVALUATORS = ("process", "local")
TRANSIENT = ("out_of_memory", "timeout", "worker_lost", "error")
"""Failures that another try may not meet."""
RUNS = Path("runs")
TRACKERS = {"wandb": WandbTracker, "tensorboard": TensorBoardTracker}


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

    @property
    def run_dir(self) -> Path:
        """The run folder."""
        assert self.options.place.run_dir is not None, "prepare has chosen one"
        return self.options.place.run_dir


def stored_options(run_dir: Path | None) -> TrainOptions:
    """The options of the run to resume: what flags given now are laid over.

    Raises:
        RunFolderError: there is no such run.
    """
    if run_dir is None:
        raise RunFolderError(f"--resume needs --run-dir, the run to continue. {_newest_run()}")
    command = RunFolder(run_dir).read_config(resume=True).get("command")
    if not isinstance(command, dict):
        raise RunFolderError(
            f"{run_dir} was not started by the command line: resume it with "
            "agents.run_search(..., resume=True)."
        )
    return TrainOptions.from_json(command)


def prepare(options: TrainOptions) -> Launch:
    """Resolve options and open everything that a search needs; trains nothing yet.

    Raises:
        NasEnvError: an option that cannot be, or data that is not there.
    """
    options.check()
    if options.place.evaluator not in EVALUATORS:
        raise ConfigurationError(unknown("evaluator", options.place.evaluator, EVALUATORS))
    options, banner = _choose_env(options)
    spec = find_spec(str(options.what.env))
    given = _given(options)
    preset = find_preset(options.what.preset, family_of(settings_given(spec, given)))
    track = "wandb" if sweep_id() and options.watching.track == "no" else options.watching.track
    options = _resolve_places(options.changed(track=track), spec.id)
    run = RunFolder(str(options.place.run_dir))
    stored = run.read_config(resume=True) if options.budget.resume else {}
    own = settings_for(options.what.agent, preset, options.agent, stored)
    arguments = environment_arguments(spec, preset, _given(options), stored)
    banner += ranking_line(spec, settings_given(spec, arguments), arguments.get("recipe"))
    settings = search_settings(
        preset,
        stored,
        children=options.budget.children,
        hours=options.budget.hours,
        children_per_update=options.budget.children_per_update,
        seed=options.what.seed,
        resume=options.budget.resume,
        progress=options.watching.progress,
    )
    if options.budget.retry_failed:
        with run.locked():  # of a search that is running, nothing is forgotten
            banner += _forget_failures(Path(str(options.place.store)))
    env = open_environment(str(options.what.env), settings.children_per_update, None, arguments)
    if "num_layers" not in options.environment:
        settings = replace(settings, schedule=depth_schedule(preset, env, stored))
    search = Search(*(env, options.what.agent, settings, run.path, own), _description(env, options))
    if track != "no":
        search.observers.add(TRACKERS[track]())
    return Launch(search, env, options, banner)


def _description(env: AnyEnv, options: TrainOptions) -> dict[str, Any]:
    again = options.changed(resume=False, retry_failed=False)
    return {
        **describe_environment(env),
        "preset": options.what.preset,
        "command": again.to_json(),
        "repeat": again.repeat_command(),
    }


def _given(options: TrainOptions) -> dict[str, Any]:
    """Keyword arguments of the environment that were given, and where children are trained."""
    place = options.place
    given: dict[str, Any] = {
        "dataset": options.what.dataset,
        "recipe": options.what.recipe_value(),
        "reward": options.what.reward_value(),
        "data_dir": None if place.data_dir is None else str(place.data_dir),
        "workers": place.workers,
        **options.environment,
        **further_arguments(options.what.arguments),
    }
    if settings_of(find_spec(str(options.what.env))) is not None:
        given |= {"evaluator": place.evaluator, "device": place.device}
        given |= {} if place.store is None else {"store": str(place.store)}
    return {name: value for name, value in given.items() if value is not None}


def _choose_env(options: TrainOptions) -> tuple[TrainOptions, str]:
    """Name the environment: CIFAR-10 where it can be had, else what needs no network."""
    if options.what.env is not None:
        return options, ""
    if options.what.dataset is not None:
        return options.changed(env=_environment_for(options.what.dataset)), ""
    from nas_env.data.images import image_digest  # imports torch

    try:
        image_digest(gym.spec(DEFAULT_ENV).kwargs["dataset"], options.place.data_dir)
    except DatasetNotFoundError as error:
        banner = (
            f"CIFAR-10 is neither on disk nor downloadable, so this searches {OFFLINE_ENV}, the "
            f"handwritten digits that ship with scikit-learn. For CIFAR-10: {error}\n"
        )
        return options.changed(env=OFFLINE_ENV), banner
    return options.changed(env=DEFAULT_ENV), ""


def _environment_for(dataset: str) -> str:
    """The environment that a data set's row names; that of images for what is no data set yet."""
    try:
        return find_dataset(dataset).env
    except DatasetNotFoundError:
        return DEFAULT_ENV  # whose own error says what was looked for


def _resolve_places(options: TrainOptions, env_id: str) -> TrainOptions:
    """Absolute paths, so that a run can be resumed from any folder."""
    what, place = options.what, options.place
    run_dir = place.run_dir
    if run_dir is None:
        stamp = time.strftime("%Y%m%d-%H%M%S") + run_suffix()
        run_dir = RUNS / f"{env_id.replace('/', '-')}-{what.agent}-{what.seed}-{stamp}"
    run_dir = user_path(run_dir).resolve()
    dataset = what.dataset
    if dataset is not None:
        dataset = _from_any_folder(dataset)
    return options.changed(
        run_dir=run_dir,
        store=user_path(place.store or run_dir.parent / STORE).resolve(),
        dataset=dataset,
        data_dir=None if place.data_dir is None else user_path(place.data_dir).resolve(),
    )


def _from_any_folder(dataset: str) -> str:
    """A data set's name as it is, its path made absolute, alone or in a JSON object."""
    given = data_given(dataset)
    if isinstance(given, Mapping):
        inside = {"folder": _from_any_folder(str(given["folder"]))} if "folder" in given else {}
        return json.dumps({**given, **inside})
    return str(user_path(given).resolve()) if user_path(given).exists() else str(given)


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
