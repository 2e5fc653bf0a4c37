"""A finalise killed with SIGKILL, again and again, ends bit for bit like one that was not."""

import json
import multiprocessing
import random
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents.finalise.finalise import finalise
from agents.finalise.settings import FinaliseSettings

KILLS = 8


def start(settings: FinaliseSettings) -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["agents.finalise.finalise", "agents.finalise.result"])
    process = context.Process(target=finalise, args=(settings,))
    process.start()
    return process


def outcome(folder: Path) -> dict[str, Any]:
    """Everything that does not tell of time, place and command."""
    told: dict[str, Any] = json.loads((folder / "figures.json").read_text())
    for name in ("command", "written", "hardware", "milliseconds_per_picture"):
        del told[name]
    for training in told["trainings"]:
        del training["seconds"]
    for name in ("date", "command"):
        del told["test"][name]
    return told


@pytest.mark.slow
def test_killed_at_random_instants_it_ends_like_one_that_was_not(
    place: Path, settings: FinaliseSettings
) -> None:
    recipe = settings.recipe.replace('"epochs": 3', '"epochs": 20')
    settings = replace(settings, recipe=recipe, grid="small", finals=2)
    whole = place / "whole"
    shutil.copytree(place / "run", whole / "run")
    for file in place.glob("store.sqlite*"):
        shutil.copy(file, whole / file.name)
    began = time.monotonic()
    unharmed = start(replace(settings, source=whole / "run", store=whole / "store.sqlite"))
    unharmed.join()
    took = time.monotonic() - began
    assert unharmed.exitcode == 0
    chance, kills = random.Random(0), 0
    while True:
        process = start(settings)
        if kills < KILLS:
            process.join(chance.uniform(0, took / 4))
        else:
            process.join()
        if process.exitcode is not None:
            assert process.exitcode == 0
            break
        process.kill()
        process.join()
        kills += 1
    assert kills >= 3
    final, expected = place / "run" / "final", whole / "run" / "final"
    assert (final / "network.npz").read_bytes() == (expected / "network.npz").read_bytes()
    assert outcome(final) == outcome(expected)
    assert outcome(final)["test"]["forced"] is False
