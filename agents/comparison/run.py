"""Running the searches of a comparison, each once, and keeping what they found.

One ``.npz`` file a search, written when it is finished. Searches that train children also have a
run folder, so that they resume where they were killed, and share one store: no child is trained
twice. A search on a table takes seconds and is simply repeated.
"""

import inspect
import json
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from agents.presets import find_preset
from agents.records.run_folder import RunFolder
from agents.records.trace import ARRAYS, Trace
from agents.registry import agent_settings, build_agent, resolved_options
from agents.search.environment import find_spec
from agents.search.play import make_player
from agents.search.resolve import settings_given
from agents.search.run import run_search
from nas_env.envs.settings import settings_of
from nas_env.errors import ConfigurationError, RunFolderError
from nas_env.system.files import write_durably

RUNS, TRACES = "runs", "traces"


@dataclass(frozen=True)
class Contender:
    """An agent with its hyper-parameters.

    Attributes:
        label: as it was written: ``reinforce`` or ``reinforce:learning_rate=6e-4``.
        name: the agent.
        options: hyper-parameters, all of them.
    """

    label: str
    name: str
    options: Mapping[str, Any]

    @property
    def file_name(self) -> str:
        """The label with what file systems dislike replaced."""
        return re.sub(r"[^A-Za-z0-9_.=-]+", "_", self.label)


@dataclass(frozen=True)
class Contest:
    """What is compared.

    Attributes:
        env: id of the environment.
        arguments: of the environment.
        children: budget of each search.
        children_per_update: architectures per update.
    """

    env: str
    children: int
    children_per_update: int = 8
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def identity(self, contender: Contender, seed: int) -> dict[str, Any]:
        """What must be equal for a finished search to be taken as this one."""
        return {
            "env": self.env,
            "arguments": dict(self.arguments),
            "children_per_update": self.children_per_update,
            "agent": contender.name,
            "options": dict(contender.options),
            "seed": seed,
        }


def parse_contender(text: str, preset: str, family: str) -> Contender:
    """``NAME`` or ``NAME:option=value,option=value``; the preset gives the other options.

    Raises:
        ConfigurationError: an unknown agent or option, or text of another form.
    """
    name, _, rest = text.partition(":")
    given: dict[str, Any] = {}
    for part in filter(None, rest.split(",")):
        option, equals, value = part.partition("=")
        try:
            given[option] = json.loads(value)
        except ValueError:
            equals = ""
        if not equals:
            raise ConfigurationError(
                f"An agent is written NAME or NAME:option=value,option=value, each value as in "
                f"JSON (0.01, true, null); {part!r} of {text!r} is not."
            )
    resolved_options(name, {})  # an unknown agent is named as such
    options = {**find_preset(preset, family).options(name), **given}
    return Contender(text, name, resolved_options(name, options))


