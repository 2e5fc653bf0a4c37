"""Complete tables: what a search may look up, what it may not, and files that are none."""

import json
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import nas_env
from nas_env.errors import (
    ConfigurationError,
    DatasetNotFoundError,
    InvalidArchitectureError,
    InvalidDatasetError,
)
from nas_env.tables.file import read_table, space_from_json, write_table
from nas_env.tables.held_out import load_held_out_metrics
from nas_env.tables.table import Table, TableEvaluator, index_of, tokens_of

CHOICES = {"kind": "choices", "choices": {"width": [1, 2, 3], "depth": [10, 20]}}
METRICS = np.arange(18.0).reshape(6, 3) / 100
TEST = 0.9 + np.arange(6.0)[:, None] / 1000
ENV = "Test-Table-v0"
ENTRY_POINTS: dict[str, Any] = {
    "entry_point": "nas_env.envs.table_env:TableEnv",
    "vector_entry_point": "nas_env.envs.table_env:TableVectorEnv",
}


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    gym.register(ENV, **ENTRY_POINTS)
    yield
    del gym.registry[ENV]


def small(**changes: Any) -> Table:
    values = {"metrics": METRICS, "metric_name": "accuracy", **changes}
    return Table(space_from_json(CHOICES), **values)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    table = small(parameters=np.arange(6) + 100, train_seconds=METRICS * 7)
    return write_table(tmp_path / "small.npz", table, CHOICES, TEST)


def play(env: gym.Env[Any, Any], tokens: tuple[int, ...], seed: int) -> tuple[float, Any]:
    env.reset(seed=seed)
    for token in tokens:
        _, reward, _, _, info = env.step(token)
    return float(reward), info


def test_members_are_in_the_order_of_their_tokens() -> None:
    space = space_from_json(CHOICES)
    assert [tokens_of(space, row) for row in (0, 1, 2, 5)] == [(0, 0), (0, 1), (1, 0), (2, 1)]
    assert all(index_of(space, tokens_of(space, row)) == row for row in range(6))
    table = small()
    assert table.index(table.architecture(4)) == 4
    assert dict(table.architecture(4)) == {"width": 3, "depth": 10}  # type: ignore[call-overload]


def test_each_run_seed_looks_up_one_training_of_each_member() -> None:
    table = small()
    evaluator, members = TableEvaluator(table), [table.architecture(row) for row in range(6)]
    seen: list[set[float | None]] = [set() for _ in members]
    for run_seed in range(30):
        found = evaluator.evaluate(members, run_seed)
        assert found == TableEvaluator(table).evaluate(members[::-1], run_seed)[::-1]
        for row, evaluation in enumerate(found):
            seen[row].add(evaluation.metric)
    assert seen == [set(row) for row in METRICS.tolist()]  # every training, and nothing else


def test_a_failed_training_is_a_failed_child() -> None:
    metrics = np.full((6, 1), np.nan)
    table = small(metrics=metrics)
    (found,) = TableEvaluator(table).evaluate([table.architecture(0)], 0)
    assert (found.state, found.failure, found.metric) == ("failed", "error", None)


def test_an_architecture_of_another_space_is_refused() -> None:
    other = nas_env.ChoiceSpace({"width": [7]}).decode((0,))
    with pytest.raises(InvalidArchitectureError, match="width"):
        TableEvaluator(small()).evaluate([other], 0)


def test_a_file_gives_back_the_table_and_its_held_out_figures_apart(path: Path) -> None:
    table = read_table(path)
    np.testing.assert_allclose(table.metrics, METRICS, rtol=1e-6)
    np.testing.assert_allclose(load_held_out_metrics(path), TEST, rtol=1e-6)
    assert table.metric_name == "accuracy" and table.parameters is not None
    assert table.parameters.tolist() == list(range(100, 106))
    held_out = {round(float(value), 6) for value in TEST[:, 0]}
    for array in (table.metrics, table.train_seconds, table.parameters):
        assert held_out.isdisjoint(np.round(np.asarray(array, float), 6).ravel().tolist())


def test_an_environment_on_a_users_table(path: Path) -> None:
    env = gym.make(ENV, table=str(path))
    reward, info = play(env, (2, 1), seed=3)
    table = read_table(path)
    (expected,) = TableEvaluator(table).evaluate([table.architecture(5)], 3)
    assert info["accuracy"] == expected.metric and reward == info["accuracy"] ** 3
    assert info["parameters"] == 105 and info["cached"] is True
    assert info["train_seconds"] == pytest.approx(7 * info["accuracy"], rel=1e-5)
    again = pickle.loads(pickle.dumps(env))
    assert play(again, (2, 1), seed=3)[0] == reward


