"""Augmentation: whole batches by index, the same from the same seed, values worked out by hand."""

import pytest
import torch

from nas_env.data.augment import (
    Augmentation,
    Crop,
    EpochPlan,
    draw_epoch,
    evaluation_batch,
    standardise,
    training_batch,
)


def images(count: int = 5, size: int = 6) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    shape = (count, 3, size, size)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


def choices(*rows: tuple[int, int, int, int]) -> EpochPlan:
    return EpochPlan(torch.tensor(rows))


def test_standardised_images_have_mean_zero_and_deviation_one() -> None:
    flat = standardise(images()).flatten(1)
    torch.testing.assert_close(flat.mean(1), torch.zeros(5), atol=1e-5, rtol=0)
    torch.testing.assert_close(flat.std(1, correction=0), torch.ones(5), atol=1e-5, rtol=0)


def test_uniform_image_becomes_zero_not_infinite() -> None:
    assert standardise(torch.full((1, 3, 4, 4), 7, dtype=torch.uint8)).abs().max() == 0


def test_batch_picks_images_by_index_and_flips_the_marked_ones() -> None:
    source = images()
    batch = training_batch(source, choices((4, 0, 0, 0), (1, 0, 0, 1)), Augmentation(flip=True))
    expected = standardise(source)
    assert torch.equal(batch[0], expected[4])
    assert torch.equal(batch[1], expected[1].flip(2))


def test_no_flip_means_none() -> None:
    source = images()
    batch = training_batch(source, choices((1, 0, 0, 1)), Augmentation(flip=False))
    assert torch.equal(batch[0], standardise(source)[1])


def test_pad_crop_moves_the_image_and_fills_with_zeros() -> None:
    source = images()
    plan = choices((2, 0, 3, 0), (3, 2, 2, 0))
    batch = training_batch(source, plan, Augmentation("pad", 2, False))
    plain = standardise(source)
    moved = torch.zeros(3, 6, 6)
    moved[:, 2:, :5] = plain[2][:, :4, 1:]
    assert torch.equal(batch[0], moved)
    assert torch.equal(batch[1], plain[3])  # margin 2: the window at (2, 2) is the image itself


def test_upsample_crop_shows_a_part_of_the_enlarged_image() -> None:
    source = images(size=8)
    augmentation = Augmentation("upsample", 2, False)
    batch = training_batch(source, choices((0, 2, 2, 0)), augmentation)
    assert batch.shape == (1, 3, 8, 8)
    assert torch.equal(batch, evaluation_batch(source[:1], augmentation))
    assert not torch.equal(batch, standardise(source)[:1])


@pytest.mark.parametrize("crop", ["none", "pad"])
def test_validation_images_are_only_standardised(crop: Crop) -> None:
    source = images()
    assert torch.equal(evaluation_batch(source, Augmentation(crop, 2, True)), standardise(source))


def test_epoch_visits_every_image_once_and_varies_offsets_and_flips() -> None:
    plan = draw_epoch(500, Augmentation("pad", 4, True), torch.Generator().manual_seed(1)).choices
    assert sorted(plan[:, 0].tolist()) == list(range(500))
    assert set(plan[:, 1].tolist()) == set(plan[:, 2].tolist()) == set(range(9))
    assert 200 < int(plan[:, 3].sum()) < 300


def test_same_seed_draws_the_same_epochs_and_they_differ_from_each_other() -> None:
    augmentation = Augmentation("pad", 4, True)
    first, second = torch.Generator().manual_seed(5), torch.Generator().manual_seed(5)
    epochs = [draw_epoch(50, augmentation, first).choices for _ in range(2)]
    again = [draw_epoch(50, augmentation, second).choices for _ in range(2)]
    assert torch.equal(epochs[0], again[0]) and torch.equal(epochs[1], again[1])
    assert not torch.equal(epochs[0], epochs[1])


def test_batches_are_whole() -> None:
    plan = draw_epoch(10, Augmentation(), torch.Generator().manual_seed(0))
    batches = [batch.choices for batch in plan.batches(4)]
    assert [len(batch) for batch in batches] == [4, 4]
    assert torch.equal(torch.cat(batches), plan.choices[:8])
