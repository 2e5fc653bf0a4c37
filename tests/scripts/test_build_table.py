"""Building a table from real trainings: resumable, repeatable, test figures apart."""

from pathlib import Path

import numpy as np
import pytest

import nas_env
from nas_env.evaluation.store import EvaluationStore
from nas_env.tables.file import read_table
from nas_env.tables.held_out import load_held_out_metrics
from scripts import build_table
from scripts.build_table import BuildOptions, main

TINY = {
    "kind": "conv",
    "num_layers": 1,
    "max_layers": 1,
    "filter_sizes": [1, 3],
    "filters": [36],
}


@pytest.mark.slow
def test_a_build_resumes_and_holds_what_evaluate_measures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build_table, "SPACE", TINY)
    recipe = {**build_table.RECIPE, "train_images": 64}
    monkeypatch.setattr(build_table, "RECIPE", recipe)
    output, store = tmp_path / "tiny.npz", tmp_path / "build.sqlite"
    options = BuildOptions(output, store, trainings=2, workers=1, limit=3)
    assert main(options) == 3 and not output.exists()
    assert len(EvaluationStore(store)) == 3
    assert main(BuildOptions(output, store, trainings=2, workers=1)) == 0
    assert "8 trainings, 5 of them to be done" in capsys.readouterr().out
    table = read_table(output)
    assert table.metrics.shape == (4, 2) and table.parameters is not None
    for training in range(2):
        found = nas_env.evaluate(table.architecture(3), "digits", recipe, training, device="cpu")
        assert found.metric == pytest.approx(table.metrics[3, training], abs=1e-6)
        assert found.parameters == table.parameters[3]
    figures = load_held_out_metrics(output)
    whole = figures * 360  # images
    assert figures.shape == (4, 2) and np.allclose(whole, np.round(whole), atol=1e-3)
    assert {"command", "versions", "hardware", "recipe", "begun"} <= set(table.about)
    searching = nas_env.evaluate(
        table.architecture(3), "digits", recipe, 0, device="cpu", store=store
    )
    assert not searching.cached  # the build's results have keys of their own
