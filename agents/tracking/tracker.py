"""Weights & Biases: a search's figures per update, its episodes, its best architecture.

Online only where an account is set up, and never at the price of the search: without an account,
or with a server that does not answer within seconds, the same is recorded offline in the run
folder, for ``wandb sync``. wandb itself samples processor, GPU and network every 15 s.
"""

import contextlib
import json
import os
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agents.observer import SearchStart
from agents.records.episode import Episode, SearchResult
from agents.tracking.figures import Figures, earlier_rows, memory_gb
from agents.tracking.server import chosen_mode, server_url, silence, within
from nas_env.errors import NasEnvError
from nas_env.space.architecture_json import architecture_from_json
from nas_env.system.files import write_durably

PROJECT = "nas_env"
IDENTITY = "tracking.json"
"""In the run folder: which wandb run it is, so that a resume continues it."""
WAIT_S = 4.0
"""Longest wait for any answer of the server, at the beginning and at the end."""
FINISH_S = 10.0
"""Longest wait for the table and the artifact to be taken, and again for uploads to end."""
TABLE = (
    *("number", "metric", "reward", "state", "failure", "parameters", "train_seconds"),
    *("cached", "tokens", "message"),
)
"""Columns of the table of episodes; architectures are in the artifact's episodes.csv."""
FILES = ("config.json", "episodes.csv", "updates.csv", "report.html", "best_architecture.*")
"""What the artifact takes from the run folder."""
EXIT_CODES = {143: 0, 130: 255}
"""Ours -> wandb's: a sweep's SIGTERM is no failure, 255 is its code for Ctrl-C."""


