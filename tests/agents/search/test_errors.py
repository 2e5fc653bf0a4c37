"""How a search ends that cannot go on: one message with what to do, and nothing finished lost."""

import difflib
import os
from pathlib import Path
from typing import Any

import pytest

import agents
from agents.commands.train import main
from nas_env.errors import ConfigurationError, StoreError
from nas_env.evaluation.store import EvaluationStore

TABLE = ["--env", "NAS-Digits-Table-v0", "--agent", "random", "--no-progress"]


def test_a_store_that_breaks_in_the_middle_of_an_update_loses_nothing_and_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trained: list[str] = []
    put = EvaluationStore.put

    def broken(self: EvaluationStore, key: Any, evaluation: Any, *_: Any) -> Any:
        if len(trained) == 11:
            raise StoreError("The store cannot be used: the disk is full.")
        trained.append(key.architecture)
        return put(self, key, evaluation)

    recipe = '{"name": "quick", "epochs": 1, "reward_epochs": 1, "train_images": 64}'
    flags = ["--env", "NAS-Digits-v0", "--recipe", recipe, "--num-layers", "2", "--agent", "random"]
    flags += ["--children", "16", "--evaluator", "local", "--no-progress"]
    place = ["--run-dir", str(tmp_path / "run")]
    with monkeypatch.context() as patch:
        patch.setattr(EvaluationStore, "put", broken)
        assert main([*flags, *place]) == 2
    error = capsys.readouterr().err
    assert error == (
        "error: The store cannot be used: the disk is full. 8 children are safe in "
        f"{tmp_path / 'run'}: when that is mended, resume with --resume --run-dir "
        f"{tmp_path / 'run'} (resume=True).\n"
    )
    again: list[str] = []

    def counted(self: EvaluationStore, key: Any, evaluation: Any, *_: Any) -> Any:
        again.append(key.architecture)
        return put(self, key, evaluation)

    monkeypatch.setattr(EvaluationStore, "put", counted)
    assert main(["--resume", *place]) == 0
    assert not {*trained} & {*again}, "a child in the store was trained again"
    assert len((tmp_path / "run" / "episodes.csv").read_text().splitlines()) == 17


@pytest.mark.parametrize(
    "empty", [["--run-dir", ""], ["--run-dir="], ["--folder", ""], ["--run_dir", ""]]
)
def test_an_empty_run_folder_is_refused_and_the_working_folder_stays_empty(
    empty: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*TABLE, "--children", "8", *empty]) == 2
    assert "is empty: name a file or folder" in capsys.readouterr().err
    with pytest.raises(ConfigurationError, match="is empty"):
        agents.run_search("NAS-Digits-Table-v0", "random", 8, run_dir="")
    assert os.listdir(tmp_path) == []


def test_a_name_of_a_million_characters_is_refused_without_being_compared(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With those that there are, letter by letter, which took 20 seconds."""
    name, compared = "x" * 1_000_000, [0]
    for side in ("set_seq1", "set_seq2"):
        real = getattr(difflib.SequenceMatcher, side)

        def watched(self: Any, text: str, real: Any = real) -> None:
            compared.append(len(text))
            real(self, text)

        monkeypatch.setattr(difflib.SequenceMatcher, side, watched)
    assert main([*TABLE, f"--{name}", "3"]) == 2
    assert main([*TABLE, "--agent", name]) == 2
    given: Any = {name: 3}
    with pytest.raises(ConfigurationError, match="Unknown hyper-parameter"):
        agents.run_search("NAS-Digits-Table-v0", "evolution", 8, **given)
    assert len(capsys.readouterr().err) < 2_000
    assert max(compared) < 1_000
