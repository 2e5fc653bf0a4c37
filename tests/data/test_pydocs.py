from pathlib import Path

from nas_env.data.pydocs import read_pydocs
from nas_env.data.text import TextSelection, load_text, text_digest


def test_no_paragraph_is_in_two_parts() -> None:
    train, valid, test = (
        set(read_pydocs(Path(), part).splitlines()) for part in ("train", "valid", "test")
    )
    assert train and valid and test
    assert not (train & valid or train & test or valid & test)


def test_the_same_text_every_time() -> None:
    first = load_text("pydocs")
    assert first.train.tolist() == load_text("pydocs").train.tolist()
    assert text_digest("pydocs") == text_digest("pydocs", "elsewhere")


def test_sizes_suit_a_language_model_without_any_download() -> None:
    data = load_text("pydocs", selection=TextSelection(vocabulary_size=1000))
    assert len(data.vocabulary) == 1000
    assert len(data.train) > 40_000 and len(data.valid) > 4_000
    unknown = data.vocabulary.ids["<unk>"]
    assert (data.valid == unknown).float().mean() < 0.25
