"""What ranks children, and that nothing which is shown as the best is worse by the reward."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import agents
from agents.commands.summarise import main
from agents.comparison.report import Page, budget_rows, comparison_page
from agents.comparison.statistics import Comparison
from agents.comparison.summary import block_table
from agents.records.direction import direction_of
from agents.records.episode import Episode, SearchResult, best_of
from agents.records.run_record import RunRecord, best_in, direction_in, group_runs, read_run
from agents.records.trace import Trace
from agents.reports.architectures import different_architectures
from agents.reports.curves import run_curves
from agents.reports.report import report
from agents.search.progress import Tally
from nas_env import ArchitectureEnv, ChoiceSpace

CHOICES = {"width": [1, 2, 3, 4, 5, 6], "depth": [1, 2, 3, 4, 5, 6]}


def loss(architecture: Any, seed: int) -> float:
    if architecture["width"] == 6 and architecture["depth"] == 6:
        raise ValueError("too large")
    return float(architecture["width"] * architecture["depth"])


@pytest.mark.parametrize(
    ("name", "metrics", "rewards", "expected"),
    [
        ("accuracy", [0.1, 0.9, 0.5], [0.001, 0.729, 0.125], 1),
        ("perplexity", [80.0, 60.0], [0.0125, 0.0222], -1),
        ("metric", [3.0, 1.0, 2.0], [-3.0, -1.0, -2.0], -1),
        ("metric", [3.0, 1.0, 2.0], [3.0, 1.0, 2.0], 1),
        ("metric", [3.0, 1.0, 2.0], [1.0, 3.0, 1.0], -1),
        ("metric", [3.0, 1.0, 2.0], [1.0, 1.0, 1.0], 1),
        ("metric", [1.0, 1.0, 2.0], [1.0, 2.0, 3.0], 0),
        ("accuracy", [0.9, 0.8], [0.4, 0.5], 0),
        ("accuracy", [0.8, None, 0.9], [0.8, 0.0, 0.9], 1),
        ("accuracy", [], [], 1),
    ],
)
def test_a_metric_ranks_where_rewards_are_in_its_order_and_else_the_reward(
    name: str, metrics: list[float | None], rewards: list[float], expected: int
) -> None:
    assert direction_of(name, metrics, rewards) == expected


@pytest.fixture(scope="module")
def losses(tmp_path_factory: pytest.TempPathFactory) -> tuple[SearchResult, RunRecord, Path]:
    """A search that minimises a loss."""
    folder = tmp_path_factory.mktemp("losses") / "run"
    env = ArchitectureEnv(ChoiceSpace(CHOICES), loss, lambda metric: -metric)
    result = agents.run_search(env, agent="random", children=80, seed=1, run_dir=folder)
    return result, read_run(folder), folder


def test_the_least_loss_is_the_best_wherever_a_run_is_shown(
    losses: tuple[SearchResult, RunRecord, Path],
) -> None:
    result, record, folder = losses
    metrics = [metric for metric in record.metrics if metric is not None]
    least = min(metrics)
    assert len(metrics) < 80 and direction_in([record]) == -1
    assert result.best.metric == least
    named = json.loads((folder / "best_architecture.json").read_text())
    assert np.prod([*named["choices"].values()]) == least
    found = [one.metric for one in different_architectures([record])]
    assert found == sorted(found) and found[0] == least
    page = (folder / "report.html").read_text()
    ranked = re.findall(r'<tr><td class="number">\d+</td><td class="number">([\d.]+)</td>', page)
    assert [float(value) for value in ranked] == found[:20]
    assert f"<b>{least:.4f}</b><span>best metric of a child" in page
    assert "Ranked by metric: the lower, the better" in page
    tally = Tally(80, None)
    tally.add(record.episodes)
    assert f"best metric {least:.4f}" in tally.line()


def test_the_best_so_far_falls_and_no_failure_is_the_best(
    losses: tuple[SearchResult, RunRecord, Path],
) -> None:
    _, record, _ = losses
    trace = Trace.of("random", 1, record.episodes, "metric")
    best = trace.best_so_far(range(1, 81))
    expected = np.minimum.accumulate([np.inf if m is None else m for m in record.metrics])
    np.testing.assert_array_equal(best, expected)
    different = {e.architecture: e.metric for e in record.episodes if e.metric is not None}
    assert trace.top_mean(3, [80])[0] == np.mean(sorted(different.values())[:3])
    late = _episodes([5.0, 4.0, 6.0], [-5.0, -4.0, -6.0])
    failed = [replace(one, metric=None, reward=0.0, state="failed") for one in late]
    numbered = [replace(one, number=n) for n, one in enumerate([*failed, *late], 1)]
    for chart in run_curves(replace(record, episodes=tuple(numbered))):
        assert "best so far" in [name for _, name in chart.keys]
        (line,) = re.findall(r"<path d='M([^']*)'[^>]*stroke-dasharray", chart.svg)
        assert len(line.split("L")) == 3  # from the first child that did not fail
    table = block_table(group_runs([record]), 80)
    assert table.splitlines()[-1].endswith(f"| {best[-1]:.4f} |")


def test_agents_are_compared_by_the_loss_and_the_lower_one_wins() -> None:
    low, high = ([float(i % 7) for i in range(40)], [float(i % 7) + 5 for i in range(40)])
    traces = [
        Trace.of(agent, seed, _episodes(values, [-v for v in values]), "metric")
        for agent, values in (("reinforce", low), ("random", high))
        for seed in range(3)
    ]
    comparison = Comparison(traces, 10)
    assert comparison.ranked_by == "metric" and comparison.lower_is_better
    rows = budget_rows(comparison, Page("", [], [40]))[1]
    assert [row[2] for row in rows] == ["0.0000 ± 0.0000", "5.0000 ± 0.0000"]
    assert comparison.verdicts("reinforce", "random")["best so far"].mean == 5.0


def test_where_a_cost_ranks_otherwise_the_reward_is_what_is_shown() -> None:
    accuracies, rewards = [0.9, 0.8, 0.7, 0.95], [0.5, 0.6, 0.55, 0.1]
    episodes = _episodes(accuracies * 10, rewards * 10)
    traces = [Trace.of(agent, 0, episodes, "accuracy") for agent in ("reinforce", "random")]
    comparison = Comparison(traces, 10)
    assert comparison.ranked_by == "reward" and comparison.best("random")[0, -1] == 0.6
    page = comparison_page(comparison, Page("", [], [40]))
    assert "best reward so far" in page and "best accuracy so far" not in page
    tally = Tally(40, None, metric_name="accuracy")
    tally.add(episodes)
    assert "best reward 0.6 (accuracy 0.8000)" in tally.line()
    best = best_of(episodes)
    assert best is not None and best.number == 2


def _episodes(metrics: list[float], rewards: list[float]) -> list[Episode]:
    return [
        Episode(number, (number,), "", metric, reward, "complete")
        for number, (metric, reward) in enumerate(zip(metrics, rewards, strict=True), 1)
    ]


def _run(folder: Path, reward: Any) -> RunRecord:
    env = gym.make_vec("NAS-Digits-Table-v0", num_envs=8, reward=reward)
    agents.run_search(env, agent="random", children=48, run_dir=folder)
    env.close()
    return read_run(folder)


def test_runs_with_different_rewards_are_told_apart_and_compared_by_their_metric(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A reward of 40 that counts thousands is not better than one of .7."""
    thousands = {"name": "cost_aware", "cost": "parameters", "target": 1e9, "exponent": -1}
    cubed = _run(tmp_path / "cubed", "accuracy_cubed")
    cheap = _run(tmp_path / "cheap", thousands)
    assert min(cheap.rewards) > max(cubed.rewards)
    groups = group_runs([cubed, cheap])
    assert list(groups) == [
        'random:reward="accuracy_cubed"',
        'random:reward="cost_aware(cost=parameters, target=1000000000.0, exponent=-1)"',
    ]
    best = [max(r.episodes, key=lambda e: e.reward) for r in (cubed, cheap)]
    assert best_in([cubed, cheap]) == max(best, key=lambda e: e.metric or 0)
    assert best[1].parameters < best[0].parameters
    assert main([str(cubed.folder), str(cheap.folder)]) == 0
    said = capsys.readouterr().out
    for one in best:
        assert f"| {one.metric:.4f} | {one.parameters:,} | - |" in said
    page = report([cubed, cheap])
    assert "Ranked by accuracy: the higher, the better" in page
    assert "best accuracy so far" in page.lower()
