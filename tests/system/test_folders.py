"""Paths as users write them: one meaning everywhere."""

from pathlib import Path

import pytest

from nas_env.errors import ConfigurationError
from nas_env.system.folders import cache_dir, data_folder, user_path


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_path("~/x") == tmp_path / "x" == data_folder("~/x")
    assert user_path(Path("a")) == Path("a")
    monkeypatch.setenv("NAS_ENV_CACHE", "~/c")
    assert cache_dir() == tmp_path / "c"


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
