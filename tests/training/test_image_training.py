"""Training image children: learns, reproduces bit for bit, and fails in typed ways."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from nas_env.child.conv.cost import conv_cost
from nas_env.child.conv.network import ConvNet
from nas_env.data.augment import EpochPlan, draw_epoch, training_batch
from nas_env.data.images import ImageData, ImageSelection, load_images
from nas_env.errors import (
    ChildDiverged,
    ChildFailure,
    ChildOutOfMemory,
    ChildTimeout,
    ChildTooLarge,
    ConfigurationError,
    InvalidArchitectureError,
)
from nas_env.space.choices import ChoiceSpace
from nas_env.space.conv_architecture import BatchNormalisation, ConvArchitecture, Convolution
from nas_env.training import image_training as image
from nas_env.training.image_numerics import Numerics
from nas_env.training.image_recipes import ImageRecipe, image_recipe
from nas_env.training.image_step import make_step
from nas_env.training.image_training import build_seeded, estimate_memory_mb, train_image_child

SMALL = ConvArchitecture(
    (
        Convolution(3, 3, 16),
        Convolution(3, 3, 16, inputs=(1,)),
        Convolution(3, 3, 16, inputs=(1, 2)),
    )
)
RECIPE = image_recipe(
    {"name": "quick", "epochs": 3, "reward_epochs": 2, "numerics": "float32", "batch_size": 32},
    "digits",
)


@pytest.fixture(scope="module")
def digits() -> ImageData:
    return load_images("digits", None, ImageSelection(None, 256, 200))


def test_a_child_learns_the_digits(digits: ImageData) -> None:
    recipe = replace(RECIPE, epochs=12, learning_rate=0.1)
    outcome = train_image_child(SMALL, digits, recipe, seed=0, device="cpu")
    assert outcome.metric > 0.6  # chance is 0.1
    assert outcome.metric == max(outcome.curve)
    assert outcome.parameters == conv_cost(SMALL, (1, 8, 8), 10).parameters
    assert outcome.macs == conv_cost(SMALL, (1, 8, 8), 10).macs
    assert outcome.numerics == "float32" and outcome.seconds > 0


def test_same_seed_same_curve_whatever_ran_before(digits: ImageData) -> None:
    first = train_image_child(SMALL, digits, RECIPE, seed=11, device="cpu")
    torch.manual_seed(123)
    torch.rand(7)
    other = train_image_child(SMALL, digits, RECIPE, seed=12, device="cpu")
    again = train_image_child(SMALL, digits, RECIPE, seed=11, device="cpu")
    assert first.curve == again.curve
    assert first.curve != other.curve


@pytest.mark.parametrize("numerics", ["float32", "float32-channels_last", "bfloat16-channels_last"])
def test_weights_are_reproduced_bit_for_bit(digits: ImageData, numerics: str) -> None:
    recipe = replace(RECIPE, numerics=numerics, epochs=1, reward_epochs=1)
    first, second = (trained_weights(digits, recipe) for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def trained_weights(data: ImageData, recipe: ImageRecipe) -> dict[str, torch.Tensor]:
    child = build_seeded(SMALL, data, 3, Numerics(recipe.numerics))
    step = make_step(child, data, recipe, None, 4)
    generator = torch.Generator().manual_seed(3)
    plan = draw_epoch(4 * recipe.batch_size, recipe.augmentation, generator)
    for batch in plan.batches(recipe.batch_size):
        step.run(batch)
    return child.state_dict()


def test_training_leaves_the_global_generator_and_threads_alone(digits: ImageData) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    threads = torch.get_num_threads()
    torch.manual_seed(5)
    train_image_child(SMALL, digits, replace(RECIPE, epochs=1, reward_epochs=1), 0, "cpu")
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads


def test_only_the_epochs_of_the_metric_are_validated(digits: ImageData) -> None:
    recipe = replace(RECIPE, epochs=3, reward_epochs=2)
    assert len(train_image_child(SMALL, digits, recipe, 0, "cpu").curve) == 2


def test_validation_images_are_never_trained_on(digits: ImageData) -> None:
    """Labels of the validation part changed: the trained weights do not notice."""
    shuffled = replace(digits, valid_labels=9 - digits.valid_labels)
    first, second = trained_weights(digits, RECIPE), trained_weights(shuffled, RECIPE)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_first_step_is_sgd_with_nesterov_momentum_and_decay(digits: ImageData) -> None:
    """v = g + wd * w; w -= lr * (g + wd * w + momentum * v), by hand."""
    recipe = replace(RECIPE, momentum=0.9, weight_decay=0.01, warmup=0.0, schedule="step")
    child = build_seeded(SMALL, digits, 0, Numerics("float32"))
    step = make_step(child, digits, recipe, 0.05, 10)
    generator = torch.Generator().manual_seed(0)
    plan = draw_epoch(recipe.batch_size, recipe.augmentation, generator)
    batch = image_batch(digits, recipe, plan)
    weight = child.get_parameter("classifier.weight").detach().clone()
    loss = nn.functional.cross_entropy(child(batch), digits.train_labels[plan.choices[:, 0]])
    (gradient,) = torch.autograd.grad(loss, [child.get_parameter("classifier.weight")])
    fresh = build_seeded(SMALL, digits, 0, Numerics("float32"))
    child.load_state_dict(fresh.state_dict())
    step.run(plan)
    decayed = gradient + 0.01 * weight
    expected = weight - 0.05 * (decayed + 0.9 * decayed)
    torch.testing.assert_close(child.get_parameter("classifier.weight").detach(), expected)
    assert step.take_loss() == pytest.approx(loss.item())


def test_a_restored_step_trains_as_if_it_were_new(digits: ImageData) -> None:
    """What a CUDA graph's warm-up relies on: weights, statistics, momentum and loss are back."""
    generator = torch.Generator().manual_seed(0)
    plan = draw_epoch(RECIPE.batch_size, RECIPE.augmentation, generator)
    losses, weights = [], []
    for warm_up_steps in (0, 3):
        child = build_seeded(SMALL, digits, 0, Numerics("float32"))
        step = make_step(child, digits, RECIPE, None, 10)
        before = step.snapshot()
        for _ in range(warm_up_steps):
            step.compute(plan)
        step.restore(before)
        step.run(plan)
        step.run(plan)
        losses.append(step.take_loss())
        weights.append(child.state_dict())
    assert losses[0] == losses[1]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_the_rate_may_live_in_a_tensor_as_a_graph_needs_it(digits: ImageData) -> None:
    child = build_seeded(SMALL, digits, 0, Numerics("float32"))
    step = make_step(child, digits, RECIPE, None, 10)
    tensor = torch.tensor(1.0)
    step.optimiser.param_groups[0]["lr"] = tensor
    step.set_rate(0.25)
    assert step.optimiser.param_groups[0]["lr"] is tensor and tensor.item() == 0.25


