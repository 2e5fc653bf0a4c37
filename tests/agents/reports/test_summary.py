"""What the summary of runs promises: figures worked out by hand."""

import json
import math
from pathlib import Path

import pytest

from agents.reports.summary import block_table, difference, estimate, read_run, seed_differences
from nas_env.errors import RunFolderError


def write_run(folder: Path, agent: str, seed: int, metrics: list[float | None]) -> Path:
    folder.mkdir()
    config = {"env": "E-v0", "agent": agent, "seed": seed, "metric_name": "accuracy"}
    (folder / "config.json").write_text(json.dumps(config))
    rows = [f"{m},complete" if m is not None else ",failed" for m in metrics]
    (folder / "episodes.csv").write_text("\n".join(["metric,state", *rows]) + "\n")
    return folder


def test_standard_error_is_the_sample_deviation_over_root_n() -> None:
    found = estimate([1.0, 2.0, 3.0, 4.0])
    assert found.mean == 2.5
    assert found.standard_error == pytest.approx(math.sqrt(5 / 3) / 2)


def test_failed_children_count_as_children_but_not_in_means(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "a", "random", 0, [0.2, None, 0.4, 0.6]))
    assert run.metrics == (0.2, None, 0.4, 0.6)
    table = block_table([run], block=2)
    assert "| 1-2 | 0.2000 | 0.2000 |" in table
    assert "| 3-4 | 0.5000 | 0.6000 |" in table


def test_agents_are_compared_seed_by_seed(tmp_path: Path) -> None:
    ours = [read_run(write_run(tmp_path / f"r{s}", "reinforce", s, [0.1, 0.6 + s])) for s in (0, 1)]
    control = [read_run(write_run(tmp_path / f"c{s}", "random", s, [0.9, 0.5 + s])) for s in (1, 0)]
    assert seed_differences(ours, control, last=1) == pytest.approx([0.1, 0.1])
    assert "reinforce less random: +0.1000" in difference(ours, control, last=1)


def test_a_folder_that_is_no_run_is_named_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="not a readable run folder"):
        read_run(tmp_path)
