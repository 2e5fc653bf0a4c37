"""What pictures promise: they show what is there, in any viewer, whatever the machine lacks."""

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

import nas_env
from nas_env import ChoiceSpace, published
from nas_env.errors import ConfigurationError, InvalidArchitectureError
from nas_env.rendering.picture import Picture, sheet
from nas_env.rendering.shapes import Box, Line, Pixels, Text, text_width
from nas_env.space.cell import CellSpace
from nas_env.space.conv import ConvSpace
from nas_env.space.conv_architecture import ConvArchitecture, Convolution
from nas_env.space.layer_types import LayerTypesSpace
from nas_env.space.layout import Architecture, SearchSpace
from nas_env.tasks.drawing import draw_figure, draw_tokens_figure

SPACES: list[SearchSpace[Any]] = [
    ConvSpace(20, strides=(1, 2, 3)),
    ConvSpace(39, 39),
    ConvSpace(5, skip_connections=False),
    ConvSpace(13, 13, filters=(6, 12, 24, 36), block_size=3, pool_after=(4, 8)),
    ConvSpace(2, block_size=9),
    ConvSpace(1),
    LayerTypesSpace(8),
    CellSpace(2),
    CellSpace(16, ("add", "elem_mult", "max"), ("identity", "tanh", "sigmoid", "relu", "sin")),
    ChoiceSpace({"width": list(range(40)), "a & <b>": ["x" * 300, "ü"]}),
]


def arcs(picture: Picture) -> list[str]:
    """What every line of a picture says: ``"layer 1 to layer 3"``."""
    return [item.hint for item in picture.items if isinstance(item, Line) and item.hint]


def words(picture: Picture) -> list[str]:
    """All text of the SVG; a text that is not well-formed XML fails here."""
    root = ElementTree.fromstring(picture.svg())
    return ["".join(node.itertext()) for node in root.iter() if node.tag.endswith("text")]


def inside(picture: Picture) -> bool:
    """Whether boxes and texts lie on the sheet, by the width of the widest font."""
    for item in picture.items:
        if isinstance(item, Box):
            left, right, top, low = item.x, item.x + item.width, item.y, item.y + item.height
        elif isinstance(item, Text):
            width = text_width(item.text, item.size) + text_width(item.sub, item.size * 0.72)
            left = item.x - {"start": 0.0, "middle": 0.5, "end": 1.0}[item.anchor] * width
            right, top, low = left + width, item.y - item.size, item.y
        else:
            continue
        if left < 0 or top < 0 or right > picture.width or low > picture.height:
            return False
    return True


def test_figure_7_has_every_number_of_the_paper_and_an_arc_for_every_skip_connection() -> None:
    picture = nas_env.draw_figure(published.FIGURE_7)
    found = words(picture)
    layers = published.FIGURE_7.layers
    for name, field in (("FH", "filter_height"), ("FW", "filter_width"), ("N", "filters")):
        shown = [text for text in found if text.startswith(f"{name} ") and "filters" not in text]
        assert shown == [f"{name} {getattr(layer, field)}" for layer in layers]
    links = [
        f"{f'layer {source}' if source else 'image'} to layer {number}"
        for number, layer in enumerate(layers, 1)
        for source in layer.inputs
    ]
    assert sorted(arcs(picture)) == sorted([*links, "layer 15 to classifier"])


@pytest.mark.parametrize(
    ("name", "architecture"),
    [("figure_7", published.FIGURE_7), ("nas_cell", published.NAS_CELL)],
)
def test_the_pictures_in_the_documentation_are_those_drawn_now(
    name: str, architecture: Architecture
) -> None:
    path = Path(__file__).parents[2] / "docs" / f"{name}.svg"
    assert path.read_text() == draw_figure(architecture).svg()


def test_layers_that_nothing_reads_are_joined_to_the_classifier() -> None:
    layers = (Convolution(3, 3, 8), Convolution(1, 1, 8), Convolution(5, 5, 8, inputs=(1,)))
    found = arcs(draw_figure(ConvArchitecture(layers)))
    assert [arc for arc in found if "classifier" in arc] == [
        "layer 2 to classifier",
        "layer 3 to classifier",
    ]


def test_strides_poolings_blocks_and_layer_types_are_shown() -> None:
    strided = draw_figure(ConvArchitecture((Convolution(3, 5, 8, 2, 3),)))
    assert {"SH 2", "SW 3"} <= set(words(strided))
    space = ConvSpace(5, 5, block_size=3, pool_after=(4,))
    blocks = words(draw_figure(space.decode([0] * space.length())))
    assert blocks.count("max pool 2x2") == 1
    assert {str(number) for number in range(1, 16)} <= set(blocks)
    mixed = LayerTypesSpace(3)
    tokens = [2, *[1, 0, 0, 0, 1, 1, 0, 0], *[3, 0, 0, 0, 0, 0, 2, 0, 1]]
    tokens += [4, 0, 0, 0, 0, 0, 0, 1, 0, 1]
    shown = set(words(draw_figure(mixed.decode(tokens))))
    assert {"max pool 3x3, stride 2", "contrast norm 7x7", "batch norm eps 0.001"} <= shown


@pytest.mark.parametrize("cell", [published.NAS_CELL, published.MAX_SIN_CELL])
def test_a_cell_shows_the_functions_of_every_node_and_both_memories(cell: Any) -> None:
    found = words(draw_figure(cell))
    functions = [name for pair in (*cell.nodes, cell.inject) for name in pair]
    for name in set(functions):
        assert found.count(name) == functions.count(name)
    assert [found.count(name) for name in ("xt", "ht-1", "ct-1", "ct", "ht")] == [8, 8, 1, 1, 1]


