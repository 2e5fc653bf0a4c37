"""A wandb server that is not there, is silent, or goes: a search loses seconds and no data."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import nas_env
from agents.search.search import Search, SearchSettings
from agents.tracking.server import chosen_mode, silence, within
from agents.tracking.tracker import WandbTracker
from tests.agents.tracking.tracked import SPACE, logged, no_account, search, worth
from tests.scripts.wandb_stub import WandbStub

pytestmark = pytest.mark.usefixtures("no_account")
__all__ = ["no_account"]  # a fixture
KEY = "0" * 40


@pytest.fixture
def deaf() -> Iterator[str]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_any_answer_is_an_answer_and_silence_is_told_from_it(deaf: str) -> None:
    assert "does not answer within 0.2 s" in silence(deaf, 0.2)
    assert "refused" in silence("http://127.0.0.1:9", 60)
    assert "no-scheme" in silence("no-scheme", 5)
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as refusing:  # all: 501
        threading.Thread(target=refusing.serve_forever, daemon=True).start()
        assert silence(f"http://127.0.0.1:{refusing.server_port}", 60) == ""
        refusing.shutdown()


@pytest.mark.parametrize(
    ("netrc", "key", "mode"),
    [("", "", "offline"), ("", KEY, "online"), (f"login user password {KEY}", "", "online")],
)
def test_online_is_chosen_where_a_key_is_set_up(
    netrc: str, key: str, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1 {netrc}\n" if netrc else "")
    monkeypatch.setenv("WANDB_API_KEY", key)
    assert chosen_mode()[0] == mode


def test_a_call_is_waited_for_so_long_and_its_error_is_raised() -> None:
    assert within(60, lambda: None)
    never = threading.Event()
    assert not within(0.01, never.wait)
    never.set()
    with pytest.raises(ZeroDivisionError):
        within(60, lambda: 1 / 0)


@pytest.mark.parametrize("there", [True, False])
def test_without_a_server_that_answers_a_search_is_offline_from_its_beginning(
    there: bool,
    deaf: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_BASE_URL", deaf if there else "http://127.0.0.1:9")
    result = search(WandbTracker(wait_s=0.2), tmp_path / "run")
    assert len(result.episodes) == 16
    said = capsys.readouterr().err
    assert "wandb records offline (the server cannot be used" in said
    assert f"wandb sync {tmp_path / 'run' / 'wandb' / 'offline-run-'}" in said
    assert len(logged(tmp_path / "run")[0]) == 2


@pytest.mark.slow  # wandb's own waits and start-up
def test_a_server_that_goes_silent_costs_seconds_and_the_whole_search_is_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    children = 0
    with WandbStub() as stub:

        def silenced(architecture: Any, seed: int) -> float:
            nonlocal children
            children += 1
            if children > 8:
                stub.mute.set()
            return worth(architecture, seed)

        monkeypatch.setenv("WANDB_API_KEY", KEY)
        monkeypatch.setenv("WANDB_BASE_URL", stub.url)
        env = nas_env.ArchitectureEnv(SPACE, silenced)
        found = Search(env, "reinforce", SearchSettings(children=24), tmp_path / "run")
        found.observers.add(WandbTracker(wait_s=0.5, finish_s=1.0))
        found.run()
    said = capsys.readouterr().err
    assert "server is lost" in said and "the whole search is on disk" in said
    rows, records = logged(tmp_path / "run")
    assert [row["children"] for row in rows] == [8, 16, 24]
    assert rows[-1]["episodes/nrows"] == 24
    assert "search" in {r.artifact.type for r in records}
    (name,) = stub.runs
    assert {r.run.run_id for r in records if r.WhichOneof("record_type") == "run"} == {name}


@pytest.mark.slow  # wandb's own start-up, three times
def test_wandb_sync_uploads_the_whole_of_a_resumed_search(tmp_path: Path) -> None:
    for children in (16, 32):
        env = nas_env.ArchitectureEnv(SPACE, worth)
        settings = SearchSettings(children=children, resume=children > 16)
        found = Search(env, "random", settings, tmp_path / "run")
        found.observers.add(WandbTracker())
        found.run()
    newest = sorted((tmp_path / "run" / "wandb").glob("offline-run-*"))[-1]
    with WandbStub() as stub:
        env_of_user = {**os.environ, "WANDB_BASE_URL": stub.url, "WANDB_API_KEY": KEY}
        command = [str(Path(sys.executable).with_name("wandb")), "sync", str(newest)]
        subprocess.run(command, env=env_of_user, check=True, capture_output=True, timeout=600)
    (run,) = stub.runs.values()
    assert [row["children"] for row in run.history] == [8, 16, 24, 32]
    assert run.exit_code == 0
    assert sorted(a["artifactTypeName"] for a in stub.artifacts) == ["run_table", "search"]
