"""Checkpoints that somebody made up, digests and all: no agent takes what cannot be its state.

A number that could be right cannot be told from the one that was: forgeries are of other kinds,
shapes, bounds, and names.
"""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.agent import AgentState
from agents.commands.train import main as train
from agents.records.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from tests.faults.damage import cases, copy_of
from tests.faults.outcome import Count, call
from tests.faults.test_run_folder import result, resume

pytestmark = pytest.mark.slow
AGENTS = (
    *("reinforce", "evolution", "random", "screen", "hybrid"),
    *("ppo", "a2c", "maskable_ppo", "recurrent_ppo"),
)
OWN = {
    "evolution": ["--population", "10", "--tournament", "3"],
    "reinforce": ["--elite-size", "4", "--avoid-repeats", "True"],
}
Forgery = Callable[[np.ndarray[Any, Any], random.Random], Any]


def scattered(array: np.ndarray[Any, Any], value: Any, rng: random.Random) -> Any:
    changed = array.copy()
    if changed.size:
        changed.reshape(-1)[rng.randrange(changed.size)] = value
    return changed


FORGERIES: dict[str, Forgery] = {
    "a row more": lambda a, rng: np.concatenate([a, a[:1]]) if a.ndim else a[None],
    "a row less": lambda a, rng: a[:-1] if a.ndim else a.reshape(1, 1),
    "flat": lambda a, rng: a.reshape(-1) if a.ndim != 1 else a.reshape(-1, 1),
    "text": lambda a, rng: np.array(["x"] * max(1, a.size)),
    "complex": lambda a, rng: a.astype(np.complex128),
    "half precision": lambda a, rng: a.astype(np.float16),
    "empty": lambda a, rng: np.zeros(0, a.dtype),
    "a scalar": lambda a, rng: np.zeros((), a.dtype) if a.ndim else np.zeros(3, a.dtype),
    "nan": lambda a, rng: scattered(a, np.nan, rng) if a.dtype.kind == "f" else a.astype(float),
    "infinity": lambda a, rng: scattered(a, np.inf, rng) if a.dtype.kind == "f" else a.astype("U8"),
    "too large": lambda a, rng: (
        scattered(a, 10**12, rng) if a.dtype == np.int64 else a.astype("V4") if a.size else a
    ),
    "negative": lambda a, rng: scattered(a, -5, rng) if a.dtype == np.int64 else a[..., None],
    "missing": lambda a, rng: None,
}
VALUES: tuple[Any, ...] = (
    None,
    "x",
    -1,
    -0.5,
    10**400,
    [],
    {},
    [1, 2],
    True,
    float("nan"),
    {"a": 1},
)


def forged_values(values: Any, rng: random.Random) -> Any:
    """The same with one value replaced or left out, somewhere."""
    if isinstance(values, dict) and values and rng.random() < 0.8:
        name = rng.choice(sorted(values))
        if rng.random() < 0.2:
            return {key: value for key, value in values.items() if key != name}
        return {**values, name: forged_values(values[name], rng)}
    return rng.choice([value for value in VALUES if repr(value) != repr(values)])


def forge(checkpoint: Checkpoint, rng: random.Random) -> tuple[Checkpoint, str]:
    """Another state for the same run."""
    state = checkpoint.agent
    if not state.arrays or rng.random() < 0.3:
        values = forged_values(state.values, rng)
        if not isinstance(values, dict):
            values = {"owner": values}
        return replace(checkpoint, agent=AgentState(state.arrays, values)), "values"
    name, kind = rng.choice(sorted(state.arrays)), rng.choice(sorted(FORGERIES))
    with np.errstate(all="ignore"):
        changed = FORGERIES[kind](state.arrays[name], rng)
    arrays = {key: array for key, array in state.arrays.items() if key != name}
    if changed is not None:
        arrays[name] = changed
    return replace(checkpoint, agent=AgentState(arrays, state.values)), f"{name}: {kind}"


def same(first: AgentState, second: AgentState) -> bool:
    """Whether a forgery changed nothing, as of an array that was empty."""
    return (
        json.dumps(first.values) == json.dumps(second.values)
        and first.arrays.keys() == second.arrays.keys()
        and all(
            a.dtype == second.arrays[name].dtype
            and a.shape == second.arrays[name].shape
            and a.tobytes() == second.arrays[name].tobytes()
            for name, a in first.arrays.items()
        )
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    flags = ["--env", "NAS-Digits-Table-v0", "--no-progress", "--children", "24"]
    for agent in AGENTS:
        own = [*OWN.get(agent, []), "--agent", agent, "--run-dir", str(folder / agent)]
        assert train([*flags, *own]) == 0
        assert train(resume(copy_of(folder / agent, folder / f"{agent}-whole"))) == 0
    return {agent: folder / agent for agent in AGENTS}


def test_a_forged_checkpoint_is_refused_in_one_message_or_changes_nothing(
    runs: dict[str, Path], tmp_path: Path
) -> None:
    count = Count()
    for seed in range(cases(60, 300)):
        rng = random.Random(seed)
        agent = AGENTS[seed % len(AGENTS)]
        run = copy_of(runs[agent], tmp_path / "run")
        before = load_checkpoint(run / "checkpoint")
        assert before is not None
        forged, what = forge(before, rng)
        while same(forged.agent, before.agent):
            forged, what = forge(before, rng)
        save_checkpoint(run / "checkpoint", forged)
        wanted = result(runs[agent].with_name(f"{agent}-whole"))  # a forgery may say nothing new
        count.add(
            f"seed {seed}, {agent}, {what}",
            call(train, *resume(run)),
            lambda run=run, wanted=wanted: result(run) == wanted,  # type: ignore[misc]
        )
    count.check()
    assert count.ended["refused"] > 10 * count.ended["identical"]
