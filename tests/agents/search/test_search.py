"""The search loop: budgets, reproducibility, resume at any instant."""

import csv
import json
import os
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import agents
import nas_env
from agents.records.checkpoint import load_checkpoint
from agents.records.episode import Episode, SearchResult
from nas_env.errors import CheckpointError, ConfigurationError, NothingFoundError, RunFolderError

SPACE = nas_env.ChoiceSpace(
    {"width": [8, 16, 32, 64], "activation": ["relu", "tanh"], "size": [1, 3, 5]}
)
OPTIONS: dict[str, dict[str, Any]] = {
    "reinforce": {"learning_rate": 1e-2},
    "random": {},
    "evolution": {"population": 10, "tournament": 3},
}


def worth(architecture: Any, seed: int) -> float:
    noise = np.random.default_rng(seed % 2**32).normal(0, 0.01)
    return float(architecture["width"] / 64 + architecture["size"] / 5 + noise)


def environment(function: Any = worth) -> nas_env.ArchitectureEnv:
    return nas_env.ArchitectureEnv(SPACE, function)


def outcome(result: SearchResult) -> list[Any]:
    return [(e.number, e.tokens, e.metric, e.reward, e.state) for e in result.episodes]


def weights(run: Path) -> dict[str, bytes]:
    checkpoint = load_checkpoint(run / "checkpoint")
    assert checkpoint is not None
    return {name: array.tobytes() for name, array in checkpoint.agent.arrays.items()}


@pytest.mark.parametrize("agent", OPTIONS)
def test_a_search_returns_every_episode_and_the_best(agent: str) -> None:
    result = agents.run_search(environment(), agent, children=43, **OPTIONS[agent])
    assert [episode.number for episode in result.episodes] == list(range(1, 44))
    assert result.best.reward == max(episode.reward for episode in result.episodes)
    assert all(len(episode.tokens) == 3 for episode in result.episodes)


@pytest.mark.parametrize("agent", OPTIONS)
def test_same_seed_same_search_other_seed_other_search(agent: str) -> None:
    runs = [
        outcome(agents.run_search(environment(), agent, 40, seed=seed, **OPTIONS[agent]))
        for seed in (3, 3, 4)
    ]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_single_vector_factory_and_foreign_play_of_it_give_the_same_search() -> None:
    """A wrapper makes the environment foreign: its episodes are played one after another."""
    ours = environment()
    vector = nas_env.envs.vector_env.ArchitectureVectorEnv(SPACE, worth, num_envs=3)
    runs = [
        outcome(agents.run_search(env, "random", children=20, seed=1))
        for env in (ours, vector, environment)
    ]
    assert runs[0] == runs[1] == runs[2]
    foreign = gym.wrappers.TransformReward(environment(), lambda reward: reward)
    played = agents.run_search(foreign, "random", children=20, seed=1)
    assert [e.tokens for e in played.episodes] == [tokens for _, tokens, *_ in runs[0]]


def test_a_learning_rate_at_which_the_controller_diverges_is_one_clear_error() -> None:
    with pytest.raises(ConfigurationError, match=r"diverged.*lower learning_rate"):
        agents.run_search(environment(), children=400, learning_rate=1e300)


def test_reinforce_climbs() -> None:
    result = agents.run_search(environment(), children=400, learning_rate=1e-2)
    first, last = result.episodes[:40], result.episodes[-40:]
    assert np.mean([e.reward for e in last]) > np.mean([e.reward for e in first]) + 0.5


def test_failed_children_earn_no_more_than_the_worst_and_are_never_the_best(tmp_path: Path) -> None:
    def fails(architecture: Any, seed: int) -> float:
        if architecture["width"] < 64:
            raise ValueError("no")
        return -1.0

    result = agents.run_search(environment(fails), "random", children=40, run_dir=tmp_path / "r")
    failed = [episode for episode in result.episodes if episode.state == "failed"]
    assert failed
    assert {(e.metric, e.reward, e.failure) for e in failed} == {(None, -1.0, "error")}
    assert (result.best.state, result.best.reward) == ("complete", -1.0)


def test_a_search_in_which_all_children_fail_ends_without_a_best(tmp_path: Path) -> None:
    nan = environment(lambda architecture, seed: float("nan"))
    result = agents.run_search(nan, children=16, run_dir=tmp_path / "run")
    with pytest.raises(NothingFoundError, match=rf"all {len(result.episodes)} failed \("):
        result.best  # noqa: B018
    assert {episode.failure for episode in result.episodes} == {"diverged"}
    assert repr(result) == f"SearchResult(16 children, 16 failed; run folder {tmp_path / 'run'})"


def test_a_result_says_in_a_line_what_was_found() -> None:
    episodes = (
        Episode(1, (0,), '{"kind":"x"}', 0.5, 0.125, "complete"),
        Episode(2, (1,), "", None, 0.0, "failed", "timeout"),
    )
    assert repr(SearchResult(episodes)) == (
        "SearchResult(2 children, 1 failed; best: child 1, metric 0.5000, reward 0.1250, "
        '{"kind":"x"})'
    )


