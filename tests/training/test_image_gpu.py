"""The GPU path: CUDA graphs compute what eager steps do, without waiting inside an epoch."""

from dataclasses import replace

import pytest
import torch

from nas_env.data.augment import draw_epoch
from nas_env.data.images import ImageData, load_images
from nas_env.errors import ChildOutOfMemory
from nas_env.space.conv_architecture import ConvArchitecture, Convolution
from nas_env.training import image_step
from nas_env.training.image_numerics import Numerics, choose_numerics
from nas_env.training.image_recipes import image_recipe
from nas_env.training.image_step import GraphedStep, TrainingStep, make_step
from nas_env.training.image_training import build_seeded, train_image_child

pytestmark = pytest.mark.gpu

CHILD = ConvArchitecture((Convolution(3, 3, 16), Convolution(5, 3, 16, inputs=(1,))))
RECIPE = image_recipe({"name": "quick", "numerics": "float32", "batch_size": 32}, "digits")


@pytest.fixture(scope="module")
def digits() -> ImageData:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    return load_images("digits").to(torch.device("cuda"))


def run_steps(kind: type[TrainingStep], data: ImageData, steps: int) -> tuple[float, torch.Tensor]:
    child = build_seeded(CHILD, data, 0, Numerics("float32"))
    step = kind(child, data, RECIPE, 0.05, steps)
    generator = torch.Generator().manual_seed(0)
    plan = draw_epoch(steps * 32, RECIPE.augmentation, generator).to(data.train_images.device)
    child.train()
    for batch in plan.batches(32):
        step.run(batch)
    return step.take_loss(), child.get_parameter("classifier.weight").detach()


def test_graph_learns_what_eager_steps_learn(digits: ImageData) -> None:
    eager_loss, eager_weight = run_steps(TrainingStep, digits, 20)
    graph_loss, graph_weight = run_steps(GraphedStep, digits, 20)
    assert graph_loss == pytest.approx(eager_loss, rel=1e-2)
    torch.testing.assert_close(graph_weight, eager_weight, rtol=1e-2, atol=1e-3)


def test_steps_of_an_epoch_do_not_wait_for_the_device(digits: ImageData) -> None:
    child = build_seeded(CHILD, digits, 0, Numerics("bfloat16-channels_last"))
    recipe = replace(RECIPE, numerics="bfloat16-channels_last")
    step = make_step(child, digits, recipe, None, 1000)
    assert isinstance(step, GraphedStep)
    plan = draw_epoch(320, recipe.augmentation, torch.Generator().manual_seed(0))
    plan = plan.to(digits.train_images.device)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for batch in plan.batches(32):
            step.run(batch)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_short_trainings_skip_the_capture(digits: ImageData) -> None:
    child = build_seeded(CHILD, digits, 0, Numerics("float32"))
    few = image_step.MIN_GRAPH_STEPS - 1
    assert type(make_step(child, digits, RECIPE, None, few)) is TrainingStep


def test_a_child_learns_on_the_gpu_in_its_own_numerics(digits: ImageData) -> None:
    recipe = replace(RECIPE, numerics=choose_numerics(torch.device("cuda")), epochs=10)
    assert train_image_child(CHILD, digits, recipe, 0, "cuda").metric > 0.8


def test_full_gpu_memory_is_typed_and_the_next_child_trains(digits: ImageData) -> None:
    wide = ConvArchitecture((Convolution(3, 3, 4096), Convolution(1, 1, 4096, inputs=(1,))))
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(0.002)
    try:
        with pytest.raises(ChildOutOfMemory):
            train_image_child(wide, digits, RECIPE, 0, "cuda")
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert train_image_child(CHILD, digits, RECIPE, 0, "cuda").metric > 0.1
