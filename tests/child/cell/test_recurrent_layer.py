"""RecurrentLayer takes and returns what torch.nn.LSTM does, and computes the cell step by step."""

import copy
import pickle

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from nas_env.child.cell.recurrent_cell import RecurrentCell
from nas_env.child.cell.recurrent_layer import RecurrentLayer
from nas_env.errors import ConfigurationError
from nas_env.space.published import MAX_SIN_CELL, NAS_CELL

State = tuple[Tensor, Tensor]
LENGTHS = (2, 5, 3)


def stepped(layer: RecurrentLayer, x: Tensor, state: State, index: int, suffix: str) -> Tensor:
    """One layer and direction of ``layer`` over (time, batch, features), cell by cell."""
    cell = RecurrentCell(layer.architecture, x.shape[-1], layer.hidden_size, bias=layer.bias)
    cell.load_state_dict(
        {name: getattr(layer, f"{name}_l{index}{suffix}") for name in cell.state_dict()}
    )
    outputs = []
    for x_t in x:
        state = cell(x_t, state)
        outputs.append(state[0])
    return torch.stack(outputs)


def grad_dtype(weight: Tensor) -> torch.dtype:
    assert weight.grad is not None
    return weight.grad.dtype


@pytest.mark.parametrize("bias", [False, True])
def test_stacked_layers_equal_cells_called_step_by_step(bias: bool) -> None:
    layer = RecurrentLayer(NAS_CELL, 4, 6, num_layers=2, bias=bias)
    x, h, c = torch.randn(5, 3, 4), torch.randn(2, 3, 6), torch.randn(2, 3, 6)
    expected = x
    for index in range(2):
        expected = stepped(layer, expected, (h[index], c[index]), index, "")
    output, (last_h, _) = layer(x, (h, c))
    torch.testing.assert_close(output, expected)
    torch.testing.assert_close(last_h[1], output[-1])


def test_backward_direction_reads_the_sequence_from_its_end() -> None:
    layer = RecurrentLayer(NAS_CELL, 4, 6, bidirectional=True)
    x, zeros = torch.randn(5, 3, 4), torch.zeros(3, 6)
    forwards = stepped(layer, x, (zeros, zeros), 0, "")
    backwards = stepped(layer, x.flip(0), (zeros, zeros), 0, "_reverse").flip(0)
    torch.testing.assert_close(layer(x)[0], torch.cat([forwards, backwards], dim=-1))