def test_no_best_without_a_success_names_what_failed() -> None:
    kinds = ("timeout", "timeout", "diverged")
    failed = tuple(
        Episode(n, (0,), "", None, 0.0, "failed", kind, message="Too slow.")
        for n, kind in enumerate(kinds, 1)
    )
    with pytest.raises(NothingFoundError, match=r"3 failed \(2 timeout, 1 diverged\).*Too slow"):
        SearchResult(failed).best  # noqa: B018
    with pytest.raises(LookupError, match="trained none"):
        SearchResult(()).best  # noqa: B018


def test_the_run_folder_holds_what_the_contract_says(tmp_path: Path) -> None:
    run = tmp_path / "run"
    result = agents.run_search(environment(), children=20, run_dir=run, seed=5)
    config = json.loads((run / "config.json").read_text())
    assert (config["agent"], config["seed"], config["children"]) == ("reinforce", 5, 20)
    assert config["agent_options"]["learning_rate"] == 2e-2
    with (run / "episodes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:10] == [
        *("number", "tokens", "architecture", "metric", "reward", "state"),
        *("failure", "parameters", "train_seconds", "cached"),
    ]
    assert [float(row["reward"]) for row in rows] == [e.reward for e in result.episodes]
    with (run / "updates.csv").open(newline="") as file:
        updates = list(csv.DictReader(file))
    assert [row["children"] for row in updates] == ["8", "16", "20"]
    found = nas_env.load_architecture(run / "best_architecture.json")
    assert nas_env.evaluate(found, evaluator=worth, seed=5).architecture == result.best.architecture
    assert "width: 64" in (run / "best_architecture.txt").read_text()


class Killed(BaseException):
    """Stands for the end of the process."""


class Killer:
    """An evaluator that dies in the middle of a batch, again and again."""

    def __init__(self, every: int) -> None:
        self.every, self.calls = every, 0

    def __call__(self, architecture: Any, seed: int) -> float:
        self.calls += 1
        if self.calls % self.every == 0:
            raise Killed
        return worth(architecture, seed)


@pytest.mark.parametrize("agent", OPTIONS)
def test_a_killed_search_ends_where_the_uninterrupted_one_does(agent: str, tmp_path: Path) -> None:
    whole, pieces = tmp_path / "whole", tmp_path / "pieces"
    options: Any = {"agent": agent, "children": 60, "seed": 2, **OPTIONS[agent]}
    uninterrupted = agents.run_search(environment(), run_dir=whole, **options)
    killer, deaths, result = Killer(19), 0, None
    while result is None:
        try:
            result = agents.run_search(
                environment(killer), run_dir=pieces, resume=deaths > 0, **options
            )
        except Killed:
            deaths += 1
    assert deaths >= 2
    assert outcome(result) == outcome(uninterrupted)
    assert weights(pieces) == weights(whole)


