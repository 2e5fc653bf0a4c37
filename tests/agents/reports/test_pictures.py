"""What a run's pictures promise: true shares, real architectures, and no run they fail on."""

import json
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import gymnasium as gym
import numpy as np
import pytest
from PIL import Image

import agents
from agents.commands.draw import main
from agents.records.run_record import read_run
from agents.reports.film import most_likely, shots, write_film
from agents.reports.report import write_report
from agents.reports.token_shares import TokenHistory, draw_history, read_history
from nas_env import ArchitectureEnv, ChoiceSpace
from nas_env.errors import ConfigurationError


def measure(architecture: Any, seed: int) -> float:
    return 0.5 + 0.25 * (seed % 2)


def search(folder: Path, env: Any = "NAS-CIFAR10-LayerTypes-v0", children: int = 40) -> Path:
    if isinstance(env, str):
        env = gym.make_vec(env, num_envs=8, evaluator=measure, num_layers=3)
    agents.run_search(env, agent="random", children=children, run_dir=folder)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return search(tmp_path_factory.mktemp("runs") / "random")


def history_of(folder: Path) -> TokenHistory:
    record = read_run(folder)
    return read_history(record.config, record.episodes)


def words(svg: str) -> list[str]:
    root = ElementTree.fromstring(svg)
    return ["".join(node.itertext()) for node in root.iter() if node.tag.endswith("text")]


def test_the_best_architecture_lies_in_the_run_folder_as_a_picture_and_in_the_report(
    run: Path,
) -> None:
    picture = (run / "best_architecture.svg").read_text()
    assert any(word.startswith("3 layers") for word in words(picture))
    report = (run / "report.html").read_text()
    assert picture.strip() in report and "What random chose" in report


def test_shares_are_those_of_the_last_children_that_had_the_choice(run: Path) -> None:
    history, episodes = history_of(run), read_run(run).episodes
    assert history.window == 16
    shares = history.shares(30)
    recent = [episode.tokens for episode in episodes[14:30]]
    names = [(position.name, position.layer) for position in history.layout]
    kind, side = names.index(("layer_type", 3)), names.index(("filter_height", 3))
    counts = Counter(tokens[kind] for tokens in recent)
    assert 0 < counts[0] < 16
    assert shares[kind].tolist() == [counts[option] / 16 for option in range(5)]
    heights = Counter(tokens[side] for tokens in recent if tokens[kind] == 0)
    assert shares[side][:4].tolist() == [heights[n] / heights.total() for n in range(4)]
    assert np.isnan(shares[side][4])


def test_the_heat_map_names_every_option_that_was_open(run: Path) -> None:
    found = words(draw_history(history_of(run), "title").svg())
    assert {"title", "layer 1", "layer 3", "learning_rate", "FH", "contrast norm"} <= set(found)
    assert "layer 4" not in found


def test_the_likeliest_child_has_the_tokens_that_most_others_have() -> None:
    space = ChoiceSpace({"a": [1, 2, 3], "b": [1, 2]})
    tokens = np.array([[2, 0], [0, 0], [1, 1], [1, 0], [1, 1], [0, 1]])
    history = TokenHistory(space.layout, space, tokens, np.ones_like(tokens, bool))
    assert most_likely(history, 6) == 4  # a=1 in half of them, b undecided: the latest of equals
    assert most_likely(history, 2) == 1


def test_a_deeper_child_is_not_compared_with_shallower_ones() -> None:
    layout = ChoiceSpace({"a": [1, 2], "b": [1, 2]}).layout
    tokens = np.array([[0, -1], [0, -1], [1, 0]])
    history = TokenHistory(layout, None, tokens, tokens >= 0)
    assert most_likely(history, 3) == 2


def test_the_film_shows_children_that_were_trained_in_frames_of_one_size(
    run: Path, tmp_path: Path
) -> None:
    record, history = read_run(run), history_of(run)
    taken = shots(history)
    assert taken[-1].number == 40 and all(0 <= shot.child < shot.number for shot in taken)
    path = write_film(history, record.episodes, tmp_path / "film.gif")
    with Image.open(path) as film:
        assert getattr(film, "n_frames", 1) > 1


def test_a_users_own_space_is_drawn_by_the_names_in_its_architectures(tmp_path: Path) -> None:
    space = ChoiceSpace({"width": [8, 16], "activation": ["relu", "tanh"]})
    folder = search(tmp_path / "own", ArchitectureEnv(space, measure), 24)
    history = history_of(folder)
    assert [position.name for position in history.layout] == ["width", "activation"]
    assert history.layout == space.layout and history.space is None
    assert main([str(folder)]) == 0
    assert "activation" in words((folder / "choices.svg").read_text())
    assert (folder / "likeliest.gif").read_bytes().startswith(b"GIF8")


def test_a_run_of_an_unknown_environment_is_drawn_by_position(run: Path) -> None:
    record = read_run(run)
    history = read_history({**record.config, "env": "Nobody/Knows-v0"}, record.episodes)
    assert history.space is None and history.layout[0].name == "position 1"
    assert "token 4" in words(draw_history(history, "").svg())


def test_drawing_a_strangers_run_imports_no_module_that_it_names(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "planted.py").write_text("import pathlib\npathlib.Path('ran').touch()\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "stranger"
    shutil.copytree(run, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "env": "planted:X-v0"}))
    assert main([str(folder)]) == 0
    assert "planted:X-v0" in write_report([folder]).read_text()
    assert "planted" not in sys.modules and not (tmp_path / "ran").exists()


def test_a_single_child_is_enough_and_none_is_an_error(run: Path, tmp_path: Path) -> None:
    record = read_run(run)
    history = read_history(record.config, record.episodes[:1])
    draw_history(history, "one").array()
    write_film(history, record.episodes[:1], tmp_path / "one.gif")
    with pytest.raises(ConfigurationError, match="no episodes yet"):
        read_history(record.config, [])


@pytest.mark.parametrize("name", ["a.svg", "a.png", "a.gif"])
def test_the_script_draws_what_the_name_asks_for(run: Path, tmp_path: Path, name: str) -> None:
    assert main([str(run), str(tmp_path / name)]) == 0
    assert (tmp_path / name).stat().st_size > 1000
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_the_script_draws_an_architecture_beside_its_file(run: Path, tmp_path: Path) -> None:
    source = tmp_path / "network.json"
    source.write_text((run / "best_architecture.json").read_text())
    assert main([str(source)]) == 0
    assert (tmp_path / "network.svg").read_text() == (run / "best_architecture.svg").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.json"], "nothing.json"),
        (["{run}", "a.jpg"], r".gif"),
        (["{run}/best_architecture.json", "a.gif"], ".svg or .png"),
        (["{run}", "/nowhere/a.svg"], "/nowhere"),
        (["{run}/checkpoint"], "holds no run"),
    ],
)
def test_the_script_exits_with_2_and_says_what_is_wrong(
    run: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([argument.format(run=run) for argument in arguments]) == 2
    assert message in capsys.readouterr().err


def test_an_architecture_that_nobody_can_draw_does_not_stop_a_search(tmp_path: Path) -> None:
    class Foreign(ArchitectureEnv):
        def step(self, action: Any) -> Any:
            *rest, info = super().step(action)
            if "architecture" in info:
                info["architecture"] = json.dumps({"kind": "of its own"})
            return (*rest, info)

    space = ChoiceSpace({"width": [8, 16]})
    folder = search(tmp_path / "foreign", Foreign(space, measure), 16)
    assert (folder / "report.html").exists() and not (folder / "best_architecture.svg").exists()
    assert main([str(folder)]) == 0
