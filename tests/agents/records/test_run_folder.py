"""What a run folder promises: logs keep the columns that they began with."""

import csv
from dataclasses import replace
from pathlib import Path

from agents.records.episode import COLUMNS, Episode
from agents.records.run_folder import RunFolder

CHILD = Episode(1, (0, 1), '{"a": 1}', 0.5, 0.125, "complete", macs=77, message='a "b", c')


def test_an_episode_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    children = [CHILD, replace(CHILD, metric=None, state="failed", failure="timeout", cached=True)]
    folder.record(children, {"update": 1})
    assert folder.episodes() == children


def test_a_log_that_an_earlier_version_began_keeps_its_columns(tmp_path: Path) -> None:
    old = [name for name in COLUMNS if name != "macs"]
    row = CHILD.to_row()
    with (tmp_path / "episodes.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, old, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerow(row)
    folder = RunFolder(tmp_path)
    folder.record([replace(CHILD, number=2)], {"update": 2})
    with (tmp_path / "episodes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [*rows[0]] == old and rows[1] == {**rows[0], "number": "2"}
    assert [episode.macs for episode in folder.episodes()] == [0, 0]
