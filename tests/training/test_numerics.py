"""Numerics: timed once per machine, remembered, robust against noise and read-only homes."""

import json
import math
from pathlib import Path

import pytest
import torch

from nas_env.errors import ConfigurationError
from nas_env.system.threads import one_torch_thread
from nas_env.training import machine_choice
from nas_env.training.image_numerics import (
    NUMERICS,
    Numerics,
    choose_numerics,
    resolve_device,
    time_numerics,
)
from nas_env.training.machine_choice import pick, record_path, remembered_choice

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_ENV_CACHE", str(tmp_path / "cache"))


def test_the_simplest_wins_unless_another_is_clearly_faster() -> None:
    assert pick({"float32": 1.0, "float32-channels_last": 0.95}) == "float32"
    assert pick({"float32": 1.0, "float32-channels_last": 0.8}) == "float32-channels_last"
    slow = {"float32": 1.0, "float32-channels_last": 0.8, "bfloat16-channels_last": 9.0}
    assert pick(slow) == "float32-channels_last"
    fast = slow | {"bfloat16-channels_last": 0.4}
    assert pick(fast) == "bfloat16-channels_last"


def test_every_candidate_is_timed() -> None:
    seconds = time_numerics(CPU, rounds=1)
    assert tuple(seconds) == NUMERICS
    assert all(0 < value < math.inf for value in seconds.values())


def test_choice_is_made_once_and_survives_the_process(tmp_path: Path) -> None:
    calls: list[torch.device] = []

    def timing(device: torch.device) -> dict[str, float]:
        calls.append(device)
        return {"plain": 2.0, "better": 1.0, "worse": 3.0}

    assert remembered_choice("test", CPU, timing) == "better"
    machine_choice._choose.cache_clear()  # as a new process
    assert remembered_choice("test", CPU, timing) == "better"
    assert len(calls) == 1
    (record,) = (tmp_path / "cache" / "choices").iterdir()
    assert "torch" in json.loads(record.read_text())["machine"]


def test_a_record_of_another_version_does_not_choose_unknown_numerics() -> None:
    record = record_path("image-numerics", CPU)
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"choice": "float8"}))
    assert choose_numerics(CPU) == "float32"


def test_damaged_record_is_measured_again() -> None:
    record = record_path("test", CPU)
    record.parent.mkdir(parents=True)
    record.write_text("{")
    assert remembered_choice("test", CPU, lambda device: {"plain": 1.0}) == "plain"
    assert json.loads(record.read_text())["choice"] == "plain"


def test_read_only_home_keeps_the_choice_for_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NAS_ENV_CACHE", str(tmp_path / "file" / "cache"))
    answers = iter([{"plain": 1.0}, {"other": 1.0}])

    def timing(device: torch.device) -> dict[str, float]:
        return next(answers)

    assert [remembered_choice("test", CPU, timing) for _ in range(2)] == ["plain", "plain"]


def test_one_thread_inside_and_as_before_outside() -> None:
    before = torch.get_num_threads()
    with one_torch_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_unknown_numerics_and_devices_say_what_is_known() -> None:
    with pytest.raises(ConfigurationError, match="bfloat16-channels_last"):
        Numerics("float8")
    for device in ("quantum", "cuda:x", "meta"):
        with pytest.raises(ConfigurationError, match=f"'{device}'.*'auto', 'cpu', 'cuda'"):
            resolve_device(device)


def test_bfloat16_computes_in_bfloat16_and_float32_does_not() -> None:
    weight = torch.ones(4, 4)
    with Numerics("bfloat16-channels_last").autocast(CPU):
        assert (weight @ weight).dtype == torch.bfloat16
    with Numerics("float32-channels_last").autocast(CPU):
        assert (weight @ weight).dtype == torch.float32
