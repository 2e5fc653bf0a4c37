"""Trainings are kept one by one, are done once, and are those that the recipe says."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from agents.ranking.candidates import candidate, draw_networks, settings_of
from agents.ranking.command import RankOptions, rank
from agents.ranking.trainings import FILE, Ledger, Plan, train
from nas_env.errors import ConfigurationError
from nas_env.evaluation.evaluator import Job

SETTINGS = settings_of("NAS-Digits-v0", {})
SMALL = '{"train_images": 64, "numerics": "float32"}'
NARROW = '{"train_images": 64, "numerics": "float32", "width": 0.25}'
LONG = '{"train_images": 96, "numerics": "float32"}'
ABOUT = {"env": "NAS-Digits-v0", "data": "digits"}


def plan(networks: int = 2, short: tuple[str, ...] = (SMALL,), repeats: int = 2) -> Plan:
    return Plan(
        SETTINGS.search_space(),
        draw_networks(SETTINGS, networks, 0),
        candidate(LONG, SETTINGS),
        [candidate(text, SETTINGS) for text in short],
        repeats,
        repeats,
    )


def kept(folder: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / FILE).read_text().splitlines()]
    return [line for line in lines if "network" in line]


def test_the_first_training_of_every_network_comes_before_any_second() -> None:
    order = [(t.network, t.candidate, t.repeat) for t in plan(short=(SMALL, NARROW)).trainings()]
    first, second = plan().networks
    assert order == [
        (network, index, repeat)
        for repeat in (0, 1)
        for network in (first, second)
        for index in (0, 1, 2)
    ]


@pytest.mark.slow
def test_a_training_is_that_of_the_task_with_the_recorded_seed(tmp_path: Path) -> None:
    one = plan(1, (NARROW,), 1)
    train(one, Ledger(tmp_path, ABOUT), "accuracy", 1)
    lines = kept(tmp_path)
    assert [line["with"] for line in lines] == [one.long.key, one.short[0].key]
    architecture = SETTINGS.search_space().decode(one.networks[0])
    for line, recipe in zip(lines, one.candidates, strict=True):
        again = recipe.task.run(Job(architecture, line["seed"]))
        assert (line["metric"], line["macs"]) == (again.metric, again.macs)
        assert line["numerics"] == "float32"
        assert 0 < line["processor_s"] < 60
    assert lines[1]["macs"] == lines[0]["macs"], "of the network itself, whatever is trained"


@pytest.mark.slow
def test_what_is_done_is_not_done_again_and_more_can_be_added(tmp_path: Path) -> None:
    train(plan(1, repeats=1), Ledger(tmp_path, ABOUT), "accuracy", 1)
    before = (tmp_path / FILE).read_text()
    train(plan(2, (SMALL, NARROW), 1), Ledger(tmp_path, ABOUT), "accuracy", 1)
    after = (tmp_path / FILE).read_text()
    assert after.startswith(before)
    assert (len(before.splitlines()), len(kept(tmp_path))) == (1 + 2 + 2, 6)
    train(plan(2, (SMALL, NARROW), 1), Ledger(tmp_path, ABOUT), "accuracy", 1)
    assert (tmp_path / FILE).read_text() == after


@pytest.mark.slow
def test_a_line_cut_short_costs_that_training_only(tmp_path: Path) -> None:
    train(plan(1, repeats=1), Ledger(tmp_path, ABOUT), "accuracy", 1)
    path = tmp_path / FILE
    whole = path.read_text().splitlines()
    path.write_text("\n".join([*whole[:-1], whole[-1][:40]]))
    assert len(Ledger(tmp_path, ABOUT).done) == 1
    train(plan(1, repeats=1), Ledger(tmp_path, ABOUT), "accuracy", 1)
    assert (
        json.loads(path.read_text().splitlines()[-1])["metric"] == json.loads(whole[-1])["metric"]
    )
    assert len(Ledger(tmp_path, ABOUT).done) == 2


def test_a_folder_of_other_data_is_refused(tmp_path: Path) -> None:
    Ledger(tmp_path, ABOUT)
    with pytest.raises(ConfigurationError, match="Name another --output"):
        Ledger(tmp_path, {**ABOUT, "data": "other"})


@pytest.mark.slow
def test_a_failed_child_is_kept_and_a_fault_of_the_machine_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    too_large = '{"max_parameters": 10, "numerics": "float32"}'
    train(plan(1, (too_large,), 1), Ledger(tmp_path, ABOUT), "accuracy", 1)
    assert [(line["metric"], line.get("failure")) for line in kept(tmp_path)][1] == (
        None,
        "too_large",
    )
    monkeypatch.setattr("agents.ranking.trainings.MACHINES_FAULT", ("too_large",))
    other = '{"max_parameters": 11, "numerics": "float32"}'
    train(plan(1, (other,), 1), Ledger(tmp_path, ABOUT), "accuracy", 1)
    assert len(kept(tmp_path)) == 2


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    command = [
        *(sys.executable, "scripts/rank_recipes.py", "--env", "NAS-Digits-v0", "--networks", "4"),
        *("--recipes", SMALL, "--long", LONG, "--output", str(tmp_path / "killed")),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    path = tmp_path / "killed" / FILE
    deadline = time.monotonic() + 600
    while not (path.exists() and path.read_text().count('"network"') >= 3):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    left = len(kept(tmp_path / "killed"))
    assert left < 16
    assert subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    options = RankOptions((SMALL,), LONG, tmp_path / "whole", "NAS-Digits-v0", networks=4)
    rank(options)

    def metrics(folder: str) -> dict[tuple[Any, ...], float]:
        return {
            (*line["network"], line["with"], line["repeat"]): line["metric"]
            for line in kept(tmp_path / folder)
        }

    assert len(kept(tmp_path / "killed")) == 16
    assert metrics("killed") == metrics("whole")
