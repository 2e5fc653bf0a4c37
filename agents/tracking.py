"""Weights & Biases: a search's figures per update, its episodes, its best architecture.

Online only where an account is set up, and never at the price of the search: without an account,
or with a server that does not answer within seconds, the same is recorded offline in the run
folder, for ``wandb sync``. wandb itself samples processor, GPU and network every 15 s.
"""

import contextlib
import json
import netrc
import os
import sys
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any
from urllib.parse import urlsplit

import psutil

from agents.episode import Episode, SearchResult, best_of
from agents.files import write_durably
from agents.observer import SearchStart

PROJECT = "nas_env"
IDENTITY = "tracking.json"
"""In the run folder: which wandb run it is, so that a resume continues it."""
WAIT_S = 6.0
"""Longest wait for a server that does not answer, once wandb has waited 10 s for a user name."""
FINISH_S = 60.0
"""Longest wait for uploads at the end; what is left is uploaded by ``wandb sync``."""
RECENT = 32
"""Children in ``recent_metric``."""
TABLE = (
    *("number", "metric", "reward", "state", "failure", "parameters", "train_seconds"),
    *("cached", "tokens", "message"),
)
"""Columns of the table of episodes; architectures are in the artifact's episodes.csv."""
FILES = ("config.json", "episodes.csv", "updates.csv", "report.html", "best_architecture.*")
"""What the artifact takes from the run folder."""
EXIT_CODES = {143: 0, 130: 255}
"""Ours -> wandb's: a sweep's SIGTERM is no failure, 255 is its code for Ctrl-C."""


@dataclass
class Figures:
    """The figures of one search, update by update.

    Attributes:
        best: best episode so far.
        failures: failed children so far, by kind.
    """

    best: Episode | None = None
    failures: Counter[str] = field(default_factory=Counter)
    _recent: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))
    _then: float = field(default_factory=time.monotonic)

    def add(self, fresh: Sequence[Episode]) -> bool:
        """Count episodes; returns whether one is the best so far."""
        before = self.best
        self.best = best_of([*([before] if before else []), *fresh])
        self.failures.update(e.failure or "error" for e in fresh if e.state == "failed")
        self._recent.extend(e.metric for e in fresh if e.metric is not None)
        return self.best is not before

    def row(self, row: Mapping[str, Any], fresh: Sequence[Episode]) -> dict[str, float]:
        """What is logged for one update whose episodes were added: ``updates.csv`` and more."""
        now = time.monotonic()
        minutes, self._then = max(now - self._then, 1e-9) / 60.0, now
        logged = {key: value for key, value in row.items() if isinstance(value, int | float)}
        logged["children_per_minute"] = len(fresh) / minutes
        logged["memory_gb"] = memory_gb()
        logged |= {f"failures/{kind}": count for kind, count in self.failures.items()}
        if self.best is not None and self.best.metric is not None:
            logged |= {"best_metric": self.best.metric, "best_parameters": self.best.parameters}
        if self._recent:
            logged["recent_metric"] = fmean(self._recent)
        return logged


