"""Damaged and hostile table files: one message that names the file, or the same table."""

import json
import operator
import random
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas_env.tables.file import read_table, space_from_json, write_table
from nas_env.tables.held_out import load_held_out_metrics
from nas_env.tables.table import Table, TableEvaluator
from tests.faults.damage import cases, damage
from tests.faults.hostile import attempt, nothing_started_or_written, put_special
from tests.faults.outcome import Count

SPACE = {"kind": "choices", "choices": {"width": [1, 2, 3], "depth": [10, 20]}}
METRICS = np.arange(18.0).reshape(6, 3) / 100
VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 1, 2**70, 1e308, "", "z" * 10**5, [], [[]], {}, {"a": {}}, "accuracy"),
    *([0] * 1000, "conv", "choices", {"kind": "conv"}, {"kind": "conv", "max_layers": 99}),
)


def make(path: Path) -> None:
    table = Table(
        space_from_json(SPACE),
        METRICS,
        "accuracy",
        parameters=np.arange(6) + 100,
        train_seconds=METRICS * 7,
    )
    write_table(path, table, SPACE, METRICS[:, :1])


def everything(path: Path) -> list[Any]:
    """All that a search and its report see of a table."""
    table = read_table(path)
    members = [table.architecture(row) for row in range(len(table.metrics))]
    found = [TableEvaluator(table).evaluate(members, seed) for seed in range(3)]
    return [*found, dict(table.about), load_held_out_metrics(path).tolist()]


def note_everything(path: Path, found: list[Any]) -> None:
    found.extend(everything(path))


def change_about(about: dict[str, Any], rng: random.Random) -> str:
    """Another value somewhere; as text, which JSON need not be."""
    place: Any = about
    while True:
        key = rng.choice([*place] if isinstance(place, dict) else range(len(place)))
        if not isinstance(place[key], dict | list) or not place[key] or rng.random() < 0.3:
            break
        place = place[key]
    if rng.random() < 0.3 and isinstance(place, dict):
        del place[key]
    else:
        place[key] = rng.choice(VALUES)
    text = json.dumps(about)
    odd = ("[" * 10**5, "null", '"x"', text[:-1], text.replace("{", '{"version": 1, ', 1), "NaN")
    return rng.choice(odd) if rng.random() < 0.2 else text


def change_array(array: Any, rng: random.Random) -> Any:
    changes = (
        *(array[:-1], array.ravel(), array.T, array[..., None], array * np.nan, array * np.inf),
        *(
            array - 10**6,
            array.astype(str),
            array.astype(complex),
            array > 0,
            array.astype("M8[s]"),
        ),
        *(np.zeros(0), np.array(5.0), np.full(array.shape, 2**64 - 1, np.uint64), array * 1e300),
    )
    return rng.choice(changes)


def spoil_contents(path: Path, rng: random.Random) -> str:
    with np.load(path) as arrays:
        values = dict(arrays)
    name = rng.choice([*values])
    kind = rng.choice(("missing", "another", "another", "swapped", "unknown"))
    if kind == "missing":
        del values[name]
    elif kind == "swapped":
        other = rng.choice([*values])
        values[name], values[other] = values[other], values[name]
    elif kind == "unknown":
        values[rng.choice(("../metrics", "x", "metrics.npy", "/tmp/x"))] = np.zeros(2)
    elif name == "about":
        values[name] = np.array(change_about(json.loads(str(values[name])), rng))
    else:
        with np.errstate(all="ignore"):
            values[name] = change_array(values[name], rng)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, value in values.items():
            with archive.open(f"{key}.npy", "w") as member:
                np.lib.format.write_array(member, value)
    return f"{name} {kind}"


@pytest.mark.slow
def test_damage_to_a_table_is_one_message_or_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng, count, path = random.Random(14), Count(), tmp_path / "table.npz"
    make(path)
    content, before = path.read_bytes(), everything(path)
    with nothing_started_or_written(tmp_path, monkeypatch):
        for case in range(cases(80, 500)):
            path = tmp_path / f"{case}.npz"
            path.write_bytes(content)
            what = damage(path, rng) if rng.random() < 0.9 else put_special(path, rng)
            found: list[Any] = []
            outcome = attempt(note_everything, path, found)
            count.add(f"case {case}: {what}", outcome, partial(operator.eq, found, before))
    assert count.ended["refused"]
    count.check()


@pytest.mark.slow
def test_a_hostile_table_is_one_message_or_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng, count, path = random.Random(15), Count(), tmp_path / "table.npz"
    make(path)
    content = path.read_bytes()
    with nothing_started_or_written(tmp_path, monkeypatch):
        for case in range(cases(80, 500)):
            path = tmp_path / f"{case}.npz"
            path.write_bytes(content)
            count.add(f"case {case}: {spoil_contents(path, rng)}", attempt(everything, path))
    assert count.ended["refused"]
    count.check()
