"""The example that turns a published benchmark into a table."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from nas_env.tables.file import read_table
from nas_env.tables.held_out import load_held_out_metrics
from scripts.examples.table_of_nas_bench_macro import MacroOptions, main


def test_members_keep_their_accuracies_in_whatever_order_they_come(tmp_path: Path) -> None:
    tokens = np.array(list(product(range(3), repeat=8)))[::-1]
    worth = tokens @ 3 ** np.arange(8)[::-1] / 100  # percent: the member's number / 100
    source, output = tmp_path / "in.npz", tmp_path / "out.npz"
    np.savez(source, arch=tokens, acc_seeds=np.stack([worth, worth, worth + 1], axis=1))
    assert main(MacroOptions(source, output)) == 0
    table = read_table(output)
    assert table.metrics.shape == (6561, 2)
    np.testing.assert_allclose(table.metrics[:, 0], np.arange(6561) / 1e4, atol=1e-6)
    np.testing.assert_allclose(load_held_out_metrics(output)[5], 105 / 1e4, atol=1e-6)


def test_a_file_that_is_none_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(MacroOptions(tmp_path / "none.npz", tmp_path / "out.npz")) == 2
    assert "none.npz" in capsys.readouterr().err
