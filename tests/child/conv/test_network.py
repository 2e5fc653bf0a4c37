"""ConvNet: the network that section 3.3 describes, for every architecture and image size."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas_env.api import build_child
from nas_env.child.conv.network import ConvNet, concatenate
from nas_env.errors import InvalidArchitectureError
from nas_env.space.choices import ChoiceArchitecture
from nas_env.space.conv import ConvSpace
from nas_env.space.conv_architecture import ConvArchitecture, Convolution, Pooling
from nas_env.space.layer_types import LayerTypesSpace
from nas_env.space.layered import LayeredSpace

SPACES: dict[str, LayeredSpace] = {
    "conv": ConvSpace(),
    "strides": ConvSpace(strides=(1, 2, 3)),
    "pooling": ConvSpace(13, 13, filters=(6, 12, 24, 36), block_size=3, pool_after=(4, 8)),
    "layer_types": LayerTypesSpace(),
    "strided_blocks": ConvSpace(4, strides=(1, 2), filters=(4, 8), block_size=2, pool_after=(2,)),
    "even_filters": ConvSpace(4, filter_sizes=(2, 4), filters=(4, 8), strides=(1, 3)),
}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


def samples(name: str, count: int, seed: int = 0) -> list[ConvArchitecture]:
    space, rng = SPACES[name], np.random.default_rng(seed)
    return [space.decode(space.sample(rng)) for _ in range(count)]


def forward_directly(net: ConvNet, images: Tensor) -> Tensor:
    """Every concatenation and padding written out, the classifier's included."""
    architecture = net.architecture

    def join(sources: tuple[int, ...]) -> Tensor:
        height = max(maps[source].shape[2] for source in sources)
        width = max(maps[source].shape[3] for source in sources)
        joined = []
        for source in sources:
            x = maps[source]
            canvas = x.new_zeros(x.shape[0], x.shape[1], height, width)
            top, left = (height - x.shape[2]) // 2, (width - x.shape[3]) // 2
            canvas[:, :, top : top + x.shape[2], left : left + x.shape[3]] = x
            joined.append(canvas)
        return torch.cat(joined, dim=1)

    maps = [images]
    for number, layer in enumerate(architecture.layers, 1):
        maps.append(net.layers[number - 1](join(layer.inputs)))
        if number in architecture.pool_after:
            maps = [F.max_pool2d(x, 2, ceil_mode=True) for x in maps]
    logits: Tensor = net.classifier(join(architecture.outputs).mean((2, 3)))
    return logits


@pytest.mark.parametrize("name", SPACES)
def test_the_forward_pass_is_the_papers_wiring(name: str) -> None:
    for architecture in samples(name, 8):
        net = ConvNet(architecture)
        images = torch.randn(2, 3, 9, 8)
        torch.testing.assert_close(net(images), forward_directly(net, images), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (7, 5), (8, 8)])
def test_every_architecture_builds_at_any_image_size(name: str, size: tuple[int, int]) -> None:
    for architecture in samples(name, 6, seed=1):
        net = build_child(architecture, image_channels=1, classes=7)
        assert net(torch.randn(2, 1, *size)).shape == (2, 7)


def train_one_step(architecture: ConvArchitecture) -> None:
    net = ConvNet(architecture)
    optimiser = torch.optim.SGD(
        net.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-4
    )
    images, labels = torch.randn(4, 3, 8, 8), torch.randint(10, (4,))
    loss = F.cross_entropy(net(images), labels)
    loss.backward()  # type: ignore[no-untyped-call]
    assert all(weight.grad is not None for weight in net.parameters())
    optimiser.step()
    assert all(torch.isfinite(weight).all() for weight in net.parameters())
    assert torch.isfinite(net(images)).all()


@pytest.mark.parametrize("name", SPACES)
def test_random_children_train_one_step(name: str) -> None:
    for architecture in samples(name, 6, seed=2):
        train_one_step(architecture)


@pytest.mark.slow
@pytest.mark.parametrize("name", SPACES)
def test_300_random_children_train_one_step(name: str) -> None:
    for architecture in samples(name, 300, seed=3):
        train_one_step(architecture)


def test_smaller_maps_are_padded_centrally_with_zeros() -> None:
    joined = concatenate([torch.ones(1, 1, 4, 3), torch.full((1, 1, 1, 2), 5.0)])
    assert joined[0, 1].tolist() == [[0, 0, 0], [5, 5, 0], [0, 0, 0], [0, 0, 0]]
    assert joined[0, 0].eq(1).all()


def test_a_pooling_between_blocks_applies_to_skips_across_it_too() -> None:
    layers = (Convolution(3, 3, 4), Convolution(3, 3, 4, inputs=(1,)), Convolution(1, 1, 4))
    architecture = ConvArchitecture(layers, pool_after=(1,))
    seen: list[Any] = []
    net = ConvNet(architecture)
    for layer in net.layers:
        layer.register_forward_hook(lambda _, inputs, __: seen.append(tuple(inputs[0].shape)))
    net(torch.randn(1, 3, 8, 8))
    assert seen == [(1, 3, 8, 8), (1, 4, 4, 4), (1, 3, 4, 4)]  # the image, too, arrives pooled


def test_weights_follow_the_seed() -> None:
    architecture = samples("conv", 1)[0]
    weights = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        weights.append(nn.utils.parameters_to_vector(ConvNet(architecture).parameters()))
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_batch_norm_takes_the_place_of_the_bias() -> None:
    layers = (Convolution(3, 3, 4), Pooling("max", 2, 2, (1,)))
    for batch_norm in (True, False):
        names = {
            name
            for name, _ in ConvNet(
                ConvArchitecture(layers, batch_norm=batch_norm)
            ).named_parameters()
        }
        assert ("layers.0.convolutions.0.bias" in names) is not batch_norm
        assert ("layers.0.norms.0.weight" in names) is batch_norm


def test_channels_last_changes_nothing_but_speed() -> None:
    for name in ("strides", "layer_types"):
        for architecture in samples(name, 3, seed=4):
            net, images = ConvNet(architecture).eval(), torch.randn(2, 3, 8, 8)
            expected = net(images)
            net = net.to(memory_format=torch.channels_last)
            found = net(images.to(memory_format=torch.channels_last))
            torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_bfloat16_autocast_runs_every_layer_type() -> None:
    for architecture in samples("layer_types", 6, seed=5):
        with torch.autocast("cpu", torch.bfloat16):
            loss = ConvNet(architecture)(torch.randn(2, 3, 8, 8)).float().square().mean()
        loss.backward()
        assert torch.isfinite(loss)


def test_an_architecture_of_a_users_own_space_needs_an_evaluator() -> None:
    with pytest.raises(InvalidArchitectureError, match=r"ChoiceArchitecture.*own evaluator"):
        build_child(ChoiceArchitecture({"width": 3}))


@pytest.mark.gpu
@pytest.mark.parametrize("name", SPACES)
def test_a_gpu_computes_the_same_network(name: str) -> None:
    for architecture in samples(name, 4, seed=6):
        net, images = ConvNet(architecture).eval(), torch.randn(4, 3, 16, 16)
        expected = net(images)
        net = net.cuda().to(memory_format=torch.channels_last)
        found = net(images.cuda().to(memory_format=torch.channels_last)).cpu()
        torch.testing.assert_close(found, expected, atol=1e-2, rtol=1e-2)  # TF32
