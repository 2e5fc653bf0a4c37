"""The damage itself: every kind changes the file, and a seed always does the same."""

import random
from pathlib import Path

import pytest

from tests.faults.damage import CONTENTS, KINDS, PLACES, cases, damage

TEXT = "".join(f"{number},some text,{number / 7}\n" for number in range(40)).encode()


def damaged(path: Path, kind: str, seed: int) -> bytes | None:
    path.unlink(missing_ok=True)
    path.write_bytes(TEXT)
    other = path.with_name("other")
    other.write_bytes(b"of another run\n")
    assert damage(path, random.Random(seed), [kind], other).startswith(f"{path.name}: {kind}")
    return path.read_bytes() if path.is_file() and not path.is_symlink() else None


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in PLACES])
@pytest.mark.parametrize("seed", range(5))
def test_damage_changes_the_bytes_and_a_seed_does_the_same_again(
    kind: str, seed: int, tmp_path: Path
) -> None:
    first = damaged(tmp_path / "file", kind, seed)
    assert first not in (None, TEXT)
    assert damaged(tmp_path / "file", kind, seed) == first


def test_something_else_stands_where_the_file_was(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for number, kind in enumerate(sorted({*PLACES} - {"permission"})):
        path = tmp_path / str(number)
        path.write_bytes(TEXT)
        damage(path, random.Random(0), [kind])
        assert not path.exists() or path.is_dir(), kind


def test_damage_is_found_for_an_empty_file(tmp_path: Path) -> None:
    for seed in range(20):
        path = tmp_path / str(seed)
        path.write_bytes(b"")
        damage(path, random.Random(seed), [kind for kind in CONTENTS])
        assert path.read_bytes()


def test_the_number_of_cases_is_that_of_ci_or_of_the_issue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NAS_ENV_FAULTS", raising=False)
    assert cases(150, 1000) == 150
    monkeypatch.setenv("NAS_ENV_FAULTS", "all")
    assert cases(150, 1000) == 1000
    monkeypatch.setenv("NAS_ENV_FAULTS", "7")
    assert cases(150, 1000) == 7
