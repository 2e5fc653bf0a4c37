import math
import multiprocessing
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas_env.child.language.dropout import GAL_LARGE, LanguageDropout
from nas_env.child.language.model import LanguageModel, detach
from nas_env.child.language.size import BaselineCell, Cell, LanguageSizes
from nas_env.data.text import TextData, Vocabulary
from nas_env.errors import (
    ChildDiverged,
    ChildTimeout,
    ChildTooLarge,
    ConfigurationError,
    InvalidArchitectureError,
    InvalidDatasetError,
)
from nas_env.space.cell_architecture import CellArchitecture
from nas_env.space.layout import Architecture
from nas_env.space.published import FIGURE_7, NAS_CELL
from nas_env.training import language_training
from nas_env.training.clean_state import seeded
from nas_env.training.language_evaluation import perplexity_of
from nas_env.training.language_recipes import LanguageRecipe
from nas_env.training.language_training import (
    LanguageEpoch,
    LanguageTraining,
    make_update,
    train_language_child,
)
from nas_env.training.language_windows import evaluation_streams

TINY = LanguageRecipe(
    name="tiny",
    epochs=3,
    hidden_size=16,
    reward_epochs=2,
    batch_size=4,
    bptt_steps=8,
    evaluation_batch=4,
    init_scale=0.5,
    constant_epochs=2,
    numerics="float32",
)
DEAD = CellArchitecture(
    base_number=2,
    nodes=(("elem_mult", "tanh"), ("add", "relu"), ("elem_mult", "tanh")),
    inject=("add", "tanh"),
    cell_index=2,
    inject_index=0,
)
"""c_t = a0' * a1 with a0' = tanh(W_x x * W_h h + ...) = 0 at h = c = 0: it stays there."""
EXPLODING = CellArchitecture(
    base_number=2,
    nodes=(("add", "identity"), ("add", "identity"), ("elem_mult", "identity")),
    inject=("add", "identity"),
    cell_index=2,
    inject_index=2,
)