class WandbTracker:
    """An observer that records a search as a wandb run.

    An offline record is whole: a resume writes the rows from before it again, and so does a search
    whose server is gone at its end, because ``wandb sync`` replaces what an earlier folder of the
    same run has uploaded.

    Args:
        wait_s: longest wait for any answer of the server.
        finish_s: longest wait for uploads at the end.
    """

    def __init__(self, wait_s: float = WAIT_S, finish_s: float = FINISH_S) -> None:
        self.wait_s, self.finish_s = wait_s, finish_s
        self._run: Any = None
        self._start = SearchStart({})
        self._identity: dict[str, Any] = {}
        self._figures = Figures()
        self._rows: list[tuple[int, dict[str, float]]] = []
        self._then = 0.0

    def begin(self, start: SearchStart) -> None:
        """Open the wandb run, or the one that the run folder names.

        Raises:
            Exception: wandb's own, where not even the offline record can be written.
        """
        self._start, self._figures, self._rows = start, Figures(), []
        self._identity = identity(start.run_dir)
        if start.run_dir is not None and start.episodes:
            self._rows = list(earlier_rows(self._figures, start.run_dir, start.episodes))
        # our package `agents` shares its name with one for which wandb advertises a product
        os.environ.setdefault("WANDB_DISABLE_WEAVE", "true")
        self._run = run = self._open()
        self._identity = {"id": run.id, "project": run.project, "entity": run.entity or None}
        if start.run_dir is not None:
            text = json.dumps(self._identity, indent=1)
            write_durably(start.run_dir / IDENTITY, text.encode())
        self._describe(run)
        self._then = time.monotonic()

    def update(self, row: Mapping[str, Any], fresh: Sequence[Episode]) -> None:
        """Log one row; wandb keeps it open until the next, so that ``finish`` may add to the last.

        wandb's step is the number of the update: a resumed run goes on where it stopped.
        """
        better, now = self._figures.add(fresh), time.monotonic()
        logged = self._figures.row(row, fresh, now - self._then)
        logged["memory_gb"], self._then = memory_gb(), now
        self._rows.append((int(row["update"]), logged))
        self._run.log({**logged, **(self._picture() if better else {})}, step=int(row["update"]))

    def finish(self, result: SearchResult, exit_code: int) -> None:
        """Log episodes and best architecture, close the wandb run; does nothing without one."""
        run, self._run = self._run, None
        if run is None:
            return
        lost = ""
        try:
            lost = self._log_outcome(run, result, exit_code)
        finally:
            self._close(run, exit_code, lost)
        if lost:  # only now, for wandb has one run of a name at a time
            self._record_again(result, exit_code, lost)

    def _close(self, run: Any, exit_code: int, lost: str) -> None:
        try:
            run.finish(exit_code=EXIT_CODES.get(exit_code, exit_code))
        except TimeoutError:
            if not lost:
                late = f"wandb has not taken everything within {self.finish_s:g} s"
                _notice(f"{late}, but all of it is on disk; {_sync(run)}")

    def _log_outcome(self, run: Any, result: SearchResult, exit_code: int) -> str:
        """Log the outcome; returns why an online run does not take it, ``""`` if it does."""
        if run.offline:
            self._outcome(run, result, exit_code)
            return ""
        if why := silence(server_url(), self.wait_s):
            return why
        try:
            if within(self.finish_s, lambda: self._outcome(run, result, exit_code)):
                return ""
        except Exception as error:  # of a server that goes, or that refuses
            return _first_line(error)
        return f"it has not taken the episodes within {self.finish_s:g} s"

    def _outcome(self, run: Any, result: SearchResult, exit_code: int) -> None:
        import wandb

        if self._rows:
            rows = [[_cell(getattr(e, column)) for column in TABLE] for e in result.episodes]
            table = wandb.Table(columns=list(TABLE), data=rows)
            run.log({"episodes": table, **self._picture()}, step=self._rows[-1][0])
        run.summary["stopped"] = exit_code in EXIT_CODES
        if self._start.run_dir is None:
            return
        artifact = wandb.Artifact(f"search-{run.id}", type="search")
        for path in sorted(p for pattern in FILES for p in self._start.run_dir.glob(pattern)):
            artifact.add_file(str(path))
        run.log_artifact(artifact)

    def _record_again(self, result: SearchResult, exit_code: int, why: str) -> None:
        """The whole search as an offline record of the same wandb run."""
        again = self._init("offline")
        try:
            self._describe(again)
            self._outcome(again, result, exit_code)
        finally:
            self._close(again, exit_code, why)
        _notice(f"wandb's server is lost ({why}), but the whole search is on disk; {_sync(again)}")

    def _describe(self, run: Any) -> None:
        """Configuration and, of the rows there are, those that the run does not have."""
        run.define_metric("children")
        run.define_metric("*", step_metric="children")
        locked = set(run.config.keys()) if sweep_id() else set()
        config = {key: value for key, value in self._start.config.items() if key not in locked}
        run.config.update(config, allow_val_change=True)
        for step, row in self._rows:
            if step >= run.starting_step:
                run.log(row, step=step)

    def _open(self) -> Any:
        """Online where that is wanted and the server answers, else offline."""
        mode, why = chosen_mode()
        if mode == "online" and (silent := silence(server_url(), self.wait_s)):
            mode, why = "offline", f"the server cannot be used: {silent}"
        if mode == "online":
            try:
                return self._init(mode)
            except Exception as error:
                mode, why = "offline", f"the server cannot be used: {_first_line(error)}"
        run = self._init(mode)
        if mode == "offline":
            _notice(f"wandb records offline ({why}); {_sync(run)}")
        return run

    def _init(self, mode: str) -> Any:
        import wandb

        folder, config, known = self._start.run_dir, self._start.config, self._identity
        options: dict[str, Any] = {**known, "dir": folder, "mode": mode, "reinit": "create_new"}
        if known and mode == "online":
            options["resume"] = "allow"
        if not known and not sweep_id() and not os.environ.get("WANDB_PROJECT"):
            options["project"] = PROJECT
        if folder is not None and (mode == "offline" or not known):
            options["name"] = folder.name
        settings: dict[str, Any] = {
            "console": "off",  # the charts say more than a progress bar's control characters
            "init_timeout": self.wait_s,
            "login_timeout": self.wait_s,
            "finish_timeout": self.finish_s,
            "finish_timeout_raises": True,
            "silent": mode != "online",  # our one notice says it all
        }
        env, agent = str(config.get("env", "")), str(config.get("agent", ""))
        return wandb.init(
            group=env or None,
            job_type=agent or None,
            tags=[tag[:64] for tag in (env, agent) if tag],
            settings=wandb.Settings(**settings),
            **options,
        )

    def _picture(self) -> dict[str, Any]:
        """The best architecture as an image; nothing where it is of a kind that nobody can draw."""
        import wandb

        from nas_env import draw_figure

        best = self._figures.best
        try:
            architecture = architecture_from_json(json.loads(best.architecture if best else ""))
        except (NasEnvError, ValueError):
            return {}
        return {"best_architecture": wandb.Image(draw_figure(architecture).array())}


def sweep_id() -> str:
    """The wandb sweep that started this process, ``""`` if none did."""
    return os.environ.get("WANDB_SWEEP_ID", "")


def run_suffix() -> str:
    """Tells apart the run folders of a sweep's runs, which may start in the same second."""
    return f"-{os.environ['WANDB_RUN_ID']}" if sweep_id() and "WANDB_RUN_ID" in os.environ else ""


def identity(folder: Path | None) -> dict[str, Any]:
    """Id, project and entity of the wandb run of a run folder; empty without one."""
    if folder is None or not (folder / IDENTITY).exists():
        return {}
    with contextlib.suppress(OSError, ValueError):
        stored = json.loads((folder / IDENTITY).read_text())
        if isinstance(stored, dict) and isinstance(stored.get("id"), str):
            return {key: stored.get(key) for key in ("id", "project", "entity")}
    return {}


def _cell(value: Any) -> Any:
    return " ".join(map(str, value)) if isinstance(value, tuple) else value


def _sync(run: Any) -> str:
    return f"upload later with: wandb sync {shlex.quote(str(Path(run.dir).parent))}"


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200] or repr(error)


def _notice(text: str) -> None:
    print(f"notice: {text}", file=sys.stderr, flush=True)
