"""What the tests of tracking share: a small search, a machine without an account, the records."""

import json
import os
import struct
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
import wandb

import nas_env
from agents.records.episode import SearchResult
from agents.search.search import Search, SearchSettings

CHOICE = "Test-Tracked-v0"
SPACE = nas_env.ChoiceSpace({"width": [1, 2, 3], "depth": [1, 2, 3]})
BLOCK, HEADER = 32_768, 7
"""Of a .wandb file, which is a LevelDB log."""


def worth(architecture: Any, seed: int) -> float:
    if architecture["depth"] == 3:
        raise ValueError("too deep")
    return float(architecture["width"]) / 3


def make_choice(**arguments: Any) -> nas_env.ArchitectureEnv:
    return nas_env.ArchitectureEnv(SPACE, worth)


@pytest.fixture
def no_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine without an account, in a folder of the test's own."""
    for name in ("API_KEY", "MODE", "PROJECT", "ENTITY", "SWEEP_ID", "RUN_ID"):
        monkeypatch.delenv(f"WANDB_{name}", raising=False)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")  # nobody listens
    for name in ("CONFIG_DIR", "DATA_DIR", "CACHE_DIR"):
        monkeypatch.setenv(f"WANDB_{name}", str(tmp_path / "wandb-home"))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    gym.register(CHOICE, make_choice)
    yield
    if "WANDB_API_KEY" in os.environ:
        wandb.teardown()  # it remembers the key
    del gym.registry[CHOICE]


def records(path: Path) -> Iterator[Any]:
    """What wandb wrote, record by record."""
    messages: Any = import_module("wandb.proto.wandb_internal_pb2")
    data, at, whole = path.read_bytes(), HEADER, b""
    while at + HEADER <= len(data):
        left = BLOCK - at % BLOCK
        if left < HEADER:
            at += left
            continue
        _, size, kind = struct.unpack("<IHB", data[at : at + HEADER])
        if at + HEADER + size > len(data):  # still being written
            return
        whole += data[at + HEADER : at + HEADER + size]
        at += HEADER + size
        if kind in (1, 4):  # whole, or the last part
            record = messages.Record()
            record.ParseFromString(whole)
            yield record
            whole = b""


def logged(run: Path) -> tuple[list[dict[str, Any]], list[Any]]:
    """The rows of history and all records of the newest wandb run of a run folder."""
    (file,) = sorted((run / "wandb").glob("offline-run-*"))[-1].glob("*.wandb")
    found = finished_records(file)
    rows = [
        {"/".join(i.nested_key) or i.key: json.loads(i.value_json) for i in record.history.item}
        for record in found
        if record.WhichOneof("record_type") == "history"
    ]
    return rows, found


def finished_records(file: Path, longest_s: float = 600.0) -> list[Any]:
    """All records, once the last is there: wandb's service writes on after ``finish``."""
    end = time.monotonic() + longest_s
    while True:
        found = list(records(file))
        ended = any(record.WhichOneof("record_type") == "exit" for record in found)
        if ended or time.monotonic() > end:
            return found
        time.sleep(0.02)


def search(observer: Any, run_dir: Path | None = None) -> SearchResult:
    found = Search(make_choice(), "reinforce", SearchSettings(children=16), run_dir)
    found.observers.add(observer)
    return found.run()
