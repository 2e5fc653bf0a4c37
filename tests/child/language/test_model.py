import pytest
import torch
from torch import Tensor, nn

from nas_env.api import build_child
from nas_env.child.language.dropout import (
    GAL_LARGE,
    ZAREMBA_MEDIUM,
    LanguageDropout,
    drop_elements,
    drop_words,
)
from nas_env.child.language.model import LanguageModel, detach
from nas_env.child.language.size import Cell, LanguageSizes, language_cost
from nas_env.errors import ConfigurationError
from nas_env.space.published import MAX_SIN_CELL, NAS_CELL

CELLS: list[Cell] = [NAS_CELL, MAX_SIN_CELL, "lstm", "gru"]
SIZES = LanguageSizes(vocabulary_size=20, hidden_size=6)


def tokens(steps: int = 8, batch: int = 3) -> Tensor:
    return torch.randint(20, (steps, batch), generator=torch.Generator().manual_seed(1))


def learnable(model: nn.Module) -> int:
    return sum(value.numel() for value in model.parameters() if value.requires_grad)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    "sizes",
    [
        SIZES,
        LanguageSizes(vocabulary_size=20, hidden_size=6, tied=True),
        LanguageSizes(vocabulary_size=20, hidden_size=6, embedding_size=4, layers=3),
    ],
)
def test_the_module_has_the_parameters_of_the_cost(cell: Cell, sizes: LanguageSizes) -> None:
    assert learnable(LanguageModel(cell, sizes)) == language_cost(cell, sizes).parameters


@pytest.mark.parametrize("cell", CELLS)
def test_two_halves_with_carried_state_equal_the_whole(cell: Cell) -> None:
    torch.manual_seed(0)
    model, text = LanguageModel(cell, SIZES, init_scale=0.5), tokens()
    whole, _ = model(text)
    first, state = model(text[:4])
    second, _ = model(text[4:], detach(state))
    torch.testing.assert_close(torch.cat([first, second]), whole)
    fresh, _ = model(text[4:])
    assert not torch.allclose(fresh[0], whole[4])


def test_no_gradient_flows_into_the_window_before() -> None:
    model = LanguageModel("lstm", SIZES)
    _, state = model(tokens())
    assert all(not part.requires_grad for layer in detach(state) for part in layer)


def test_the_loss_is_summed_over_steps_and_batch() -> None:
    torch.manual_seed(0)
    model, text = LanguageModel(NAS_CELL, SIZES, init_scale=0.5), tokens()
    logits, _ = model(text[:-1])
    loss, _ = model.loss(text[:-1], text[1:])
    expected = nn.functional.cross_entropy(
        logits.flatten(0, 1), text[1:].flatten(), reduction="sum"
    )
    torch.testing.assert_close(loss, expected)


def test_all_weights_start_uniform_within_the_scale() -> None:
    model = LanguageModel("lstm", LanguageSizes(1000, 50), init_scale=0.1)
    for name, value in model.named_parameters():
        if name.endswith("bias_hh_l0"):
            assert not value.requires_grad and not value.any()
        else:
            assert 0.09 < value.abs().max() <= 0.1 and abs(value.mean()) < 0.03


def test_tied_embeddings_are_one_tensor() -> None:
    model = LanguageModel(NAS_CELL, LanguageSizes(20, 6, tied=True))
    assert model.softmax.weight is model.embedding.weight


@pytest.mark.parametrize("cell", [NAS_CELL, "lstm"])
def test_dropout_acts_in_training_only(cell: Cell) -> None:
    model, text = LanguageModel(cell, SIZES, GAL_LARGE, init_scale=0.5), tokens()
    assert not torch.equal(model(text)[0], model(text)[0])
    model.eval()
    assert torch.equal(model(text)[0], model(text)[0])


def test_variational_masks_are_fixed_over_the_sequence_and_zarembas_are_not() -> None:
    torch.manual_seed(0)
    ones = torch.ones(50, 4, 30)
    fixed = drop_elements(ones, 0.4, variational=True)
    assert (fixed == fixed[0]).all() and not (fixed[:, 0] == fixed[:, 1]).all()
    free = drop_elements(ones, 0.4, variational=False)
    assert not (free == free[0]).all()
    for dropped in (fixed, free):
        kept = dropped != 0
        torch.testing.assert_close(dropped[kept], torch.full_like(dropped[kept], 1 / 0.6))
    assert abs((free != 0).float().mean() - 0.6) < 0.03


def test_a_dropped_word_is_dropped_wherever_it_stands_in_its_text() -> None:
    torch.manual_seed(0)
    text = tokens(200, 3)
    dropped = drop_words(torch.ones(200, 3, 5), text, 20, 0.5)
    for batch in range(3):
        for word in range(20):
            places = dropped[text[:, batch] == word, batch]
            assert (places == places[0, 0]).all()
    assert 0.3 < (dropped == 0).float().mean() < 0.7


@pytest.mark.parametrize("cell", [NAS_CELL, "lstm"])
def test_the_recurrent_mask_drops_the_same_elements_of_h_at_every_step(cell: Cell) -> None:
    """With all of h dropped but by chance one element kept, only kept elements pass on."""
    torch.manual_seed(0)
    sizes = LanguageSizes(vocabulary_size=20, hidden_size=8, layers=1)
    model = LanguageModel(cell, sizes, LanguageDropout(recurrent=0.5), init_scale=0.5)
    text = tokens(6, 1)
    with torch.no_grad():
        h_0 = torch.zeros(1, 1, 8).requires_grad_()
    values = model.embedding(text)
    outputs, state = model.hidden(text, ((h_0, torch.zeros(1, 1, 8)),))
    assert values.shape == outputs.shape == (6, 1, 8) and state is not None
    (first,) = torch.autograd.grad(outputs.sum(), h_0)
    assert 0 < int((first == 0).sum()) < 8  # dropped on the way in: no gradient comes back


@pytest.mark.parametrize("cell", [NAS_CELL, "lstm"])
def test_recurrent_dropout_of_nothing_changes_nothing(cell: Cell) -> None:
    torch.manual_seed(0)
    plain = LanguageModel(cell, SIZES, init_scale=0.5)
    dropped = LanguageModel(cell, SIZES, LanguageDropout(recurrent=1e-12), init_scale=0.5)
    dropped.load_state_dict(plain.state_dict())
    torch.testing.assert_close(plain(tokens())[0], dropped(tokens())[0])


def test_zarembas_dropout_never_touches_what_goes_along_time() -> None:
    assert ZAREMBA_MEDIUM.recurrent == ZAREMBA_MEDIUM.embedding == 0
    assert not ZAREMBA_MEDIUM.variational


def test_dropout_that_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"input must be .*, got 1\.0"):
        LanguageDropout(input=1.0)
    with pytest.raises(ConfigurationError, match="GRU"):
        LanguageModel("gru", SIZES, LanguageDropout(recurrent=0.1))


def test_build_child_makes_a_language_model_of_a_cell() -> None:
    child = build_child(NAS_CELL, vocabulary_size=20, hidden_size=6, tied=True)
    assert isinstance(child, LanguageModel) and child.sizes.tied
    assert child(tokens())[0].shape == (8, 3, 20)