def image_batch(data: ImageData, recipe: ImageRecipe, plan: EpochPlan) -> torch.Tensor:
    return training_batch(data.train_images, plan, recipe.augmentation)


def test_the_architectures_own_learning_rate_replaces_the_recipes(digits: ImageData) -> None:
    same = train_image_child(
        replace(SMALL, learning_rate=RECIPE.learning_rate), digits, RECIPE, 0, "cpu"
    )
    other = train_image_child(replace(SMALL, learning_rate=1e-4), digits, RECIPE, 0, "cpu")
    assert same.curve == train_image_child(SMALL, digits, RECIPE, 0, "cpu").curve
    assert other.metric < same.metric


def test_a_narrower_copy_is_trained_and_the_network_itself_is_told(digits: ImageData) -> None:
    seen: list[nn.Module] = []
    half = replace(RECIPE, width=0.5, epochs=1, reward_epochs=1)
    outcome = train_image_child(SMALL, digits, half, 4, "cpu", seen.append)
    assert seen[0].get_parameter("layers.1.convolutions.0.weight").shape == (8, 8, 3, 3)
    cost = conv_cost(SMALL, (1, 8, 8), 10)
    assert (outcome.parameters, outcome.macs) == (cost.parameters, cost.macs)
    by_hand = train_image_child(SMALL.narrower(0.5), digits, replace(half, width=1.0), 4, "cpu")
    assert outcome.curve == by_hand.curve


def test_limits_are_those_of_the_network_but_memory_is_what_the_copy_takes(
    digits: ImageData,
) -> None:
    narrow = replace(RECIPE, width=0.25, epochs=1, reward_epochs=1)
    for limit in ("max_parameters", "max_macs"):
        full = conv_cost(SMALL, (1, 8, 8), 10)
        value = full.parameters if limit == "max_parameters" else full.macs
        train_image_child(SMALL, digits, replace(narrow, **{limit: value}), 0, "cpu")  # type: ignore[arg-type]
        with pytest.raises(ChildTooLarge):
            train_image_child(SMALL, digits, replace(narrow, **{limit: value - 1}), 0, "cpu")  # type: ignore[arg-type]
    full_mb = estimate_memory_mb(conv_cost(SMALL, (1, 8, 8), 10), narrow.batch_size)
    limited = replace(narrow, max_memory_mb=0.5 * full_mb)
    train_image_child(SMALL, digits, limited, 0, "cpu")
    with pytest.raises(ChildTooLarge, match="memory"):
        train_image_child(SMALL, digits, replace(limited, width=1.0), 0, "cpu")


