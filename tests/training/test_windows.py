import pytest
import torch

from nas_env.errors import InvalidDatasetError
from nas_env.training.language_windows import evaluation_streams, training_streams

END = 99


@pytest.mark.parametrize("steps", [1, 3, 7, 35])
def test_training_windows_predict_every_token_of_the_matrix_once(steps: int) -> None:
    text = torch.arange(23)
    streams = training_streams(text, batch=4, end_of_line=END)
    windows = list(streams.windows(steps))
    targets = torch.cat([window.targets for window in windows])
    assert sorted(targets.flatten().tolist()) == list(range(20))
    assert targets[:, 1].tolist() == [5, 6, 7, 8, 9]  # each stream is consecutive text
    assert all(len(window.inputs) == steps for window in windows[:-1])


def test_the_input_is_the_token_before_and_the_first_is_an_end_of_line() -> None:
    streams = training_streams(torch.arange(8), batch=2, end_of_line=END)
    assert streams.inputs.t().tolist() == [[END, 0, 1, 2], [3, 4, 5, 6]]
    assert streams.targets.t().tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_windows_are_views_of_one_resident_matrix() -> None:
    streams = training_streams(torch.arange(100), batch=5, end_of_line=END)
    for window in streams.windows(6):
        assert window.inputs.is_contiguous()
        storage = window.inputs.untyped_storage().data_ptr()
        assert storage == streams.inputs.untyped_storage().data_ptr()


@pytest.mark.parametrize(("tokens", "batch"), [(23, 4), (20, 4), (3, 10), (1, 1), (19, 10)])
def test_evaluation_predicts_every_token_once_with_its_true_predecessor(
    tokens: int, batch: int
) -> None:
    text = torch.arange(tokens)
    streams = evaluation_streams(text, batch, END)
    pairs: list[tuple[int, int]] = []
    for window in streams.windows(2):
        pairs += zip(
            window.inputs.flatten().tolist(), window.targets.flatten().tolist(), strict=True
        )
    assert sorted(target for _, target in pairs) == list(range(tokens))
    assert all(before == (target - 1 if target else END) for before, target in pairs)


def test_the_rest_continues_the_first_streams() -> None:
    streams = evaluation_streams(torch.arange(11), 4, END)
    assert streams.rest is not None
    assert streams.targets[-1].tolist() == [1, 4, 7, 10]
    assert streams.rest.targets.tolist() == [[2, 5, 8]]


def test_less_text_than_streams_is_refused() -> None:
    with pytest.raises(InvalidDatasetError, match="3 tokens, too few for 4 streams"):
        training_streams(torch.arange(3), 4, END)