def test_killed_at_any_write_to_disk_a_search_still_resumes_exactly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dies before each flush and each rename of the first update in turn, then resumes."""
    options: Any = {"agent": "evolution", "children": 24, "seed": 2, **OPTIONS["evolution"]}
    whole = tmp_path / "whole"
    uninterrupted = agents.run_search(environment(), run_dir=whole, **options)
    for point in range(3, 18):
        run = tmp_path / f"run{point}"
        with monkeypatch.context() as patch:
            _die_at(patch, point)
            with pytest.raises(Killed):
                agents.run_search(environment(), run_dir=run, **options)
        result = agents.run_search(environment(), run_dir=run, resume=True, **options)
        assert outcome(result) == outcome(uninterrupted), point
        assert weights(run) == weights(whole), point
        rows = (run / "episodes.csv").read_text().splitlines()
        assert len(rows) == 25
        assert len((run / "updates.csv").read_text().splitlines()) == 4


def _die_at(patch: pytest.MonkeyPatch, point: int) -> None:
    calls = [0]

    def counted(real: Any) -> Any:
        def call(*args: Any) -> Any:
            calls[0] += 1
            if calls[0] == point:
                raise Killed
            return real(*args)

        return call

    patch.setattr(os, "fsync", counted(os.fsync))
    patch.setattr(os, "replace", counted(os.replace))


def test_a_finished_run_can_be_given_a_larger_budget(tmp_path: Path) -> None:
    run = tmp_path / "run"
    agents.run_search(environment(), children=16, run_dir=run)
    longer = agents.run_search(environment(), children=32, run_dir=run, resume=True)
    assert outcome(longer) == outcome(agents.run_search(environment(), children=32))


def test_resume_with_other_settings_lists_each_that_differs(tmp_path: Path) -> None:
    run = tmp_path / "run"
    agents.run_search(environment(), children=16, run_dir=run)
    with pytest.raises(RunFolderError) as caught:
        agents.run_search(
            environment(), children=16, run_dir=run, resume=True, seed=1, learning_rate=0.1
        )
    assert "seed: 0 in the run, 1 now" in str(caught.value)
    assert "agent_options.learning_rate: 0.02 in the run, 0.1 now" in str(caught.value)


def test_resume_of_another_search_space_is_refused(tmp_path: Path) -> None:
    run = tmp_path / "run"
    agents.run_search(environment(), children=8, run_dir=run)
    other = nas_env.ArchitectureEnv(nas_env.ChoiceSpace({"width": [8, 16]}), worth)
    with pytest.raises(RunFolderError, match="layout"):
        agents.run_search(other, children=8, run_dir=run, resume=True)


def test_a_folder_with_a_run_is_not_overwritten(tmp_path: Path) -> None:
    agents.run_search(environment(), children=8, run_dir=tmp_path / "run")
    with pytest.raises(RunFolderError, match="resume"):
        agents.run_search(environment(), children=8, run_dir=tmp_path / "run")


def test_resume_where_there_is_no_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="holds no run"):
        agents.run_search(environment(), children=8, run_dir=tmp_path / "no", resume=True)


@pytest.mark.parametrize("damage", ["truncate", "flip", "index", "edited", "missing", "deleted"])
def test_a_damaged_checkpoint_is_one_clear_error(damage: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    agents.run_search(environment(), children=24, run_dir=run)
    arrays = next((run / "checkpoint").glob("agent-*.npz"))
    content = arrays.read_bytes()
    index = run / "checkpoint" / "checkpoint.json"
    if damage == "truncate":
        arrays.write_bytes(content[: len(content) // 2])
    elif damage == "flip":
        arrays.write_bytes(content[:500] + bytes([content[500] ^ 1]) + content[501:])
    elif damage == "index":
        index.write_text(index.read_text()[:40])
    elif damage == "edited":
        values = json.loads(index.read_text())
        del values["agent"]["baseline"]
        index.write_text(json.dumps(values))
    elif damage == "missing":
        arrays.unlink()
    else:
        index.unlink()
    with pytest.raises(CheckpointError):
        agents.run_search(environment(), children=32, run_dir=run, resume=True)


def test_shortened_logs_are_refused(tmp_path: Path) -> None:
    run = tmp_path / "run"
    agents.run_search(environment(), children=24, run_dir=run)
    os.truncate(run / "episodes.csv", 100)
    with pytest.raises(RunFolderError, match=r"episodes\.csv"):
        agents.run_search(environment(), children=32, run_dir=run, resume=True)


def test_a_full_disk_is_one_clear_error_and_the_run_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, calls, real = tmp_path / "run", [0], os.fsync

    def full(handle: int) -> None:
        calls[0] += 1
        if calls[0] > 20:
            raise OSError(28, "No space left on device")
        real(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(RunFolderError, match="No space left on device"):
            agents.run_search(environment(), children=64, run_dir=run)
    result = agents.run_search(environment(), children=64, run_dir=run, resume=True)
    assert outcome(result) == outcome(agents.run_search(environment(), children=64))


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for name in (tmp_path / "file" / "run", tmp_path / ("x" * 300)):
        with pytest.raises(RunFolderError, match="cannot be written"):
            agents.run_search(environment(), children=8, run_dir=name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"children": 0}, "children"),
        ({"children": "8"}, "children must be a whole number of at least 1 or None, got '8'"),
        ({"seed": 1.5}, "seed must be a whole number"),
        ({"hidden_size": 3.5}, "hidden_size must be a whole number"),
        ({"agent": "evolution", "population": "9"}, "population must be a whole number"),
        ({"hours": -1.0}, "hours"),
        ({"children_per_update": 0}, "children_per_update"),
        ({"seed": -1}, "seed"),
        ({"agent": "reinforced"}, "Did you mean 'reinforce'"),
        ({"learning_rat": 1.0}, "Did you mean 'learning_rate'"),
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"learning_rate": float("inf")}, "learning_rate must be a finite number"),
        ({"entropy_coefficient": float("nan")}, "entropy_coefficient"),
        ({"env": "NAS-Digit-v0"}, "Did you mean 'NAS-Digits-v0'"),
        ({"env": 7}, "env must be"),
        ({"env": gym.make("CartPole-v1")}, "Discrete"),
        ({"resume": True}, "run_dir"),
    ],
)
def test_bad_arguments_are_refused_with_what_is_allowed(
    change: dict[str, Any], message: str
) -> None:
    arguments: dict[str, Any] = {"env": environment(), "children": 8, **change}
    with pytest.raises(ConfigurationError, match=message):
        agents.run_search(**arguments)


def test_an_environment_that_was_given_stays_open() -> None:
    closed: list[bool] = []

    class Watched(nas_env.ArchitectureEnv):
        def close(self) -> None:
            closed.append(True)

    env = Watched(SPACE, worth)
    agents.run_search(env, "random", children=8)
    assert not closed
    agents.run_search(lambda: env, "random", children=8)
    assert closed
