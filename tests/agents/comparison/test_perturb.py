"""The neighbours of a network, and what their trainings say."""

import json
from pathlib import Path

import numpy as np
import pytest

from agents.commands import perturb as command
from agents.comparison.perturb import difference
from agents.comparison.variants import one_token_changed, variants
from nas_env.errors import InvalidArchitectureError
from nas_env.space.conv_architecture import ConvArchitecture, Convolution, Pooling
from nas_env.space.published import FIGURE_7
from tests.web_page import problems_of

SMALL = ConvArchitecture((Convolution(3, 3, 24), Convolution(3, 5, 24, inputs=(1,))))


def test_figure_7_has_the_neighbours_of_section_4_1() -> None:
    found = variants(FIGURE_7, 3, None, 0)
    groups = [one.group for one in found]
    assert groups[:3] == ["itself", "dense", "no skips"]
    assert groups.count("random skips") == 3
    # 15 layers x (3 heights + 3 widths + 3 filters) + 105 skips; a change that leaves a layer
    # without input gives it the image.
    assert groups.count("one token") == 15 * 9 + 105 == 240
    assert found[1].architecture == FIGURE_7.dense()
    assert found[2].architecture == FIGURE_7.chain()
    assert len({one.architecture for one in found}) == len(found)


def test_one_token_is_one_difference() -> None:
    names = [one.name for one in one_token_changed(SMALL)]
    assert len(names) == 2 * 9 + 1
    assert "layer 2 filter width 5 -> 7" in names
    assert "layer 2 does not read layer 1" in names
    for one in one_token_changed(SMALL):
        pairs = zip(SMALL.layers, one.architecture.layers, strict=True)
        assert sum(a != b for a, b in pairs) == 1


def test_draws_follow_the_seed() -> None:
    assert variants(FIGURE_7, 2, 5, 1) == variants(FIGURE_7, 2, 5, 1)
    assert variants(FIGURE_7, 2, 5, 1) != variants(FIGURE_7, 2, 5, 2)
    assert len(variants(FIGURE_7, 2, 5, 1)) == 3 + 2 + 5


def test_a_network_with_other_layers_has_no_tokens_here() -> None:
    with pytest.raises(InvalidArchitectureError, match="layers of other types"):
        variants(ConvArchitecture((Convolution(3, 3, 24), Pooling("max", 2, 2, (1,)))), 0, None, 0)


def test_the_interval_of_a_difference_is_students() -> None:
    gap, half = difference([0.8, 0.9], [0.5, 0.7])  # t(2 degrees) = 4.3027, s^2 = (.005 + .02) / 2
    assert gap == pytest.approx(0.25)
    assert half == pytest.approx(4.302653 * np.sqrt(0.0125), rel=1e-5)
    assert difference([0.8], [0.5, 0.7])[1] == np.inf


def test_the_command_writes_a_table_and_a_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "small.json"
    chain = ConvArchitecture((*SMALL.layers, Convolution(1, 1, 24, inputs=(2,))))
    path.write_text(json.dumps(chain.to_json()))
    recipe = '{"name": "quick", "epochs": 1, "train_images": 64, "valid_images": 40}'
    words = [
        *(str(path), "--dataset", "digits", "--recipe", recipe, "--seeds", "2", "--tokens", "1"),
        *("--random-skips", "0", "--evaluator", "local", "--output", str(tmp_path / "out")),
        *("--store", str(tmp_path / "store.sqlite")),
    ]
    assert command.main(words) == 0
    out = capsys.readouterr().out
    assert "neighbours" in out
    told = json.loads((tmp_path / "out" / "figures.json").read_text())
    groups = [one["group"] for one in told["networks"]]
    assert groups == ["itself", "dense", "one token"]  # without a skip it is the network itself
    assert all(len(one["accuracies"]) == 2 for one in told["networks"])
    page = (tmp_path / "out" / "perturb.html").read_text()
    assert problems_of(page) == []
    assert told["verdict"] in page
    assert command.main([str(tmp_path / "gone.json"), *words[1:]]) == 2