@pytest.mark.parametrize("space", SPACES, ids=repr)
def test_every_stage_of_every_space_fits_one_sheet_and_is_valid_svg(
    space: SearchSpace[Any],
) -> None:
    tokens = space.sample(np.random.default_rng(0))
    steps = sorted({*range(0, len(tokens), max(1, len(tokens) // 9)), len(tokens)})
    pictures = [draw_tokens_figure(space, tokens[:n], space.num_layers, "end " * 99) for n in steps]
    assert len({(picture.width, picture.height) for picture in pictures}) == 1
    for picture in [*pictures, draw_figure(space.decode(tokens))]:
        assert inside(picture)
        words(picture)
    assert len({picture.svg() for picture in pictures}) == len(pictures)


def test_the_layer_being_written_is_marked_and_open_values_are_question_marks() -> None:
    found = words(draw_tokens_figure(ConvSpace(), [1, 2], 2))
    assert found.count("N ?") == 2 and "FH 3" in found and "FW 5" in found and "FH ?" in found


def test_pixels_are_the_picture_at_any_scale(tmp_path: Path) -> None:
    picture = draw_figure(published.NAS_CELL)
    pixels = picture.array()
    assert pixels.dtype == np.uint8 and pixels.shape == (picture.height, picture.width, 3)
    assert (pixels != 255).any(axis=2).mean() > 0.02 and (pixels[0] == 255).all()
    picture.png(tmp_path / "cell.png")
    with Image.open(tmp_path / "cell.png") as image:
        assert image.size == (2 * picture.width, 2 * picture.height)
        assert (np.array(image.convert("RGB")) == picture.array(2.0)).all()
    odd = picture.array(0.37)
    assert odd.shape == (round(0.37 * picture.height), round(0.37 * picture.width), 3)
    assert (odd[:, -1] == 255).all() and (odd[-1] == 255).all()


def test_a_file_is_written_by_its_suffix(tmp_path: Path) -> None:
    picture = draw_figure(published.FIGURE_7)
    picture.save(tmp_path / "a.SVG")
    picture.save(tmp_path / "a.png")
    assert (tmp_path / "a.SVG").read_text().startswith("<svg ")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ConfigurationError, match=r"\.svg or \.png.*a\.jpg"):
        picture.save(tmp_path / "a.jpg")


def word(text: str, bold: bool = False) -> Pixels:
    return sheet(40, 20, [Text(4, 15, text, 14, bold=bold)], "").array()


def test_letters_of_many_alphabets_are_drawn_each_in_its_own_shape() -> None:
    lacking = word("\U00010348")  # a Gothic letter, in no font of ours: an empty box
    drawn = [
        word(letter, bold)
        for letter in "aZ7\u00e9\u00df\u0142\u03b2\u0436\u2192\u2264"
        for bold in (False, True)
    ]
    assert all((pixels < 128).any() for pixels in (*drawn, lacking))
    assert len({pixels.tobytes() for pixels in (*drawn, lacking)}) == len(drawn) + 1


def test_what_fonts_the_machine_has_decides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = draw_figure(published.FIGURE_7).array()
    monkeypatch.setenv("FONTCONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path))
    code = (
        "import sys, nas_env; from nas_env import published; "
        "sys.stdout.buffer.write(nas_env.draw_figure(published.FIGURE_7).array().tobytes())"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert found.stdout == expected.tobytes()


def test_pictures_are_drawn_in_any_thread() -> None:
    expected = word("a")
    with ThreadPoolExecutor(2) as pool:
        assert all((found == expected).all() for found in pool.map(word, ["a"] * 8))


@pytest.mark.parametrize(("scale", "message"), [(1000.0, "988000 x 588000"), (1e-4, "0 x 0")])
def test_a_size_that_cannot_be_drawn_is_refused_with_the_way_out(
    scale: float, message: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"{message}.*allowed.*svg"):
        draw_figure(published.NAS_CELL).array(scale)


def test_an_svg_loads_nothing_and_has_no_names_that_could_clash_in_a_page() -> None:
    text = draw_figure(published.FIGURE_7).svg()
    assert re.search(r"<script|<image|<style|url\(|\b(id|src|href|class)=", text) is None


def test_text_of_a_user_cannot_break_the_file() -> None:
    evil = ChoiceSpace({'</svg><script>"&': ["\x00\x1b[0m\n\ud800", "<b>"]})
    for tokens in ([], [0], [1]):
        found = words(draw_tokens_figure(evil, tokens, 1))
        assert '</svg><script>"&' in found and "<b>" in found


class Own(Architecture):
    def to_json(self) -> dict[str, Any]:
        return {"kind": "own"}

    def canonical(self) -> "Own":
        return self

    def __str__(self) -> str:
        return "first line\n" + "line\n" * 999


def test_a_users_own_kind_is_shown_in_its_own_words() -> None:
    found = words(draw_figure(Own()))
    assert found[0] == "first line" and found[-1] == "... and 800 more lines"


def test_what_is_no_architecture_is_refused_with_the_way_out() -> None:
    with pytest.raises(InvalidArchitectureError, match=r"got str.*load_architecture"):
        draw_figure("cell.json")  # type: ignore[arg-type]


def test_the_json_of_an_architecture_is_drawn_like_itself() -> None:
    cell = published.NAS_CELL
    assert draw_figure(cell.to_json()).svg() == draw_figure(cell).svg()
