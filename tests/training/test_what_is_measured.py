"""What a metric is of: the best of the last epochs, and a text read with carried state."""

from pathlib import Path

import pytest
import torch

import nas_env
from nas_env.child.language.model import LanguageModel
from nas_env.child.language.size import LanguageSizes
from nas_env.evaluation.store import EvaluationStore
from nas_env.space.conv_architecture import ConvArchitecture, Convolution
from nas_env.training import language_evaluation
from nas_env.training.language_evaluation import perplexity_of
from nas_env.training.language_windows import evaluation_streams

NETWORK = ConvArchitecture((Convolution(3, 3, 8),))


def test_an_accuracy_is_the_best_of_the_last_epochs_and_not_of_the_last_one() -> None:
    """Section 4.1: "the maximum validation accuracy of the last 5 epochs"."""
    recipe = {
        "name": "quick",
        "epochs": 7,
        "reward_epochs": 5,
        "train_images": 64,
        "learning_rate": 0.3,
        "numerics": "float32",
    }
    falling = 0
    for seed in range(4):
        found = nas_env.evaluate(NETWORK, "digits", recipe, seed)
        assert len(found.curve) == 5
        assert found.metric == max(found.curve)
        falling += found.curve[-1] < max(found.curve)
    assert falling > 0, "none of these children tells the two apart"


def test_a_perplexity_is_the_lowest_of_the_last_epochs_and_not_of_the_last_one() -> None:
    recipe = {
        "name": "quick",
        "epochs": 6,
        "reward_epochs": 5,
        "train_tokens": 2000,
        "valid_tokens": 800,
        "hidden_size": 16,
        "learning_rate": 0.05,
        "cooldown": 0.0,
        "numerics": "float32",
    }
    falling = 0
    for seed in range(3):
        found = nas_env.evaluate(nas_env.published.NAS_CELL, "pydocs", recipe, seed)
        assert found.metric == min(found.curve)
        falling += found.curve[-1] > min(found.curve)
    assert falling > 0, "none of these children tells the two apart"


@pytest.mark.parametrize("rows", [7, 40, 1000])
def test_a_validation_text_is_read_with_the_state_of_what_came_before(
    rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However it is cut into windows, every token is predicted from all before it."""
    torch.manual_seed(0)
    child = LanguageModel(nas_env.published.NAS_CELL, LanguageSizes(30, 12), init_scale=1.0)
    text = torch.randint(30, (203,))
    streams = evaluation_streams(text, 4, end_of_line=0)
    monkeypatch.setattr(language_evaluation, "EVALUATION_ROWS", 10_000)
    whole = perplexity_of(child, streams)
    monkeypatch.setattr(language_evaluation, "EVALUATION_ROWS", rows)
    assert perplexity_of(child, streams) == pytest.approx(whole, rel=1e-5)


def test_a_committed_row_survives_a_power_cut(tmp_path: Path) -> None:
    """``synchronous=FULL`` (2): a commit waits until the disk has it."""
    with EvaluationStore(f"{tmp_path}/store.sqlite") as store, store._reading() as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
