"""What a report promises: one file that shows a run truly, and clear words where there is none."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

import agents
from agents.records.episode import best_of
from agents.records.provenance import command_line, hardware
from agents.records.run_record import read_run
from agents.reports.architectures import different_architectures, pareto_front
from agents.reports.chart import thin
from agents.reports.front import fronts
from agents.reports.report import report, write_report
from agents.reports.ticks import linear_ticks, log_ticks, short, tick_texts
from agents.search.options import TrainOptions
from nas_env.child.conv.cost import conv_cost
from nas_env.errors import ConfigurationError, RunFolderError
from nas_env.space.architecture_json import architecture_from_json
from tests.web_page import problems_of

ROOT = Path(__file__).parents[3]


def play(architecture: Any, seed: int) -> float:
    """More filters are better; a few children fail, with text that HTML must not obey."""
    filters: list[int] = [layer.filters for layer in architecture.layers]
    if filters[0] == 24 and filters[1] == 24:
        raise ValueError("bad <script>alert(1)</script>")
    return sum(filters) / (64 * len(filters))


def search(folder: Path, agent: str = "random", seed: int = 0, children: int = 40) -> Path:
    env = gym.make_vec("NAS-Digits-v0", num_envs=8, evaluator=play)
    agents.run_search(env, agent=agent, children=children, seed=seed, run_dir=folder)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return search(tmp_path_factory.mktemp("runs") / "random-0")


def test_a_finished_search_leaves_a_report(run: Path) -> None:
    text = (run / "report.html").read_text()
    best = best_of(read_run(run).episodes)
    assert best is not None and f"<b>{best.metric:.4f}</b>" in text
    for part in ("Learning", "Architectures", "Top 20", "Failures", "Where this comes from"):
        assert part in text
    assert text.count("class='chart'") >= 2


def test_a_report_loads_nothing_and_obeys_no_text_of_the_run(run: Path) -> None:
    text = (run / "report.html").read_text()
    assert "bad &lt;script&gt;" in text
    assert re.search(r"<script|<link|<img|@import|url\(|\b(src|href)=", text) is None
    assert problems_of(text) == []


def test_a_page_with_something_wrong_is_told_from_one_without() -> None:
    picture = "<svg role='img' aria-label='x'><path d='M0 0'><title>t</title></path></svg>"
    assert problems_of(f"<p id='a'>{picture}</p>") == []
    assert len(problems_of("<p id='a'></b><p id='a'><svg></svg><img src='http://x'>")) == 5


def test_command_and_hardware_are_recorded_and_shown(run: Path) -> None:
    config = json.loads((run / "config.json").read_text())
    assert config["command_line"] == command_line()
    assert config["hardware"] == hardware()
    assert config["hardware"]["cores"] >= 1 and config["hardware"]["processor"]
    assert str(config["hardware"]["processor"]) in (run / "report.html").read_text()


def test_a_run_resumes_on_another_machine_under_another_command(tmp_path: Path) -> None:
    folder = search(tmp_path / "run", children=8)
    config = json.loads((folder / "config.json").read_text())
    config |= {"command_line": "python other.py", "hardware": {"processor": "another"}}
    del config["sha256"]  # as an earlier version wrote it, which can be changed by hand
    (folder / "config.json").write_text(json.dumps(config))
    env = gym.make_vec("NAS-Digits-v0", num_envs=8, evaluator=play)
    found = agents.run_search(env, agent="random", children=16, run_dir=folder, resume=True)
    assert len(found.episodes) == 16


def test_several_runs_are_compared_by_agent_over_seeds(run: Path, tmp_path: Path) -> None:
    folders = [run, search(tmp_path / "r1", seed=1), search(tmp_path / "e", "evolution")]
    path = write_report(folders, tmp_path / "all.html")
    text = path.read_text()
    assert problems_of(text) == []
    assert "random (2 seeds)" in text
    assert "95% interval" in text and "one standard error" in text
    assert "evolution, seed 0" in text or "random, seed" in text


def test_what_is_no_run_or_an_empty_one_is_a_clear_error(run: Path, tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"holds no run .*: check the name\.$"):
        write_report([tmp_path])  # not a word of --resume: nothing is resumed
    (tmp_path / "config.json").write_text((run / "config.json").read_text())
    with pytest.raises(RunFolderError, match="no episodes yet"):
        write_report([tmp_path])
    with pytest.raises(ConfigurationError, match="No run folder given"):
        write_report([])


def test_runs_of_different_environments_are_not_mixed(run: Path, tmp_path: Path) -> None:
    for name in ("config.json", "episodes.csv"):
        (tmp_path / name).write_text((run / name).read_text().replace("NAS-Digits-v0", "Other-v0"))
    with pytest.raises(ConfigurationError, match=r"NAS-Digits-v0, Other-v0"):
        write_report([run, tmp_path])


def test_the_script_exits_with_2_for_a_folder_that_is_no_run(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "scripts" / "report.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and "Traceback" not in done.stderr


def test_an_architecture_counts_once_with_the_mean_of_its_children(run: Path) -> None:
    record = read_run(run)
    found = different_architectures([record, record])
    complete = {e.architecture for e in record.episodes if e.state == "complete"}
    assert {one.episode.architecture for one in found} == complete
    assert sum(one.times for one in found) == 2 * sum(m is not None for m in record.metrics)
    assert [one.metric for one in found] == sorted((one.metric for one in found), reverse=True)


def test_macs_are_those_that_training_counted(tmp_path: Path) -> None:
    recipe = {"name": "quick", "epochs": 1, "reward_epochs": 1, "train_images": 64}
    env = gym.make_vec("NAS-Digits-v0", 4, evaluator="local", num_layers=2, recipe=recipe)
    agents.run_search(env, agent="random", children=4, run_dir=tmp_path / "run")
    env.close()
    record = read_run(tmp_path / "run")
    for episode in record.episodes:
        architecture: Any = architecture_from_json(json.loads(episode.architecture))
        assert episode.macs == conv_cost(architecture, (1, 8, 8), 10).macs > 0
    page = (tmp_path / "run" / "report.html").read_text()
    assert f'<td class="number">{record.episodes[0].macs:,}</td>' in page
    assert "multiply-accumulates per example" in page


def test_a_pareto_front_keeps_what_nothing_beats_in_both() -> None:
    costs, gains = [3.0, 1.0, 2.0, 2.0, 5.0], [0.9, 0.5, 0.4, 0.7, 0.9]
    assert pareto_front(costs, gains) == [1, 3, 0]
    assert pareto_front(costs, [-gain for gain in gains]) == [1, 2]


def test_ticks_are_round_numbers_inside_the_axis() -> None:
    assert linear_ticks(0.31, 0.72) == pytest.approx([0.4, 0.5, 0.6, 0.7])
    assert linear_ticks(-1.2, 3.4) == [-1, 0, 1, 2, 3]
    assert linear_ticks(0.9, 3.1, 6, least=1.0) == [1, 2, 3]
    assert log_ticks(40_000, 1_100_000) == [50_000, 100_000, 200_000, 500_000, 1_000_000]
    assert log_ticks(340_000, 445_000) == [350_000, 400_000]  # not none of 200,000 and 500,000
    assert tick_texts([1.07, 1.0705, 1.071]) == ["1.07", "1.0705", "1.071"]
    assert tick_texts([123_450.0, 123_460.0]) == ["123.45k", "123.46k"]
    assert tick_texts([-0.1, 1e-17, 0.1]) == ["-0.1", "0", "0.1"]
    assert [short(v) for v in (0, 0.25, 1500, 2_000_000)] == ["0", "0.25", "1.5k", "2M"]
    assert thin(3) == [0, 1, 2]
    assert (len(thin(9000)), thin(9000)[-1]) == (400, 8999)


def test_the_command_to_repeat_a_run_has_the_options_that_differ() -> None:
    options = TrainOptions().changed(agent="random", children=7, progress=False, run_dir=Path("x"))
    repeat = options.repeat_command()
    assert repeat == "nas-env train --agent random --children 7 --no-progress"


def test_a_run_of_failures_alone_says_so_and_has_no_empty_table(tmp_path: Path) -> None:
    def fail(architecture: Any, seed: int) -> float:
        raise ValueError("no")

    env = gym.make_vec("NAS-Digits-v0", num_envs=8, evaluator=fail)
    agents.run_search(env, agent="random", children=8, run_dir=tmp_path / "run")
    text = (tmp_path / "run" / "report.html").read_text()
    assert problems_of(text) == []
    assert "No child was trained to its end" in text and "100.0%" in text
    assert "Top 0" not in text


def test_cells_of_a_perplexity_run_are_told_apart(tmp_path: Path) -> None:
    env = gym.make_vec("NAS-PyDocs-v0", num_envs=8, evaluator=lambda _, seed: 100 + seed % 50)
    agents.run_search(env, agent="random", children=24, run_dir=tmp_path / "run")
    text = (tmp_path / "run" / "report.html").read_text()
    lines = re.findall(r"<summary>(\d+ \w+ [^<]*(?:add|elem_mult)[^<]*)</summary>", text)
    assert len(lines) == 20 and len(set(lines)) > 10
    best = min(e.metric for e in read_run(tmp_path / "run").episodes if e.metric is not None)
    assert f"<b>{best:.4f}</b>" in text


def test_the_best_child_is_the_one_that_the_run_folder_names(tmp_path: Path) -> None:
    """A child is lucky once: the best architecture on average is another than its own."""
    lucky = iter([0.9])

    def noisy(architecture: Any, seed: int) -> float:
        return 0.8 if architecture.layers[0].filters == 64 else next(lucky, 0.4)

    env = gym.make_vec("NAS-Digits-v0", num_envs=8, evaluator=noisy, num_layers=1)
    run = tmp_path / "run"
    agents.run_search(env, agent="random", children=400, run_dir=run)
    record, text = read_run(run), (run / "report.html").read_text()
    found = different_architectures([record])
    best = best_of(record.episodes)
    assert (
        best is not None
        and best.metric == max(e.metric or 0 for e in record.episodes)
        and found[0].times > 1
    )
    assert best.architecture != found[0].episode.architecture
    named = json.loads((run / "best_architecture.json").read_text())
    assert architecture_from_json(named) == architecture_from_json(json.loads(best.architecture))
    assert f"<b>{best.metric:.4f}</b>" in text
    assert "Best on average" in text and f"mean of {found[0].times} children" in text


@pytest.mark.parametrize(("children", "said"), [(3, "mean of the last 3 children"), (1, None)])
def test_a_mean_is_of_as_many_children_as_there_are(
    tmp_path: Path, children: int, said: str | None
) -> None:
    page = (search(tmp_path / "run", children=children) / "report.html").read_text()
    tiles = page.split('class="tiles"')[1].split("<section")[0]
    assert said in tiles if said else "mean of" not in tiles


def test_no_text_of_a_run_is_obeyed_wherever_it_stands(run: Path, tmp_path: Path) -> None:
    """Also the figure in words, where all architectures cost the same."""
    markup = "<script>alert(1)</script><b>\"'"
    record = read_run(run)
    config = {**record.config, **dict.fromkeys(("metric_name", "agent", "command_line"), markup)}
    config["env"], config["versions"] = markup, {markup: markup}
    config["hardware"] = {"processor": markup}
    record = replace(
        record,
        folder=tmp_path / markup,
        config={**config, "repeat": markup, "created": markup},
        updates={**record.updates, markup: {1: 0.5, 2: 1.0}},
        episodes=tuple(
            replace(e, parameters=1000, message=markup, failure=markup) for e in record.episodes
        ),
    )
    twice = replace(record, config={**record.config, "seed": 1})
    for page in (report([record]), report([record, twice])):
        assert "<script" not in page and '<b>"' not in page
        assert problems_of(page) == []
        assert "architectures have 1,000 parameters" in page


def test_architectures_that_all_cost_the_same_have_words_for_a_chart(run: Path) -> None:
    found = [
        replace(one, episode=replace(one.episode, parameters=389_072))
        for one in different_architectures([read_run(run)])
    ]
    (front,) = fronts(found)
    assert front.chart.note == f"All {len(found)} architectures have 389,072 parameters."
    found[0] = replace(found[0], episode=replace(found[0].episode, parameters=300_000))
    (front,) = fronts(found)
    assert front.chart.svg.count("<circle") > len(found) and ">350k</text>" in front.chart.svg


def test_the_front_of_every_known_cost_is_drawn_and_listed(tmp_path: Path) -> None:
    reward = {"name": "cost_aware", "cost": "parameters", "target": 3e4, "exponent": -0.5}
    env = gym.make_vec("NAS-Digits-Table-v0", num_envs=8, reward=reward)
    agents.run_search(env, agent="random", children=80, run_dir=tmp_path / "run")
    found = different_architectures([read_run(tmp_path / "run")])
    parameters, seconds = fronts(found)
    assert (parameters.cost, seconds.cost) == ("parameters", "seconds of training")
    for front in (parameters, seconds):
        assert "reward against" in front.chart.title  # a cost ranks otherwise than the accuracy
    for one in found:
        member = one in parameters.members
        sizes = [(o.episode.parameters, o.reward) for o in found if o is not one]
        mine = (one.episode.parameters, one.reward)
        beaten = any(size <= mine[0] and reward >= mine[1] for size, reward in sizes)
        assert member != beaten
    page = (tmp_path / "run" / "report.html").read_text()
    table = page.split("The front: parameters")[1].split("</table>")[0]
    assert [f'class="number">{cost}</td>' in table for cost in parameters.costs] == [True] * len(
        parameters.members
    )
    assert problems_of(page) == []
