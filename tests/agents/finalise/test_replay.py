"""A run whose children are trained again: an honest record agrees, a forged one is found."""

import csv
import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from agents.commands import validate_run
from agents.finalise import replay as replay_module
from agents.finalise.progress import Stages
from agents.finalise.replay import Replay, replay
from nas_env.errors import RunFolderError
from nas_env.evaluation.evaluation import Evaluation

COLUMNS = ("metric", "parameters", "macs", "state")


def replayed(place: Path, children: int = 4) -> Replay:
    return replay(place / "run", children, evaluator="local", stages=Stages(silent=True))


def rewrite(place: Path, row: int, **values: str) -> None:
    path = place / "run" / "episodes.csv"
    rows = list(csv.DictReader(path.read_text().splitlines()))
    rows[row] |= values
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def test_every_child_of_an_honest_run_agrees_to_the_last_bit(place: Path) -> None:
    found = replayed(place)
    assert found.same_numerics
    assert [one.verdict for one in found.children] == ["same"] * 4


def test_every_one_of_fifty_forged_rows_is_found(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trainings are done once: what is forged is the record alone."""
    evaluations: dict[int, Evaluation] = {}
    for one in replayed(place).children:
        evaluations[one.episode.number] = one.evaluation
    episodes = {one.episode.number: one.episode for one in replayed(place).children}
    chance = random.Random(0)
    for _ in range(50):
        number = chance.choice([*episodes])
        honest = episodes[number]
        assert honest.metric is not None
        forged = chance.choice(
            [
                replace(
                    honest,
                    metric=honest.metric + chance.choice([-1, 1]) * 10 ** -chance.uniform(1, 12),
                ),
                replace(honest, parameters=honest.parameters + chance.choice([-1, 1])),
                replace(honest, macs=honest.macs * 2),
                replace(honest, state="failed", failure="diverged", metric=None),
                replace(honest, metric=float(chance.random())),
            ]
        )
        judged = replay_module._judged(forged, evaluations[number], float("nan"))
        assert judged.verdict == "differs", forged
        assert replay_module._judged(honest, evaluations[number], float("nan")).verdict == "same"


def test_a_fault_of_the_checking_machine_says_nothing_of_the_record(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = replayed(place).children[0]
    lost = replace(
        honest.evaluation, metric=None, state="failed", failure="worker_lost", message="gone"
    )
    judged = replay_module._judged(honest.episode, lost, float("nan"))
    assert (judged.verdict, judged.why) == ("not measured", "worker_lost here: gone")
    found = replay_module.Replay((judged,), True, float("nan"))
    assert (found.differing, found.measured) == ([], [])
    monkeypatch.setattr(replay_module, "replay", lambda *_: found)
    assert validate_run.main([str(place / "run")]) == 1, "nothing was checked"
    assert "says nothing of the record" in capsys.readouterr().out


def test_the_command_names_a_forged_child_and_fails(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(place / "run"), "--evaluator", "local"]
    assert validate_run.main(words) == 0
    assert "4 of 4 children agree (exactly" in capsys.readouterr().out
    rewrite(place, 2, metric="0.98765")
    assert validate_run.main(words) == 1
    out = capsys.readouterr().out
    assert "child     3  recorded 0.987650" in out and "differs: metric apart by" in out
    assert "3 of 4 children agree" in out


def test_the_best_child_is_always_among_those_that_are_checked(place: Path) -> None:
    rewrite(place, 1, reward="9.0")
    assert [one.episode.number for one in replayed(place, 1).children] == [2]


def test_on_another_machine_the_noise_between_seeds_is_allowed_and_more_is_not(
    place: Path,
) -> None:
    path = place / "run" / "config.json"
    config = json.loads(path.read_text())
    config["hardware"]["processor"] = "another"
    config.pop("sha256", None)
    path.write_text(json.dumps(config))
    found = replayed(place)
    assert not found.same_numerics
    assert found.deviation > 0
    assert found.differing == []
    near = found.children[0].evaluation.metric or 0.0
    rewrite(place, found.children[0].episode.number - 1, metric=repr(near + 2.0 * found.deviation))
    assert replayed(place).children[0].verdict == "within noise"
    rewrite(place, found.children[0].episode.number - 1, metric=repr(near + 5.0 * found.deviation))
    assert [one.episode.number for one in replayed(place).differing] == [
        found.children[0].episode.number
    ]


def test_a_run_without_a_finished_child_cannot_be_checked(place: Path) -> None:
    for row in range(4):
        rewrite(place, row, state="failed", failure="timeout", metric="")
    with pytest.raises(RunFolderError, match="no child that could be trained again: 4 children"):
        replayed(place)
