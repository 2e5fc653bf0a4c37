"""Human designs: as large as published, trained as children are, compared by one command."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
import torch

import nas_env
from agents.commands import compare_networks
from baselines.networks import PUBLISHED, HumanDesign, design_cost
from nas_env.child.conv.cost import conv_cost
from nas_env.errors import InvalidArchitectureError
from nas_env.space.architecture_json import architecture_from_json

COUNTED = {  # by hand or by others, to the last parameter; classes = 10
    "resnet-20": 269_722,
    "resnet-110": 1_727_962,
    "wide-resnet-28-10": 36_479_194,
    "densenet-bc-100-12": 769_162,
    "densenet-bc-190-40": 25_624_430,
    "all-cnn": 1_369_738,
    "network-in-network": 966_986,
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_design_has_as_many_parameters_as_published(name: str) -> None:
    published = Decimal(PUBLISHED[name].parameters)
    parameters = design_cost(name, (3, 32, 32), 10).parameters
    assert (Decimal(parameters) / 10**6).quantize(published) == published
    assert COUNTED.get(name, parameters) == parameters


@pytest.mark.parametrize(
    "name", ["resnet-8", "preact-resnet-11", "wide-resnet-10-1", "densenet-7-4", "densenet-bc-10-4"]
)
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 13)])
def test_a_design_takes_images_of_any_size_and_every_weight_learns(
    name: str, shape: tuple[int, int, int]
) -> None:
    child = HumanDesign(name).build(shape[0], 5)
    logits = child(torch.randn(4, *shape))
    assert logits.shape == (4, 5)
    logits.square().sum().backward()
    assert all(p.grad is not None for p in child.parameters())
    assert sum(p.numel() for p in child.parameters()) == design_cost(name, shape, 5).parameters


def test_costs_are_counted_as_those_of_found_networks_are() -> None:
    """One convolution of ResNet-20, by hand; and a module of ours by both counters."""
    cost = design_cost("resnet-20", (3, 32, 32), 10)
    first = 3 * 9 * 16 * 32 * 32
    stage1 = 6 * 16 * 9 * 16 * 32 * 32
    stage2 = (16 * 9 * 32 + 5 * 32 * 9 * 32) * 16 * 16
    stage3 = (32 * 9 * 64 + 5 * 64 * 9 * 64) * 8 * 8
    assert cost.macs == first + stage1 + stage2 + stage3 + 640
    assert conv_cost(nas_env.published.FIGURE_7).parameters == 4_201_630


def test_depths_count_the_layers_with_weights() -> None:
    """Wide ResNet counts its convolutions, projections among them: 6 n + 4."""
    for name in ("resnet-20", "preact-resnet-164", "wide-resnet-16-8", "densenet-bc-100-12"):
        child = HumanDesign(name).build()
        layers = [m for m in child.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
        projections = [n for n, _ in child.named_modules() if n.endswith("projection")]
        depth = int(next(part for part in name.split("-") if part.isdigit()))
        counted = len(layers) - (1 if name.startswith("wide") else len(projections))
        assert counted == depth, name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet-21", "multiple of 6, plus 2"),
        ("resnet-2", "multiple of 6, plus 2"),
        ("vgg", "Known: resnet-20"),
        ("torchvision/nothing", "torchvision has no classifier"),
    ],
)
def test_an_unknown_design_names_what_is_known(name: str, message: str) -> None:
    with pytest.raises(InvalidArchitectureError, match=message.replace("+", "\\+")):
        HumanDesign(name)


def test_a_design_is_json_and_a_network_of_torchvision_is_one() -> None:
    for name in ("densenet-40-12", "torchvision/resnet18"):
        design = HumanDesign(name)
        assert architecture_from_json(design.to_json()) == design
    assert design_cost("torchvision/resnet18", (3, 64, 64), 1000).parameters == 11_689_512


def test_a_design_trains_reproducibly_into_the_store_of_searches(tmp_path: Path) -> None:
    recipe = {"name": "quick", "epochs": 1, "train_images": 128, "valid_images": 60}
    store = tmp_path / "store.sqlite"
    first = nas_env.evaluate(HumanDesign("resnet-8"), "digits", recipe, store=store)
    again = nas_env.evaluate(HumanDesign("resnet-8"), "digits", recipe, store=store)
    fresh = nas_env.evaluate(HumanDesign("resnet-8"), "digits", recipe)
    assert first.state == "complete"
    assert (first.cached, again.cached, fresh.cached) == (False, True, False)
    assert first.metric == again.metric == fresh.metric
    assert first.parameters == design_cost("resnet-8", (1, 8, 8), 10).parameters


@pytest.fixture
def compare(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    recipe = '{"name": "quick", "epochs": 1, "train_images": 128, "valid_images": 60}'

    def call(*words: str) -> tuple[int, str, str]:
        flags = ["--dataset", "digits", "--recipe", recipe, "--evaluator", "local"]
        store = ["--store", str(tmp_path / "store.sqlite")]
        status = compare_networks.main([*words, *flags, *store])
        told = capsys.readouterr()
        return status, told.out, told.err

    return call


def test_networks_are_compared_with_intervals_and_not_trained_twice(
    compare: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    mine = tmp_path / "mine.json"
    mine.write_text('{"kind": "conv", "layers": [{"type": "convolution", "filter_height": 3, '
                    '"filter_width": 3, "filters": 8}]}')  # fmt: skip
    output = str(tmp_path / "figures.json")
    status, out, _ = compare("resnet-8", str(mine), "--seeds", "2", "--output", output)
    assert status == 0
    lines = out.splitlines()
    assert lines[0].split() == ["network", "accuracy", "seeds", "parameters", "MACs", "seconds"]
    assert lines[1].startswith("resnet-8") and "±" in lines[1] and "2 of 2" in lines[1]
    assert lines[2].startswith(str(mine))
    figures = json.loads(Path(output).read_text())["networks"]
    a, b = figures["resnet-8"]["accuracies"]
    # Student's t with one degree of freedom: 12.706 s / sqrt(2) = 12.706 |a - b| / 2
    assert f"{(a + b) / 2:.4f} ± {12.7062 * abs(a - b) / 2:.3f}"[:-1] in lines[1]
    assert figures[str(mine)]["parameters"] == 8 * 9 + 2 * 8 + 9 * 10
    again = compare("resnet-8", str(mine), "--seeds", "2")
    assert again[2].count("(known)") == 4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("resnet-8", "resnet-8"), "different networks"),
        (("resnet-9",), "multiple of 6"),
        (("gone.json",), "No such file"),
    ],
)
def test_networks_that_cannot_be_compared_are_one_message(
    compare: Callable[..., tuple[int, str, str]], words: tuple[str, ...], message: str
) -> None:
    status, _, err = compare(*words)
    assert (status, err.count("\n")) == (2, 1)
    assert message in err
