"""Hostile and damaged architecture files: one message, or an architecture; at once."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from nas_env.child.conv.cost import conv_cost
from nas_env.evaluation.seeding import architecture_key
from nas_env.space.architecture_json import architecture_from_json, load_architecture
from nas_env.space.choices import ChoiceArchitecture
from nas_env.space.conv_architecture import ConvArchitecture, Convolution, Pooling
from nas_env.space.layout import Architecture
from nas_env.space.published import FIGURE_7, MAX_SIN_CELL, NAS_CELL
from nas_env.tasks.drawing import draw_figure, draw_text
from tests.faults.damage import cases, damage
from tests.faults.hostile import attempt, nothing_started_or_written, put_special
from tests.faults.outcome import Count

SMALL = (Convolution(3, 5, 24), Pooling("max", 2, 2, (1,)), Convolution(1, 1, 8, 2, 2, (1, 2)))
WHOLE: tuple[Architecture, ...] = (
    *(FIGURE_7, NAS_CELL, MAX_SIN_CELL, ConvArchitecture(SMALL, 3, (1, 2))),
    ConvArchitecture(SMALL[:1], batch_norm=False, learning_rate=0.1),
    ChoiceArchitecture({"width": 3, "kind": "a", "rate": 0.5}),
)
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 64, 10**6, 10**18, 2**63, 10**4000, 1.0, 0.5, -0.0, 1e308),
    *(float("nan"), float("inf"), "", "1", "conv", "z" * 10**6, "\ud800", "\0", [], [0], [1, 0]),
    *([[]], {}, {"kind": "cell"}, [None] * 10**5, list(range(10**5)), {"a": {"a": {"a": []}}}),
)


def mutate(data: Any, rng: random.Random) -> str:
    """Change one place; as text, which need not be JSON."""
    place = data
    while True:
        key = rng.choice([*place] if isinstance(place, dict) else range(len(place)))
        if not isinstance(place[key], dict | list) or not place[key] or rng.random() < 0.2:
            break
        place = place[key]
    kind = rng.choice(("another", "another", "missing", "more", "many", "renamed"))
    if kind == "missing":
        del place[key]
    elif kind == "many":
        place[key] = [place[key]] * rng.choice((2, 300, 10**5))
    elif kind == "more" and isinstance(place, dict):
        place[rng.choice(("type", "depth", "z" * 10**5, ""))] = rng.choice(VALUES)
    elif kind == "renamed" and isinstance(place, dict):
        place[f"{key} "] = place.pop(key)
    else:
        place[key] = rng.choice(VALUES)
    text = json.dumps(data)
    odd = ("[" * 10**6, text[:-1], text.replace("{", '{"kind": "conv", ', 1), "9" * 10**6, "", "0")
    return rng.choice(odd) if rng.random() < 0.1 else text


def use(path: Path) -> None:
    """What the commands do with a file, training aside."""
    architecture = load_architecture(path)
    assert architecture_from_json(json.loads(json.dumps(architecture.to_json()))) == architecture
    assert architecture_from_json(json.loads(architecture_key(architecture)))
    if isinstance(architecture, ConvArchitecture):
        conv_cost(architecture)
    draw_text(architecture)
    draw_figure(architecture).svg()


@pytest.mark.slow
def test_a_hostile_architecture_is_one_message_or_an_architecture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng, count = random.Random(14), Count()
    with nothing_started_or_written(tmp_path, monkeypatch):
        for case in range(cases(60, 500)):
            path = tmp_path / f"{case}.json"
            data = rng.choice(WHOLE).to_json()
            path.write_text(json.dumps(data, indent=rng.choice((None, 1))))
            kind = rng.random()
            if kind < 0.3:
                what = damage(path, rng)
            elif kind < 0.4:
                what = put_special(path, rng)
            else:
                path.write_text(mutate(data, rng))
                what = path.read_text()[:200]
            count.add(f"case {case}: {what}", attempt(use, path))
    assert count.ended["refused"] and count.ended["identical"]
    count.check()