def test_the_recipes_epsilon_is_that_of_every_batch_normalisation(digits: ImageData) -> None:
    recipe = replace(RECIPE, epochs=1, reward_epochs=1, batch_norm_epsilon=0.5)
    seen: list[nn.Module] = []
    changed = train_image_child(SMALL, digits, recipe, 0, "cpu", seen.append)
    norms = [part for part in seen[0].modules() if isinstance(part, nn.BatchNorm2d)]
    assert [norm.eps for norm in norms] == [0.5] * 3
    usual = train_image_child(SMALL, digits, replace(recipe, batch_norm_epsilon=1e-5), 0, "cpu")
    assert changed.curve != usual.curve


def test_a_batch_normalisation_that_an_architecture_chose_keeps_its_own_epsilon() -> None:
    layers = (Convolution(3, 3, 4), BatchNormalisation(1e-3, inputs=(1,)))
    child = ConvNet(ConvArchitecture(layers), 1, 10, batch_norm_epsilon=0.5)
    norms = [part for part in child.modules() if isinstance(part, nn.BatchNorm2d)]
    assert [norm.eps for norm in norms] == [0.5, 1e-3]


def test_infinite_loss_is_a_diverged_child(digits: ImageData) -> None:
    wild = replace(SMALL, learning_rate=1e6, batch_norm=False)
    with pytest.raises(ChildDiverged, match="loss is"):
        train_image_child(wild, digits, RECIPE, 0, "cpu")


def test_slow_child_times_out(digits: ImageData) -> None:
    with pytest.raises(ChildTimeout, match=r"over 0\.01 s"):
        train_image_child(SMALL, digits, replace(RECIPE, time_limit_s=0.01), 0, "cpu")


@pytest.mark.parametrize(
    ("limit", "value", "message"),
    [
        ("max_parameters", 100, "parameters, over the recipe's limit of 100"),
        ("max_macs", 1000, "multiply-accumulates"),
        ("max_memory_mb", 0.1, "MB of estimated memory"),
    ],
)
def test_child_over_a_limit_is_refused_before_it_is_built(
    digits: ImageData, monkeypatch: pytest.MonkeyPatch, limit: str, value: float, message: str
) -> None:
    monkeypatch.setattr(image, "ConvNet", None)  # building would be a TypeError
    recipe = replace(RECIPE, **{limit: value})  # type: ignore[arg-type]
    with pytest.raises(ChildTooLarge, match=message):
        train_image_child(SMALL, digits, recipe, 0, "cpu")


def test_memory_that_cannot_be_had_is_typed(digits: ImageData) -> None:
    """A real allocation failure of torch's CPU allocator: 4 * 10^14 bytes of weights."""
    wide = 100_000
    huge = ConvArchitecture((Convolution(1, 1, wide), Convolution(100, 100, wide, inputs=(1,))))
    with pytest.raises(ChildOutOfMemory):
        train_image_child(huge, digits, replace(RECIPE, max_memory_mb=None), 0, "cpu")


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("std::bad_alloc")])
def test_other_signs_of_full_memory_are_typed(
    digits: ImageData, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(image, "_train", fail)
    with pytest.raises(ChildFailure) as info:
        train_image_child(SMALL, digits, RECIPE, 0, "cpu")
    assert info.value.failure == "out_of_memory"


def test_memory_estimate_is_of_the_right_size() -> None:
    """One 3x3 convolution of 16 filters at 32x32: output and normalised output, kept."""
    cost = conv_cost(ConvArchitecture((Convolution(3, 3, 16),)), (3, 32, 32), 10)
    kept_mb = 64 * 2 * 16 * 32 * 32 * 4 / 1e6
    assert kept_mb <= estimate_memory_mb(cost, 64) <= 3 * kept_mb


def test_other_architectures_and_too_few_images_are_errors(digits: ImageData) -> None:
    space = ChoiceSpace({"units": [1, 2]})
    with pytest.raises(InvalidArchitectureError, match="ConvArchitecture"):
        train_image_child(space.decode((0,)), digits, RECIPE, 0, "cpu")
    with pytest.raises(ConfigurationError, match="lower batch_size"):
        train_image_child(SMALL, digits, replace(RECIPE, batch_size=600), 0, "cpu")
