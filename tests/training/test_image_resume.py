"""A training of an image child stopped between two epochs and gone on with in another object."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from nas_env.data.images import ImageData, load_images
from nas_env.errors import CheckpointError
from nas_env.space.conv_architecture import ConvArchitecture, Convolution
from nas_env.training.image_recipes import ImageRecipe
from nas_env.training.image_training import (
    ImageTraining,
    image_child,
    image_training,
    train_image_child,
)

CHILD = ConvArchitecture((Convolution(3, 3, 8), Convolution(3, 3, 8, inputs=(0, 1))))
RECIPE = ImageRecipe(
    name="test",
    epochs=3,
    reward_epochs=3,
    batch_size=64,
    learning_rate=0.1,
    train_images=256,
    valid_images=100,
    warmup=0.2,
    crop_margin=1,
    numerics="float32",
)


@pytest.fixture(scope="module")
def digits() -> ImageData:
    return load_images("digits", None, RECIPE.selection)


def epochs(training: ImageTraining, count: int) -> list[float]:
    return [figure for _ in range(count) for figure in (training.run_epoch(), training.accuracy())]


@pytest.mark.parametrize("numerics", ["float32", "bfloat16-channels_last"])
@pytest.mark.parametrize("done", [0, 1, 2])
def test_a_training_goes_on_bit_for_bit_from_the_arrays_of_its_state(
    done: int, numerics: str, digits: ImageData
) -> None:
    recipe, child = replace(RECIPE, numerics=numerics), image_child(CHILD, digits)
    with image_training(child, digits, recipe, 7) as whole:
        expected = epochs(whole, 3)
        expected_state = whole.state()
    with image_training(child, digits, recipe, 7) as first:
        before = epochs(first, done)
        state = first.state()
    torch.manual_seed(123)
    with image_training(child, digits, recipe, 99) as second:
        second.load_state(state)
        assert second.epoch == done
        assert before + epochs(second, 3 - done) == expected
        found = second.state()
    assert found.keys() == expected_state.keys()
    assert all(np.array_equal(found[name], expected_state[name]) for name in found)


def test_a_training_epoch_by_epoch_measures_what_a_search_measures(digits: ImageData) -> None:
    with image_training(image_child(CHILD, digits), digits, RECIPE, 7) as one:
        curve = epochs(one, 3)[1::2]
    assert tuple(curve) == train_image_child(CHILD, digits, RECIPE, 7, "cpu").curve


def test_the_state_of_another_network_is_refused(digits: ImageData) -> None:
    other = ConvArchitecture((Convolution(3, 3, 9),))
    with image_training(image_child(other, digits), digits, RECIPE, 7) as one:
        state = one.state()
    with image_training(image_child(CHILD, digits), digits, RECIPE, 7) as two:
        with pytest.raises(CheckpointError, match="not that of this training"):
            two.load_state(state)
