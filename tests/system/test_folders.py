"""Paths as users write them: one meaning everywhere."""

from pathlib import Path

import pytest

from nas_env.errors import ConfigurationError, DatasetNotFoundError
from nas_env.evaluation.store import EvaluationStore
from nas_env.system.folders import cache_dir, data_folder, user_path
from nas_env.tasks.image_task import ImageTask


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_path("~/x") == tmp_path / "x" == data_folder("~/x")
    monkeypatch.setenv("NAS_ENV_CACHE", "~/c")
    assert cache_dir() == tmp_path / "c"


def test_a_relative_path_stays_that_of_the_folder_in_which_it_was_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Workers start later, and perhaps in another folder."""
    (there := tmp_path / "there").mkdir()
    monkeypatch.chdir(there)
    store, named = EvaluationStore("store.sqlite"), ImageTask("digits", data_dir="data")
    monkeypatch.setenv("NAS_ENV_DATA", "other")
    default, folder = ImageTask("digits"), ImageTask("own").dataset
    monkeypatch.chdir(tmp_path)
    assert store.path == there / "store.sqlite"
    assert (named.data_dir, default.data_dir) == (str(there / "data"), str(there / "other"))
    with pytest.raises(DatasetNotFoundError, match=f"at {there / 'own'}:"):
        folder.train(tmp_path)
    assert user_path("a") == tmp_path / "a"


def test_a_relative_path_where_the_current_folder_is_gone_is_one_message(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (gone := tmp_path / "gone").mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(ConfigurationError, match="'a' is relative, and the current folder is gone"):
        user_path("a")
    assert user_path(tmp_path) == tmp_path


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("", "A path is empty"),
        ("~nouser-of-this-name/x", "does not know: ~nouser-of-this-name.*write ./~nouser"),
        ("a\0b", "holds a zero byte"),
        ("\ud800", "cannot be that of a file"),
    ],
)
def test_a_path_that_cannot_be_is_one_message(path: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        user_path(path)


def test_no_other_file_makes_a_meaning_of_its_own_for_a_tilde() -> None:
    root = Path(__file__).parents[2]
    using = {
        str(path.relative_to(root))
        for top in ("nas_env", "agents", "baselines", "scripts")
        for path in (root / top).rglob("*.py")
        if "expanduser" in path.read_text(encoding="utf-8")
    }
    assert using == {"nas_env/system/folders.py"}