@pytest.mark.parametrize("form", ["batched", "batch_first", "unbatched", "packed"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_shapes_are_those_of_torch_lstm(form: str, bidirectional: bool) -> None:
    options = {"num_layers": 2, "batch_first": form == "batch_first"}
    layer = RecurrentLayer(NAS_CELL, 4, 6, bidirectional=bidirectional, **options)  # type: ignore[arg-type]
    lstm = torch.nn.LSTM(4, 6, bidirectional=bidirectional, **options)
    x = torch.randn(5, 4) if form == "unbatched" else torch.randn(5, 3, 4)
    if form == "packed":
        given = pack_padded_sequence(x, torch.tensor(LENGTHS), enforce_sorted=False)
        output, state = layer(given)
        expected, expected_state = lstm(given)
        assert output.data.shape == expected.data.shape
    else:
        output, state = layer(x)
        expected, expected_state = lstm(x)
        assert output.shape == expected.shape
    assert [part.shape for part in state] == [part.shape for part in expected_state]
    again = layer(given if form == "packed" else x, state)
    assert again[1][0].shape == state[0].shape


@pytest.mark.parametrize("bidirectional", [False, True])
def test_packed_sequences_equal_each_sequence_alone(bidirectional: bool) -> None:
    layer = RecurrentLayer(MAX_SIN_CELL, 4, 6, num_layers=2, bidirectional=bidirectional)
    layers = layer.num_layers * layer.num_directions
    x, h, c = torch.randn(5, 3, 4), torch.randn(layers, 3, 6), torch.randn(layers, 3, 6)
    packed = pack_padded_sequence(x, torch.tensor(LENGTHS), enforce_sorted=False)
    output, (last_h, last_c) = layer(packed, (h, c))
    padded, _ = pad_packed_sequence(output)
    for row, length in enumerate(LENGTHS):
        alone, (alone_h, alone_c) = layer(x[:length, row], (h[:, row], c[:, row]))
        torch.testing.assert_close(padded[:length, row], alone)
        torch.testing.assert_close(last_h[:, row], alone_h)
        torch.testing.assert_close(last_c[:, row], alone_c)


def test_batch_first_only_transposes() -> None:
    layer = RecurrentLayer(NAS_CELL, 4, 6)
    x = torch.randn(5, 3, 4)
    expected, _ = layer(x)
    layer.batch_first = True
    output, (last_h, _) = layer(x.transpose(0, 1))
    torch.testing.assert_close(output, expected.transpose(0, 1))
    assert last_h.shape == (1, 3, 6)


def test_carrying_the_state_continues_the_sequence() -> None:
    layer = RecurrentLayer(NAS_CELL, 4, 6, num_layers=2)
    x = torch.randn(6, 3, 4)
    whole, _ = layer(x)
    first, state = layer(x[:4])
    second, _ = layer(x[4:], state)
    torch.testing.assert_close(torch.cat([first, second]), whole)


def test_dropout_acts_between_layers_in_training_only() -> None:
    layer = RecurrentLayer(NAS_CELL, 4, 64, num_layers=2, dropout=0.5)
    x = torch.randn(5, 3, 4)
    assert not torch.equal(layer(x)[0], layer(x)[0])
    layer.eval()
    assert torch.equal(layer(x)[0], layer(x)[0])
    with pytest.warns(UserWarning, match="does nothing with num_layers=1"):
        RecurrentLayer(NAS_CELL, 4, 6, dropout=0.5)


def test_variational_dropout_keeps_one_mask_over_the_sequence() -> None:
    layer = RecurrentLayer(NAS_CELL, 4, 64, num_layers=2, dropout=0.5, variational=True)
    rows = layer._drop(torch.ones(6, 64), (2, 2, 1, 1)) == 0
    assert torch.equal(rows[0], rows[2]) and torch.equal(rows[0], rows[5])
    assert torch.equal(rows[1], rows[3]) and not torch.equal(rows[0], rows[1])


def test_recurrent_dropout_hides_the_same_units_at_every_step() -> None:
    torch.manual_seed(0)
    layer = RecurrentLayer(NAS_CELL, 4, 6, recurrent_dropout=0.5)
    x, zeros = torch.randn(5, 3, 4), torch.zeros(3, 6)
    torch.manual_seed(1)
    output, _ = layer(x)
    torch.manual_seed(1)
    mask = torch.nn.functional.dropout(torch.ones(3, 6), 0.5)
    cell = RecurrentCell(NAS_CELL, 4, 6)
    cell.load_state_dict({"weight_x": layer.weight_x_l0, "weight_h": layer.weight_h_l0})
    hidden, memory = zeros, zeros
    for step, x_t in enumerate(x):
        hidden, memory = cell(x_t, (hidden * mask, memory))
        torch.testing.assert_close(output[step], hidden)
    layer.eval()
    assert torch.equal(layer(x)[0], layer(x)[0])


def test_state_dict_has_plain_names_and_survives_copying() -> None:
    layer = RecurrentLayer(NAS_CELL, 4, 6, num_layers=2, bias=True)
    names = [f"{kind}_l{n}" for n in (0, 1) for kind in ("weight_x", "weight_h", "bias")]
    assert list(layer.state_dict()) == names
    x = torch.randn(5, 3, 4)
    for copied in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(copied(x)[0], layer(x)[0])
    other = RecurrentLayer(NAS_CELL, 4, 6, num_layers=2, bias=True)
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other(x)[0], layer(x)[0])


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # torch's own
def test_a_compiled_model_may_contain_a_layer() -> None:
    layer = RecurrentLayer(NAS_CELL, 4, 6)
    x = torch.randn(5, 3, 4)
    compiled = torch.compile(layer, backend="eager")
    torch.testing.assert_close(compiled(x)[0], layer(x)[0])


def test_training_reduces_a_loss() -> None:
    torch.manual_seed(0)
    layer = RecurrentLayer(NAS_CELL, 4, 16, num_layers=2)
    optimizer = torch.optim.Adam(layer.parameters(), 0.01)
    x = torch.randn(5, 8, 4)
    target = torch.tanh(x.cumsum(0)).repeat(1, 1, 4)  # (time, batch, hidden)
    losses = []
    for _ in range(60):
        loss = (layer(x)[0] - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


def test_bfloat16_autocast_stays_close_to_float32() -> None:
    layer = RecurrentLayer(NAS_CELL, 32, 32)
    x = torch.randn(5, 3, 32)
    expected = layer(x)[0]
    with torch.autocast("cpu", torch.bfloat16):
        output = layer(x)[0]
    assert output.dtype == torch.float32
    torch.testing.assert_close(output, expected, atol=0.05, rtol=0.05)
    output.sum().backward()
    assert {grad_dtype(weight) for weight in layer.parameters()} == {torch.float32}


def test_a_bfloat16_module_runs_in_bfloat16() -> None:
    layer = RecurrentLayer(NAS_CELL, 8, 8).bfloat16()
    output, (last_h, _) = layer(torch.randn(5, 3, 8, dtype=torch.bfloat16))
    output.sum().backward()
    assert output.dtype == last_h.dtype == torch.bfloat16
    assert {grad_dtype(weight) for weight in layer.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_layers": 0}, "num_layers is 0"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"recurrent_dropout": -0.1}, "recurrent_dropout is -0.1"),
    ],
)
def test_bad_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        RecurrentLayer(NAS_CELL, 4, 6, **options)  # type: ignore[arg-type]


def test_wrong_shapes_are_refused_with_both_shapes() -> None:
    layer = RecurrentLayer(NAS_CELL, 4, 6)
    with pytest.raises(ConfigurationError, match=r"\(time, batch, 4\).* got \(5, 3, 7\)"):
        layer(torch.zeros(5, 3, 7))
    with pytest.raises(ConfigurationError, match=r"h_0 of shape \(1, 3, 6\).* got \(1, 2, 6\)"):
        layer(torch.zeros(5, 3, 4), (torch.zeros(1, 2, 6), torch.zeros(1, 2, 6)))
    with pytest.raises(ConfigurationError, match=r"is torch.int64, .* torch.float32"):
        layer(torch.zeros(5, 3, 4, dtype=torch.int64))
    with pytest.raises(ConfigurationError, match=r"on cpu, but hidden_0 on meta"):
        layer(torch.zeros(5, 3, 4), (torch.zeros(1, 3, 6, device="meta"),) * 2)
    with pytest.raises(ConfigurationError, match="non-empty"):
        layer(torch.zeros(0, 3, 4))