class WandbTracker:
    """An observer that records a search as a wandb run.

    Args:
        wait_s: longest wait for the server.
    """

    def __init__(self, wait_s: float = WAIT_S) -> None:
        self.wait_s = wait_s
        self._run: Any = None
        self._folder: Path | None = None
        self._figures = Figures()
        self._step: int | None = None

    def begin(self, start: SearchStart) -> None:
        """Open the wandb run, or the one that the run folder names.

        Raises:
            Exception: wandb's own, where not even the offline record can be written.
        """
        self._folder, self._figures = start.run_dir, Figures()
        self._figures.add(start.episodes)
        self._run = self._open(start)
        self._run.define_metric("children")
        self._run.define_metric("*", step_metric="children")
        locked = set(self._run.config.keys()) if sweep_id() else set()
        config = {key: value for key, value in start.config.items() if key not in locked}
        self._run.config.update(config, allow_val_change=True)
        if self._folder is not None:
            identity = {"id": self._run.id, "project": self._run.project}
            identity["entity"] = self._run.entity or None
            write_durably(self._folder / IDENTITY, json.dumps(identity, indent=1).encode())

    def update(self, row: Mapping[str, Any], fresh: Sequence[Episode]) -> None:
        """Log one row; wandb keeps it open until the next, so that ``finish`` may add to the last.

        wandb's step is the number of the update: a resumed run goes on where it stopped.
        """
        self._step = int(row["update"])
        better = self._figures.add(fresh)
        logged: dict[str, Any] = self._figures.row(row, fresh)
        if better:
            logged |= self._picture()
        self._run.log(logged, step=self._step)

    def finish(self, result: SearchResult, exit_code: int) -> None:
        """Log episodes and best architecture, close the wandb run; does nothing without one."""
        run, self._run = self._run, None
        if run is None:
            return
        try:
            self._log_outcome(run, result, exit_code)
        finally:
            run.finish(exit_code=EXIT_CODES.get(exit_code, exit_code))

    def _log_outcome(self, run: Any, result: SearchResult, exit_code: int) -> None:
        import wandb

        if self._step is not None:
            rows = [[_cell(getattr(e, column)) for column in TABLE] for e in result.episodes]
            table = wandb.Table(columns=list(TABLE), data=rows)
            run.log({"episodes": table, **self._picture()}, step=self._step)
        run.summary["stopped"] = exit_code in EXIT_CODES
        if self._folder is None:
            return
        artifact = wandb.Artifact(f"search-{run.id}", type="search")
        for path in sorted(p for pattern in FILES for p in self._folder.glob(pattern)):
            artifact.add_file(str(path))
        run.log_artifact(artifact)

    def _open(self, start: SearchStart) -> Any:
        """Online where that is wanted and works within the wait, else offline."""
        mode, why = chosen_mode()
        if mode == "online":
            try:
                return self._init(start, mode)
            except Exception as error:
                mode = "offline"
                why = f"the server cannot be used: {str(error).partition(chr(10))[0][:200]}"
        run = self._init(start, mode)
        if mode == "offline":
            place = Path(run.dir).parent
            _notice(f"wandb records offline ({why}); upload later with: wandb sync {place}")
        return run

    def _init(self, start: SearchStart, mode: str) -> Any:
        import wandb

        folder, config = self._folder, start.config
        known = identity(folder)
        options: dict[str, Any] = {**known, "dir": folder, "mode": mode}
        if known and mode == "online":
            options["resume"] = "allow"
        if not known and not sweep_id() and not os.environ.get("WANDB_PROJECT"):
            options["project"] = PROJECT
        if not known and folder is not None:
            options["name"] = folder.name
        settings: dict[str, Any] = {
            "console": "off",  # the charts say more than a progress bar's control characters
            "init_timeout": self.wait_s,
            "login_timeout": self.wait_s,
            "finish_timeout": FINISH_S,
            "silent": mode != "online",  # our one notice says it all
        }
        env, agent = str(config.get("env", "")), str(config.get("agent", ""))
        # our package `agents` shares its name with one for which wandb advertises a product
        os.environ.setdefault("WANDB_DISABLE_WEAVE", "true")
        return wandb.init(
            group=env or None,
            job_type=agent or None,
            tags=[tag[:64] for tag in (env, agent) if tag],
            settings=wandb.Settings(**settings),
            **options,
        )

    def _picture(self) -> dict[str, Any]:
        """The run folder's picture of the best architecture, if something drew one."""
        import wandb

        if self._folder is None:
            return {}
        drawn, svg = (self._folder / f"best_architecture.{kind}" for kind in ("png", "svg"))
        if drawn.exists():
            return {"best_architecture": wandb.Image(str(drawn))}
        if svg.exists():
            return {"best_architecture": wandb.Html(svg.read_text(), inject=False)}
        return {}


def sweep_id() -> str:
    """The wandb sweep that started this process, ``""`` if none did."""
    return os.environ.get("WANDB_SWEEP_ID", "")


def run_suffix() -> str:
    """Tells apart the run folders of a sweep's runs, which may start in the same second."""
    return f"-{os.environ['WANDB_RUN_ID']}" if sweep_id() and "WANDB_RUN_ID" in os.environ else ""


def chosen_mode() -> tuple[str, str]:
    """The mode and why: as ``WANDB_MODE`` or wandb's settings say, else by there being a key."""
    import wandb

    settings = wandb.setup().settings
    given = {"dryrun": "offline", "run": "online"}.get(settings.mode, str(settings.mode))
    if os.environ.get("WANDB_MODE") or given != "online":
        return given, "as WANDB_MODE or wandb's settings say"
    if _has_key(settings):
        return "online", "a key is set up"
    return "offline", "no account is set up here: wandb login"


def identity(folder: Path | None) -> dict[str, Any]:
    """Id, project and entity of the wandb run of a run folder; empty without one."""
    if folder is None or not (folder / IDENTITY).exists():
        return {}
    with contextlib.suppress(OSError, ValueError):
        stored = json.loads((folder / IDENTITY).read_text())
        if isinstance(stored, dict) and isinstance(stored.get("id"), str):
            return {key: stored.get(key) for key in ("id", "project", "entity")}
    return {}


def memory_gb() -> float:
    """Resident memory of this process and its workers, in GB."""
    total = 0
    own = psutil.Process()
    for process in [own, *own.children(recursive=True)]:
        with contextlib.suppress(psutil.Error):  # a worker that ended meanwhile
            total += process.memory_info().rss
    return total / 1e9


def _has_key(settings: Any) -> bool:
    """Whether a key is in the environment, wandb's settings or ~/.netrc."""
    given = (os.environ.get(name) for name in ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE"))
    if any(given) or getattr(settings, "api_key", None):
        return True
    host = urlsplit(str(settings.base_url)).hostname or ""
    names = [os.environ.get("NETRC", ""), "~/.netrc", "~/_netrc"]
    for path in (Path(name).expanduser() for name in names if name):
        with contextlib.suppress(OSError, netrc.NetrcParseError):
            if netrc.netrc(str(path)).authenticators(host):
                return True
    return False


def _cell(value: Any) -> Any:
    return " ".join(map(str, value)) if isinstance(value, tuple) else value


def _notice(text: str) -> None:
    print(f"notice: {text}", file=sys.stderr, flush=True)
