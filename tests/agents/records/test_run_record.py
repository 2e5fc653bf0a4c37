"""Runs that are read and grouped, and the one meaning of recent children."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.comparison.summary import against_last, block_table
from agents.records.episode import Episode, recent_metrics, recent_window
from agents.records.run_folder import RunFolder
from agents.records.run_record import RunRecord, direction_in, group_runs, read_run
from agents.records.trace import Trace, recent_means
from agents.search.progress import Tally
from agents.tracking.figures import Figures
from nas_env.errors import ConfigurationError, RunFolderError


def episodes(metrics: list[float | None]) -> tuple[Episode, ...]:
    return tuple(
        Episode(n, (n,), "", m, m or 0.0, "failed" if m is None else "complete")
        for n, m in enumerate(metrics, 1)
    )


def record(
    agent: str, seed: int, metrics: list[float | None] | None = None, **changes: Any
) -> RunRecord:
    config = {"env": "E-v0", "agent": agent, "seed": seed, "agent_options": {}, **changes}
    return RunRecord(Path(f"{agent}-{seed}"), config, episodes(metrics or [0.5]), {})


@pytest.mark.parametrize(
    ("children", "window"), [(0, 8), (16, 8), (41, 20), (128, 64), (200, 100), (12_800, 100)]
)
def test_the_recent_children_are_the_last_half_from_8_to_100(children: int, window: int) -> None:
    assert recent_window(children) == window


def test_progress_tracking_and_comparisons_mean_the_same_children_by_recent() -> None:
    rng = np.random.default_rng(0)
    metrics: list[float | None] = [None if n % 7 == 0 else float(rng.random()) for n in range(120)]
    children = episodes(metrics)
    trace = Trace.of("a", 0, children, "accuracy")
    figures, tally = Figures(), Tally(children=120, hours=None)
    for count in range(8, 121, 8):
        fresh = children[count - 8 : count]
        figures.add(fresh)
        tally.add(fresh)
        known = [m for m in metrics[:count][-recent_window(count) :] if m is not None]
        mean = float(np.mean(known))
        assert recent_metrics(metrics[:count]) == known
        assert trace.recent_mean([count])[0] == pytest.approx(mean)
        assert figures.row({}, fresh, 1.0)["recent_metric"] == pytest.approx(mean)
        assert f"mean of last {recent_window(count)} {mean:.4f}" in tally.line()


def test_a_mean_begins_with_half_a_window_or_with_all_there_is() -> None:
    values = np.array([0.0, 0.2, np.nan, 0.4, 0.6])
    found = recent_means(values, [1, 3, 4, 5])
    np.testing.assert_allclose(found, [np.nan, np.nan, 0.2, 0.3])
    np.testing.assert_allclose(recent_means(values[:2], [1, 2]), [np.nan, 0.1])


def test_a_run_is_read_once_with_everything(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.create({"env": "E-v0", "agent": "random", "seed": 3, "metric_name": "perplexity"})
    folder.record(episodes([90.0, None]), {"update": 1, "elapsed_s": 2.5})
    read = read_run(tmp_path / "run")
    assert (read.env, read.agent, read.seed, read.name) == ("E-v0", "random", 3, "random, seed 3")
    assert read.metrics == (90.0, None) and direction_in([read]) == -1 and read.elapsed_s == 2.5


def test_what_is_no_run_is_named_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="holds no run"):
        read_run(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"env": "E-v0", "seed": 0}))
    with pytest.raises(RunFolderError, match=r"not that of a run: agent"):
        read_run(tmp_path)


def test_two_learning_rates_are_two_experiments() -> None:
    slow, fast = ({"learning_rate": rate, "units": 35} for rate in (0.001, 0.02))
    runs = [record("reinforce", seed, agent_options=o) for o in (slow, fast) for seed in (1, 0)]
    groups = group_runs([*runs, record("random", 0)])
    assert [*groups] == ["reinforce:learning_rate=0.001", "reinforce:learning_rate=0.02", "random"]
    assert [run.seed for run in groups["reinforce:learning_rate=0.02"]] == [0, 1]


@pytest.mark.parametrize(
    ("one", "other", "label"),
    [
        ({"recipe": {"epochs": 1}}, {"recipe": {"epochs": 4}}, "random:recipe.epochs=4"),
        ({"dataset": "a"}, {"dataset": "b"}, 'random:dataset="b"'),
        ({}, {"reward": "cubed"}, 'random:reward="cubed"'),
    ],
)
def test_runs_that_were_paid_otherwise_are_other_experiments(
    one: Any, other: Any, label: str
) -> None:
    """Another recipe, data set or reward: never two seeds of one curve, even with one seed each."""
    groups = group_runs(
        [record("random", 0, environment=one), record("random", 1, environment=other)]
    )
    assert len(groups) == 2 and label in groups
    groups = group_runs(
        [record("random", 0, environment=one), record("random", 0, environment=other)]
    )
    assert len(groups) == 2  # no seed twice: they are not the same experiment


def test_another_schedule_is_another_experiment_and_another_budget_is_not() -> None:
    deep = {"first": 2, "step": 1, "every": 8, "last": 4}
    assert len(group_runs([record("random", 0), record("random", 1, schedule=deep)])) == 2
    longer = record("random", 1, [0.5] * 20, children=20, created="later")
    assert len(group_runs([record("random", 0, children=1), longer])) == 1


def test_a_seed_twice_and_two_environments_are_refused() -> None:
    first = record("random", 0)
    with pytest.raises(ConfigurationError, match=r"seed 0: random-0, copy\. The same seed"):
        group_runs([first, replace(first, folder=Path("copy"))])
    with pytest.raises(ConfigurationError, match="E-v0, F-v0"):
        group_runs([first, record("random", 1, env="F-v0")])


def test_failed_children_count_as_children_but_not_in_means() -> None:
    table = block_table(group_runs([record("random", 0, [0.2, None, 0.4, 0.6])]), block=2)
    assert "| 1-2 | 0.2000 | 0.2000 |" in table
    assert "| 3-4 | 0.5000 | 0.6000 |" in table


def test_agents_are_compared_over_the_seeds_that_both_have() -> None:
    """Gains of .1 and .2: mean .15, half width t(1) .05 = .64, whatever seed 7 did."""
    runs = [record("new", 7, [0.0] * 8), record("random", 0, [0.5] * 8)]
    runs += [record("new", 0, [0.6] * 8), record("new", 1, [0.8] * 8)]
    (line,) = against_last(group_runs([*runs, record("random", 1, [0.6] * 8)]))
    assert line.startswith("new against random, 2 paired seeds: best so far ")
    assert line.count("too few to tell (+0.15 ± 0.64)") == 2
    (line,) = against_last(group_runs([record("new", 0), record("random", 1)]))
    assert "no seed that both have" in line