def text_data(tokens: int = 1000, valid: int = 203) -> TextData:
    """Sentences of four words whose first word decides the rest: easy to learn from context."""
    symbols = ("<eos>", *"abcdefghi")
    generator = torch.Generator().manual_seed(0)
    sentences = torch.tensor([[1, 2, 3, 0], [4, 2, 5, 0], [6, 7, 3, 0], [8, 9, 5, 0]])

    def draw(count: int) -> Tensor:
        chosen = torch.randint(4, (count // 4 + 1,), generator=generator)
        return sentences[chosen].flatten()[:count]

    return TextData(draw(tokens), draw(valid), Vocabulary(symbols, "word"))


def unigram_perplexity(data: TextData) -> float:
    counts = torch.bincount(data.train, minlength=len(data.vocabulary)).double()
    return math.exp(-(counts / counts.sum()).log()[data.valid].mean().item())


@pytest.mark.parametrize("cell", [NAS_CELL, "lstm", "gru"])
def test_a_child_learns_more_than_word_frequencies(cell: Architecture | BaselineCell) -> None:
    data = text_data()
    outcome = train_language_child(cell, data, TINY, 0, "cpu")
    assert outcome.metric < 0.6 * unigram_perplexity(data)
    assert outcome.metric == min(outcome.curve) and len(outcome.curve) == 2
    assert outcome.numerics == "float32" and outcome.seconds > 0


@pytest.mark.parametrize("dropout", [LanguageDropout(), GAL_LARGE])
def test_one_seed_gives_one_result_to_the_last_bit(dropout: LanguageDropout) -> None:
    recipe, data = replace(TINY, dropout=dropout), text_data()
    first = train_language_child(NAS_CELL, data, recipe, 5, "cpu")
    torch.rand(3)  # the state of the global generator does not matter
    again = train_language_child(NAS_CELL, data, recipe, 5, "cpu")
    other = train_language_child(NAS_CELL, data, recipe, 6, "cpu")
    assert first.curve == again.curve != other.curve


def train_elsewhere(seed: int) -> float:
    return train_language_child(NAS_CELL, text_data(), TINY, seed, "cpu").metric


@pytest.mark.slow
def test_two_processes_measure_the_same() -> None:
    here = train_elsewhere(3)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(train_elsewhere, [3, 3]) == [here, here]


def test_training_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    train_language_child("lstm", text_data(), TINY, 1, "cpu")
    assert torch.equal(torch.rand(1), expected)


def test_the_gradient_is_of_the_loss_summed_over_time_and_averaged_over_the_batch() -> None:
    """At zero weights: d loss / d bias_v = sum over t, mean over b of (1 / V - [y = v])."""
    data, recipe = text_data(), replace(TINY, clip_norm=1e9, init_scale=1e-12)
    training = LanguageTraining("lstm", data, recipe, 0)
    window = next(training.streams.windows(8))
    before = training.child.softmax.bias.detach().clone()
    training._step(window, None, rate=1.0)
    change = training.child.softmax.bias.detach() - before
    counts = torch.bincount(window.targets.flatten(), minlength=10)
    torch.testing.assert_close(change, (counts - 32 / 10) / 4, rtol=1e-4, atol=1e-5)


def test_a_unigram_bias_starts_a_child_at_the_frequency_of_words() -> None:
    data = text_data()
    recipe = replace(TINY, unigram_bias=True, init_scale=1e-9, learning_rate=1e-9)
    outcome = train_language_child("lstm", data, recipe, 0, "cpu")
    assert outcome.metric == pytest.approx(unigram_perplexity(data), rel=0.01)


def test_a_dead_child_is_told_at_once_and_measures_what_its_training_would_give() -> None:
    data, recipe = text_data(), replace(TINY, unigram_bias=True)
    dead = LanguageTraining(DEAD, data, recipe, 0)
    assert dead.is_dead()
    epochs: list[LanguageEpoch] = []
    (metric,) = dead.run(epochs.append)
    assert not epochs
    trained = train_language_child(DEAD, data, replace(TINY, epochs=6), 0, "cpu").metric
    assert metric == pytest.approx(unigram_perplexity(data), rel=0.01)
    assert metric == pytest.approx(trained, rel=0.05)


def test_on_a_gpu_two_windows_come_before_the_first_epoch_and_change_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They compile kernels outside of what a time limit counts; the GPU is imitated."""
    expected = LanguageTraining(NAS_CELL, text_data(), TINY, seed=1).run()
    training, done = LanguageTraining(NAS_CELL, text_data(), TINY, seed=1), list[str]()

    def noted(name: str) -> Callable[..., Any]:
        plain = getattr(training, name)

        def call(*given: Any) -> Any:
            done.append(name)
            return plain(*given)

        return call

    for name in ("is_dead", "_train_epoch"):
        monkeypatch.setattr(training, name, noted(name))
    monkeypatch.setattr(training, "device", SimpleNamespace(type="cuda"))
    monkeypatch.setattr(language_training, "seeded", lambda seed, device: seeded(seed))
    assert training.run() == expected
    assert done == ["is_dead", *["_train_epoch"] * 3]


@pytest.mark.parametrize("cell", [NAS_CELL, "lstm", "gru"])
def test_a_child_that_can_learn_is_not_dead(cell: Cell) -> None:
    assert not LanguageTraining(cell, text_data(), replace(TINY, init_scale=0.01), 0).is_dead()


def test_a_gradient_longer_than_the_limit_is_shortened_to_it() -> None:
    module = nn.Linear(2, 1, bias=False)
    before = module.weight.detach().clone()
    module.weight.grad = torch.tensor([[30.0, 40.0]])
    make_update(module, TINY)(0.5)
    change = module.weight.detach() - before
    torch.testing.assert_close(change, torch.tensor([[-1.5, -2.0]]), rtol=1e-4, atol=0)


def test_validation_carries_state_across_its_windows_and_counts_every_token() -> None:
    torch.manual_seed(0)
    model = LanguageModel(NAS_CELL, LanguageSizes(10, 6), GAL_LARGE, init_scale=0.8)
    text = torch.randint(10, (5003,))
    found = perplexity_of(model, evaluation_streams(text, 2, 0))
    assert model.training
    model.eval()
    inputs, total = torch.cat([torch.tensor([0]), text[:-1]]), 0.0
    for part in (slice(0, 2502), slice(2502, 5003)):  # two streams, the first one longer
        loss, _ = model.loss(inputs[part, None], text[part, None])
        total += loss.item()
    assert found == pytest.approx(math.exp(total / 5003), rel=1e-5)


def test_more_context_than_a_window_helps_through_the_carried_state() -> None:
    """The state of the first window reaches the second: without it the loss differs."""
    training = LanguageTraining("lstm", text_data(), TINY, 0)
    first, second, *_ = training.streams.windows(8)
    _, state = training.child.loss(first.inputs, first.targets)
    carried, _ = training.child.loss(second.inputs, second.targets, detach(state))
    fresh, _ = training.child.loss(second.inputs, second.targets)
    assert not torch.allclose(carried, fresh, rtol=1e-4)


def test_epochs_are_reported_and_only_the_last_are_validated() -> None:
    epochs: list[LanguageEpoch] = []
    curve = LanguageTraining("lstm", text_data(), TINY, 0).run(epochs.append)
    assert [epoch.number for epoch in epochs] == [1, 2, 3]
    assert [epoch.valid_perplexity for epoch in epochs] == [None, *curve]
    rates = [epoch.learning_rate for epoch in epochs]
    assert rates == pytest.approx([1.0, 1.0, 1 / 1.2])


@pytest.mark.parametrize(
    ("cell", "recipe"),
    [
        (EXPLODING, replace(TINY, init_scale=30.0, clip_norm=1e3)),
        (NAS_CELL, replace(TINY, learning_rate=1e5, clip_norm=1e5)),
    ],
)
def test_an_exploding_child_is_diverged(cell: CellArchitecture, recipe: LanguageRecipe) -> None:
    with pytest.raises(ChildDiverged):
        train_language_child(cell, text_data(), recipe, 0, "cpu")


def test_a_child_over_a_limit_is_not_trained() -> None:
    with pytest.raises(ChildTooLarge, match="parameters"):
        train_language_child("lstm", text_data(), replace(TINY, max_parameters=100), 0, "cpu")
    with pytest.raises(ChildTooLarge, match="memory"):
        train_language_child("lstm", text_data(), replace(TINY, max_memory_mb=0.001), 0, "cpu")


def test_a_slow_child_times_out() -> None:
    with pytest.raises(ChildTimeout, match="took over"):
        train_language_child("lstm", text_data(), replace(TINY, time_limit_s=1e-6), 0, "cpu")


def test_less_text_than_one_batch_is_refused() -> None:
    with pytest.raises(InvalidDatasetError, match="less than one batch of 4 x 8 = 32"):
        train_language_child("lstm", text_data(31), TINY, 0, "cpu")


def test_what_is_no_recurrent_cell_is_refused() -> None:
    with pytest.raises(InvalidArchitectureError, match="ConvArchitecture"):
        train_language_child(FIGURE_7, text_data(), TINY, 0, "cpu")
    wrong: Any = "rnn"
    with pytest.raises(ConfigurationError, match="'rnn'"):
        train_language_child(wrong, text_data(), TINY, 0, "cpu")


def test_adam_trains_too() -> None:
    recipe = replace(TINY, optimiser="adam", learning_rate=0.03)
    cell: Cell = "lstm"
    data = text_data()
    assert train_language_child(cell, data, recipe, 0, "cpu").metric < 0.6 * unigram_perplexity(
        data
    )


@pytest.mark.parametrize("cell", [NAS_CELL, "lstm"])
def test_bfloat16_learns_as_well_as_float32(cell: Architecture | BaselineCell) -> None:
    data, recipe = text_data(400), replace(TINY, numerics="bfloat16")
    outcome = train_language_child(cell, data, recipe, 0, "cpu")
    exact = train_language_child(cell, data, replace(TINY, numerics="float32"), 0, "cpu")
    assert outcome.numerics == "bfloat16"
    assert outcome.metric == pytest.approx(exact.metric, rel=0.1)


@pytest.mark.gpu
@pytest.mark.parametrize("numerics", ["float32", "bfloat16"])
@pytest.mark.parametrize("cell", [NAS_CELL, "lstm"])
def test_a_gpu_measures_what_the_cpu_does(cell: Architecture | BaselineCell, numerics: str) -> None:
    data, recipe = text_data(), replace(TINY, numerics=numerics)
    there = train_language_child(cell, data, recipe, 0, "cuda").metric
    here = train_language_child(cell, data, replace(TINY, numerics="float32"), 0, "cpu").metric
    assert there == pytest.approx(here, rel=0.1)