def test_vector_environments_look_up_what_single_ones_do(path: Path) -> None:
    env = gym.make_vec(ENV, num_envs=4, table=str(path))
    env.reset(seed=5)
    env.step(np.array([0, 1, 2, 2]))
    _, rewards, _, _, infos = env.step(np.array([0, 0, 0, 1]))
    single = gym.make(ENV, table=str(path))
    expected = [play(single, tokens, 5)[0] for tokens in ((0, 0), (1, 0), (2, 0), (2, 1))]
    assert rewards.tolist() == expected and infos["cached"].all()


@pytest.mark.parametrize(
    ("metric_name", "reward"), [("perplexity", 80 / 0.17**2), ("metric", 0.17)]
)
def test_tables_of_other_metrics_have_their_reward(
    tmp_path: Path, metric_name: str, reward: float
) -> None:
    table = small(metrics=np.full((6, 1), 0.17), metric_name=metric_name)
    path = write_table(tmp_path / "other.npz", table, CHOICES)
    found, info = play(gym.make(ENV, table=str(path)), (0, 0), 0)
    assert found == pytest.approx(reward, rel=1e-5) and metric_name in info


def test_episodes_import_no_torch(path: Path) -> None:
    program = (
        "import sys, gymnasium as gym, numpy as np, nas_env\n"
        f"gym.register({ENV!r}, **{ENTRY_POINTS!r})\n"
        f"env = gym.make({ENV!r}, table={str(path)!r})\n"
        "env.reset(seed=0); env.step(0); print(env.step(1)[1])\n"
        f"env = gym.make_vec({ENV!r}, num_envs=2, table={str(path)!r})\n"
        "env.reset(seed=0); env.step(np.zeros(2, int)); env.step(np.ones(2, int))\n"
        "sys.exit('torch' in sys.modules or 'nas_env.tables.held_out' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_no_recipe_is_ignored(path: Path) -> None:
    with pytest.raises(ConfigurationError, match="recipe='quick'"):
        gym.make(ENV, table=str(path), dataset="cifar10")
    env = gym.make(ENV, table=str(path), recipe="quick")
    with pytest.raises(ConfigurationError, match="leave recipe out"):
        play(env, (0, 0), 0)  # members of this table are not networks


def test_arrays_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"\(5, 3\).*\(6, trainings\)"):
        small(metrics=METRICS[:5])
    with pytest.raises(ConfigurationError, match="parameters"):
        small(parameters=np.arange(5))
    with pytest.raises(ConfigurationError, match="one depth"):
        Table(space_from_json({"kind": "conv", "num_layers": 2, "max_layers": 3}), METRICS)


@pytest.mark.parametrize("content", [b"", b"not a table", None])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "bad.npz"
    if content is None:
        np.savez(path, metrics=METRICS)  # without its description
    else:
        path.write_bytes(content)
    with pytest.raises(InvalidDatasetError, match=r"bad\.npz is no table"):
        gym.make(ENV, table=str(path))


def test_a_table_of_a_later_version_is_named(path: Path) -> None:
    with np.load(path) as arrays:
        values = dict(arrays)
    values["about"] = np.array(json.dumps({**json.loads(str(values["about"])), "version": 9}))
    np.savez(path, **values)
    with pytest.raises(InvalidDatasetError, match="version 9"):
        read_table(path)


def test_a_missing_table_says_which_there_are() -> None:
    with pytest.raises(DatasetNotFoundError, match="come with the package: digits"):
        gym.make(ENV, table="digit")


def test_a_table_without_held_out_figures_says_so(tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.npz", small(), CHOICES)
    with pytest.raises(InvalidDatasetError, match="no held-out figures"):
        load_held_out_metrics(path)
    with pytest.raises(ConfigurationError, match=r"test_metrics has shape \(5, 1\)"):
        write_table(tmp_path / "t.npz", small(), CHOICES, TEST[:5])
    with pytest.raises(ConfigurationError, match="another layout"):
        write_table(tmp_path / "t.npz", small(), {"kind": "choices", "choices": {"width": [1]}})
    with pytest.raises(ConfigurationError, match="kind 'cells'"):
        space_from_json({"kind": "cells"})