class ComparisonRunner:
    """Runs what has not been run yet.

    Args:
        contest: what is compared.
        folder: where everything is kept.
    """

    def __init__(self, contest: Contest, folder: Path) -> None:
        self.contest = contest
        self.folder = folder
        settings = settings_given(find_spec(contest.env), contest.arguments)
        self.looks_up = settings is not None and settings.looks_up

    def run(self, contender: Contender, seed: int) -> Trace:
        """The search of one agent with one seed, from its file or now.

        Raises:
            RunFolderError: the folder holds another comparison, or cannot be written.
        """
        found = self.found(contender, seed)
        if found is None:
            found = self._search(contender, seed)
            with folder_errors(self.folder):
                _write(self._path(contender, seed), found, self.contest.identity(contender, seed))
        return found.first(self.contest.children)

    def found(self, contender: Contender, seed: int) -> Trace | None:
        """What a search found; None if it has not run as far.

        Raises:
            RunFolderError: the folder holds another comparison.
        """
        identity = self.contest.identity(contender, seed)
        return self._read(self._path(contender, seed), identity, contender)

    def check(self, contenders: Sequence[Contender]) -> None:
        """Check that these agents can play, before anything runs.

        Raises:
            ConfigurationError: the environment cannot be made or played, or an agent cannot.
        """
        env = self._open()
        try:
            problem = make_player(env).problem
            for one in contenders:
                build_agent(one.name, problem, 0, agent_settings(one.name, one.options))
        finally:
            env.close()

    def _path(self, contender: Contender, seed: int) -> Path:
        return self.folder / TRACES / f"{contender.file_name}-{seed}.npz"

    def _open(self) -> Any:
        """The environment, with the store that all searches share."""
        spec, arguments = find_spec(self.contest.env), dict(self.contest.arguments)
        if not self.looks_up and _takes_store(spec):
            arguments.setdefault("store", str((self.folder / "store.sqlite").resolve()))
        try:
            if spec.vector_entry_point is not None:
                size = self.contest.children_per_update
                return gym.make_vec(spec, num_envs=size, **arguments)
            return gym.make(spec, **arguments)
        except TypeError as error:
            raise ConfigurationError(
                f"{self.contest.env} cannot be made with the arguments {arguments}: {error}. Leave "
                "out what it does not take (--arguments, flags of the environment)."
            ) from error

    def _search(self, contender: Contender, seed: int) -> Trace:
        contest, run_dir = self.contest, None
        resume = False
        if not self.looks_up:
            run_dir = self.folder / RUNS / f"{contender.file_name}-{seed}"
            resume = RunFolder(run_dir).exists()
        env = self._open()
        try:
            result = run_search(
                env,
                contender.name,
                contest.children,
                contest.children_per_update,
                seed,
                run_dir,
                resume=resume,
                **contender.options,
            )
            metric_name = str(getattr(env.unwrapped, "metric_name", "metric"))
        finally:
            env.close()
        return Trace.of(contender.label, seed, result.episodes, metric_name)

    def _read(self, path: Path, identity: Mapping[str, Any], contender: Contender) -> Trace | None:
        """A finished search; None if there is none that is long enough."""
        if not path.exists():
            return None
        try:
            with np.load(path, allow_pickle=False) as arrays:
                about = json.loads(str(arrays["about"]))
                values = {name: arrays[name] for name in ARRAYS}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise RunFolderError(
                f"{path} is damaged ({error!r}): delete it to repeat it."
            ) from error
        metric_name = str(about.pop("metric_name", "metric"))
        if about != json.loads(json.dumps(identity)):
            raise RunFolderError(
                f"{path} is of another comparison: {about}, not {dict(identity)}. Name another "
                "folder."
            )
        if len(values["models"]) < self.contest.children:
            return None
        return Trace(contender.label, int(identity["seed"]), **values, metric_name=metric_name)


@contextmanager
def folder_errors(folder: Path) -> Iterator[None]:
    """Turn an error of the disk into one clear message.

    Raises:
        RunFolderError: in place of an ``OSError``.
    """
    try:
        yield
    except OSError as error:
        raise RunFolderError(
            f"The folder {folder} cannot be written: {error.strerror or error}. Searches that are "
            "finished are kept: free space or mend the permissions and start again, or name "
            "another --run-dir."
        ) from error


def _takes_store(spec: Any) -> bool:
    """Whether an environment has an argument of that name: all of ours, perhaps a user's."""
    if settings_of(spec) is not None:
        return True
    made = spec.entry_point
    made = gym.envs.registration.load_env_creator(made) if isinstance(made, str) else made
    taken = inspect.signature(made).parameters.values()
    return any(one.name == "store" or one.kind is one.VAR_KEYWORD for one in taken)


def _write(path: Path, trace: Trace, identity: Mapping[str, Any]) -> None:
    about = np.array(json.dumps({**identity, "metric_name": trace.metric_name}))
    arrays: dict[str, Any] = {name: getattr(trace, name) for name in ARRAYS}
    write_durably(path, lambda file: np.savez_compressed(file, about=about, **arrays))
