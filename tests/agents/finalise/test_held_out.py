"""The test part is read once for a search, and where it is not, everybody can see it."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from agents.finalise import held_out
from agents.finalise.held_out import TestReading, wilson
from agents.finalise.outcome import Finalised
from nas_env.errors import HeldOutReadError
from nas_env.evaluation.store import EvaluationStore

Run = Callable[..., Finalised]


def test_the_reading_is_in_folder_and_store_with_date_and_command(run: Run, place: Path) -> None:
    done = run(top=1)
    reading = json.loads((done.folder / "test_reading.json").read_text())
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}$", reading["date"])
    assert "pytest" in reading["command"] or os.sys.executable in reading["command"]  # type: ignore[attr-defined]
    assert done.reading is not None and done.reading.accuracies == tuple(reading["accuracies"])
    with EvaluationStore(place / "store.sqlite") as store:
        rows = [row for row in store.rows() if row.key.dataset.startswith("test:")]
    assert len(rows) == 1
    assert rows[0].evaluation.metric == done.reading.accuracies[0]
    told = json.loads(rows[0].evaluation.message)
    assert (told["date"], told["command"]) == (reading["date"], reading["command"])
    assert told["folder"] == str(done.folder)


def test_no_child_of_a_search_has_the_key_of_a_test_figure(run: Run, place: Path) -> None:
    done = run(top=1)
    with EvaluationStore(place / "store.sqlite") as store:
        test = {row.key for row in store.rows() if row.key.dataset.startswith("test:")}
        others = {row.key.dataset for row in store.rows()} - {key.dataset for key in test}
    assert others and not any(key.dataset in others for key in test)
    assert done.reading is not None


def test_a_second_reading_for_the_search_is_refused_before_anything_is_trained(
    run: Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run(top=1)
    assert first.reading is not None
    monkeypatch.setattr("nas_env.training.image_training.ImageTraining.run_epoch", None)
    with pytest.raises(HeldOutReadError, match="has been read for this search before") as error:
        run(top=1, more_filters=2, output=place / "other")
    assert first.reading.date in str(error.value)
    assert f"{first.reading.accuracies[0]:.4f}" in str(error.value)


def test_without_a_test_a_second_network_can_be_made(run: Run, place: Path) -> None:
    run(top=1)
    again = run(top=1, more_filters=2, output=place / "other", test=False)
    assert again.reading is None


def test_a_forced_second_reading_is_marked_wherever_it_is_told(run: Run, place: Path) -> None:
    first = run(top=1)
    again = run(top=1, more_filters=2, output=place / "other", test_again=True)
    assert first.reading is not None and again.reading is not None
    assert (first.reading.forced, again.reading.forced) == (False, True)
    assert first.reading.date in again.reading.earlier[0]
    assert "not the first reading" in (place / "other" / "model_card.md").read_text()
    assert "Not the first reading" in (place / "other" / "report.html").read_text()
    assert json.loads((place / "other" / "figures.json").read_text())["test"]["forced"]
    with EvaluationStore(place / "store.sqlite") as store:
        rows = [row for row in store.rows() if row.key.dataset.startswith("test:")]
    marks = [json.loads(row.evaluation.message)["forced"] for row in rows]
    assert marks == [False, True]


def test_a_folder_that_was_removed_does_not_make_the_test_part_unread(run: Run) -> None:
    first = run(top=1)
    (first.folder / "test_reading.json").unlink()
    with pytest.raises(HeldOutReadError, match="before"):
        run(top=1)


def test_a_changed_record_is_no_record(run: Run) -> None:
    done = run(top=1)
    path = done.folder / "test_reading.json"
    path.write_text(path.read_text().replace('"forced": false', '"forced": true'))
    with pytest.raises(HeldOutReadError, match="was changed or is damaged"):
        run(top=1)


@pytest.mark.parametrize("where", ["_measure", "_record"])
def test_a_reading_that_was_cut_off_goes_on_as_the_same_one(
    where: str, run: Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = held_out if where == "_measure" else TestReading
    original = getattr(owner, where)

    def killed(*arguments: object) -> object:
        if where == "_record":
            original(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(owner, where, killed)
    with pytest.raises(KeyboardInterrupt):
        run(top=1)
    record = json.loads((place / "run" / "final" / "test_reading.json").read_text())
    assert record["accuracies"] == []
    monkeypatch.undo()
    monkeypatch.setenv("NAS_ENV_CACHE", str(place / "cache"))
    done = run(top=1)
    assert done.reading is not None
    assert (done.reading.date, done.reading.forced) == (record["date"], False)
    with EvaluationStore(place / "store.sqlite") as store:
        assert sum(row.key.dataset.startswith("test:") for row in store.rows()) == 1


def test_the_interval_is_wilsons() -> None:
    low, high = wilson(0.9, 100)  # by hand: (.9 + .0192 +- 1.96 sqrt(.0009 + .000096)) / 1.0384
    assert (round(low, 4), round(high, 4)) == (0.8256, 0.9448)
    assert wilson(1.0, 10)[1] == pytest.approx(1.0)
