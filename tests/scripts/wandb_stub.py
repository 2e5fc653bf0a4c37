"""A wandb server on 127.0.0.1, as much of it as a sweep needs: it keeps what it is told."""

import contextlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

ENTITY, PROJECT, SWEEP = "someone", "nas_env", "sweep1"
PROJECT_REPLY = {"id": "p1", "name": PROJECT, "entity": {"id": "e1", "name": ENTITY}}


@dataclass
class Run:
    """One run as the server knows it.

    Attributes:
        exit_code: None until the run is finished.
    """

    config: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    files: set[str] = field(default_factory=set)
    exit_code: int | None = None


Stops = Callable[[str, Mapping[str, Run]], bool]


class WandbStub:
    """Hands out trials one after another and records the runs.

    Args:
        trials: the parameters of each trial.
        stops: whether the trial of this name is to be stopped, asked whenever it logs something.

    Attributes:
        mute: once set, connections are taken and nothing is answered.
    """

    def __init__(self, trials: Sequence[dict[str, Any]] = (), stops: Stops | None = None) -> None:
        self.trials, self.stops = trials, stops
        self.mute, self._over = threading.Event(), threading.Event()
        self.sweep: str = ""
        self.runs: dict[str, Run] = {}
        self.artifacts: list[dict[str, Any]] = []
        self.agent_states: dict[str, str] = {}
        self._given = 0
        self._stopped: set[str] = set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "WandbStub":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    def graphql(self, query: str, given: dict[str, Any]) -> dict[str, Any]:
        """Answer one query."""
        words = query.replace("(", " ").replace("{", " ").split()
        answer = getattr(self, f"_{words[1].lower()}", None)
        return answer(given) if answer else {}

    def stream(self, name: str, sent: dict[str, Any]) -> None:
        """Take what a run streams."""
        run = self.runs.setdefault(name, Run())
        for line in sent.get("files", {}).get("wandb-history.jsonl", {}).get("content", []):
            run.history.append(json.loads(line))
            if self.stops is not None and self.stops(name, self.runs):
                self._stopped.add(name)  # told at the agent's next heartbeat
        if sent.get("complete"):
            run.exit_code = int(sent["exitcode"])

    def _viewer(self, _: dict[str, Any]) -> dict[str, Any]:
        teams: dict[str, Any] = {"edges": []}
        names = {"id": "u1", "entity": ENTITY, "username": ENTITY, "email": "", "flags": "{}"}
        return {"viewer": {**names, "teams": teams}}

    _getviewer = _viewer

    def _serverfeaturesquery(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"serverInfo": {"features": []}}

    def _upsertsweep(self, given: dict[str, Any]) -> dict[str, Any]:
        self.sweep = given["config"]
        sweep = {"name": SWEEP, "project": PROJECT_REPLY}
        return {"upsertSweep": {"sweep": sweep, "configValidationWarnings": []}}

    def _sweepwithruns(self, _: dict[str, Any]) -> dict[str, Any]:
        sweep = {"id": "s1", "name": SWEEP, "config": self.sweep, "runs": {"edges": []}}
        return {"project": {"sweep": sweep}}

    def _createagent(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"createAgent": {"agent": {"id": "a1"}}}

    def _heartbeat(self, given: dict[str, Any]) -> dict[str, Any]:
        states = json.loads(given["runState"])
        self.agent_states |= states
        commands = json.dumps(self._commands(states))
        return {"agentHeartbeat": {"agent": {"id": "a1"}, "commands": commands}}

    def _commands(self, states: dict[str, str]) -> list[dict[str, Any]]:
        running = f"trial{self._given - 1}"
        if running in states:
            if running in self._stopped:
                return [{"id": "c", "type": "stop", "run_id": running}]
            return []
        if self._given == len(self.trials):
            return [{"id": "c", "type": "exit"}]
        arguments = {name: {"value": value} for name, value in self.trials[self._given].items()}
        command = {"id": "c", "type": "run", "run_id": f"trial{self._given}", "args": arguments}
        self._given += 1
        return [{**command, "program": _program(self.sweep)}]

    def _upsertbucket(self, given: dict[str, Any]) -> dict[str, Any]:
        run = self.runs.setdefault(given["name"], Run())
        run.config |= json.loads(given.get("config") or "{}")
        bucket = {"id": f"r-{given['name']}", "name": given["name"], "displayName": given["name"]}
        bucket |= {"description": "", "config": "{}", "sweepName": SWEEP, "historyLineCount": 0}
        return {"upsertBucket": {"bucket": {**bucket, "project": PROJECT_REPLY}, "inserted": True}}

    def _createrunfiles(self, given: dict[str, Any]) -> dict[str, Any]:
        self.runs[given["run"]].files |= set(given["files"])
        files = [{"name": name, "uploadUrl": f"{self.url}/upload"} for name in given["files"]]
        return {"createRunFiles": {"runID": "r", "uploadHeaders": [], "files": files}}

    def _artifacttype(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"project": {"artifact": None}}  # no artifact of that name yet

    def _createartifact(self, given: dict[str, Any]) -> dict[str, Any]:
        self.artifacts.append(given["input"])
        sequence = {"id": "q1", "latestArtifact": None}  # committed: there is nothing to upload
        artifact = {"id": "f1", "state": "COMMITTED", "artifactSequence": sequence}
        return {"createArtifact": {"artifact": artifact}}

    def wait_if_mute(self) -> None:
        """Keep back an answer until the end."""
        if self.mute.is_set():
            self._over.wait()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        return type("Handler", (_Handler,), {"stub": self})


class _Handler(BaseHTTPRequestHandler):
    stub: WandbStub

    def handle_one_request(self) -> None:
        with contextlib.suppress(OSError):  # the other side has given up
            super().handle_one_request()
            return
        self.close_connection = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = unquote(urlsplit(self.path).path)
        answer: dict[str, Any] = {}
        if path == "/graphql":
            sent = json.loads(body)
            answer = {"data": self.stub.graphql(sent["query"], sent.get("variables") or {})}
        elif path.endswith("/file_stream"):
            self.stub.stream(path.split("/")[-2], json.loads(body))
        self._answer(answer)

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer({})

    def do_GET(self) -> None:
        self._answer({})

    def _answer(self, answer: dict[str, Any]) -> None:
        self.stub.wait_if_mute()
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _program(sweep: str) -> str:
    return next(line.partition(":")[2].strip() for line in sweep.splitlines() if "program:" in line)
